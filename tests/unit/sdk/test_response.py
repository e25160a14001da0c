"""Answers and the head the server reads."""

from __future__ import annotations

from pyroadrunner.sdk.response import Response, encode_head


def test_every_header_is_written_as_a_list() -> None:
    head = encode_head(201, {"X-One": "1", "Set-Cookie": ("a=1", "b=2")})
    assert head == b'{"status":201,"headers":{"X-One":["1"],"Set-Cookie":["a=1","b=2"]}}'


def test_no_headers_are_an_empty_object() -> None:
    assert encode_head(200, {}) == b'{"status":200,"headers":{}}'


def test_a_response_shows_status_and_size() -> None:
    assert repr(Response(404, "gone")) == "Response(404, body=4)"
    assert repr(Response(body=iter([b"x"]))) == "Response(200, body=streamed)"
