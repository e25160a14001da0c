"""Responses and their heads."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.sdk.response import Response, encode_head, for_text


def test_every_header_is_encoded_as_a_list() -> None:
    head = encode_head(201, {"X-One": "1", "Set-Cookie": ("a=1", "b=2")})
    assert head == b'{"status":201,"headers":{"X-One":["1"],"Set-Cookie":["a=1","b=2"]}}'


def test_no_headers_are_an_empty_object() -> None:
    assert encode_head(200, {}) == b'{"status":200,"headers":{}}'


def test_a_response_shows_status_and_size() -> None:
    assert repr(Response(404, "gone")) == "Response(404, body=4)"
    assert repr(Response(body=iter([b"x"]))) == "Response(200, body=streamed)"


def test_the_body_may_come_first() -> None:
    def parts(response: Response) -> tuple[Any, ...]:
        return response.status, response.body, dict(response.headers)

    assert parts(Response("text")) == (200, "text", {})
    assert parts(Response(b"bytes", 404)) == (404, b"bytes", {})
    assert parts(Response("text", status=404, headers={"A": "1"})) == (404, "text", {"A": "1"})
    assert parts(Response("text", 404, {"A": "1"})) == (404, "text", {"A": "1"})
    assert parts(Response(404, "text", {"A": "1"})) == (404, "text", {"A": "1"})
    assert parts(Response(404, headers={"A": "1"})) == (404, b"", {"A": "1"})
    assert parts(Response()) == (200, b"", {})
    assert list(Response(iter([b"x"])).body) == [b"x"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("a", "b"), {}),
        (("a", None), {}),
        (("a",), {"body": "b"}),
        ((404,), {"status": 405}),
        ((404, "a", {}, 1), {}),
        ((), {"code": 404}),
        ((), {"status": "404"}),
    ],
)
def test_an_invalid_response_is_refused_when_it_is_created(given: tuple[Any, ...], named: Any) -> None:
    with pytest.raises(TypeError):
        Response(*given, **named)


def test_text_gets_a_content_type_unless_it_has_one() -> None:
    assert for_text({"A": "1"}) == {"A": "1", "Content-Type": "text/plain; charset=utf-8"}
    assert for_text({"content-type": "text/html"}) == {"content-type": "text/html"}
