"""Responses are encoded."""

from __future__ import annotations

from pyroadrunner.admin.response import NOT_ALLOWED, AdminResponse

WHOLE = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 3\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"\r\n"
    b"\xe2\x82\xac"
)


def test_a_response_has_its_length_in_bytes() -> None:
    assert AdminResponse(503, "€").encode(head=False, close=False) == WHOLE


def test_the_response_to_head_keeps_the_length_without_the_body() -> None:
    assert AdminResponse(503, "€").encode(head=True, close=False) == WHOLE[:-3]


def test_the_last_response_announces_the_close() -> None:
    assert b"\r\nConnection: close\r\n\r\n" in AdminResponse(200).encode(head=False, close=True)


def test_the_caller_sets_headers_and_content_type() -> None:
    answer = AdminResponse(200, b"x", "a/b", {"X-Y": "z"}).encode(head=False, close=False)
    assert b"Content-Type: a/b\r\n" in answer
    assert b"X-Y: z\r\n" in answer
    assert b"Allow: GET, HEAD\r\n" in NOT_ALLOWED.encode(head=False, close=True)


def test_a_status_without_a_reason_phrase_is_sent() -> None:
    assert AdminResponse(599).encode(head=False, close=False).startswith(b"HTTP/1.1 599 \r\n")
