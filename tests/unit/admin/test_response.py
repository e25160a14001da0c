"""The headers and the body of a response."""

from __future__ import annotations

from pyroadrunner.admin.response import AdminResponse


def test_a_response_has_its_length_in_bytes() -> None:
    response = AdminResponse(503, "€")
    assert response.content == b"\xe2\x82\xac"
    assert response.pairs == [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"3"),
        (b"x-content-type-options", b"nosniff"),
    ]


def test_the_caller_sets_headers_and_content_type() -> None:
    pairs = dict(AdminResponse(200, b"x", "a/b", {"x-y": "z"}).pairs)
    assert (pairs[b"content-type"], pairs[b"x-y"]) == (b"a/b", b"z")
