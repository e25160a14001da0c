"""Request heads: how they are parsed, and which response refuses invalid ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.admin.request import AdminRequest, RequestRefused, read_request


def read(first: str, *fields: str) -> AdminRequest:
    return read_request("\r\n".join([first, *fields, "", ""]).encode("latin-1"))


def refusal(first: str, *fields: str) -> int:
    with pytest.raises(RequestRefused) as refused:
        read(first, *fields)
    return refused.value.response.status


def test_a_request_has_its_path_and_the_values_of_each_parameter() -> None:
    assert read("GET /health?plugin=http&plugin=jobs&empty= HTTP/1.1", "Host: x") == AdminRequest(
        path="/health", query={"plugin": ["http", "jobs"], "empty": [""]}, head=False, keep_alive=True
    )


def test_head_requests_only_the_head() -> None:
    assert read("HEAD / HTTP/1.1").head


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a%20b", "/a b"),
        ("/%ff", "/\ufffd"),
        ("//twice", "//twice"),
        ("/../up", "/../up"),
        ("http://host:1/x?y=1", "/x"),
        ("HTTP://host", "/"),
        ("http://host?y=1", "/"),
    ],
)
def test_the_path_is_decoded_and_nothing_else(target: str, path: str) -> None:
    assert read(f"GET {target} HTTP/1.1").path == path


@pytest.mark.parametrize(
    ("version", "fields", "keep"),
    [
        ("1.1", [], True),
        ("1.1", ["Connection: close"], False),
        ("1.1", ["connection: Upgrade,  CLOSE"], False),
        ("1.1", ["Connection: x", "Connection: close"], False),
        ("1.0", [], False),
        ("1.0", ["Connection: Keep-Alive"], True),
    ],
)
def test_the_client_decides_whether_the_connection_stays_open(version: str, fields: list[str], keep: bool) -> None:
    assert read(f"GET / HTTP/{version}", *fields).keep_alive is keep


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get"])
def test_only_get_and_head_are_allowed(method: str) -> None:
    assert refusal(f"{method} / HTTP/1.1") == 405
    with pytest.raises(RequestRefused) as refused:
        read(f"{method} / HTTP/1.1")
    assert refused.value.response.headers == {"Allow": "GET, HEAD"}


@pytest.mark.parametrize("field", ["Content-Length: 1", "Content-Length: x", "Transfer-Encoding: chunked"])
def test_a_body_is_refused(field: str) -> None:
    assert refusal("GET / HTTP/1.1", field) == 413


def test_a_content_length_of_zero_is_no_body() -> None:
    assert read("GET / HTTP/1.1", "Content-Length: 0").keep_alive


@pytest.mark.parametrize(
    ("first", "fields"),
    [
        ("", []),
        ("GET /", []),
        ("GET / HTTP/1.1 ", []),
        ("GET  / HTTP/1.1", []),
        ("GET /\x7f HTTP/1.1", []),
        ("GET /\xe4 HTTP/1.1", []),
        ("GET * HTTP/1.1", []),
        ("GET host:80 HTTP/1.1", []),
        ("GET / HTTP/1.1", ["no colon"]),
        ("GET / HTTP/1.1", ["a : blank"]),
        ("GET / HTTP/1.1", [" folded: x"]),
        ("GET / HTTP/1.1", ["a: b\nc: d"]),
        ("GET / HTTP/1.1", ["a: \0"]),
        (f"GET /?{'a&' * 300}a HTTP/1.1", []),
    ],
)
def test_a_malformed_request_is_a_bad_request(first: str, fields: list[str]) -> None:
    assert refusal(first, *fields) == 400


def test_other_versions_of_http_are_refused() -> None:
    assert refusal("PRI * HTTP/2.0") == 505


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        request = read_request(data + b"\r\n\r\n")
    except RequestRefused as refused:
        assert refused.response.status in (400, 405, 413, 505)  # noqa: PT017 - most bytes are refused
    else:
        assert request.path.startswith("/")
