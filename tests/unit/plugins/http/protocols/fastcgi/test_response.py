"""The header lines that a web server reads before the body."""

from __future__ import annotations

from pyroadrunner.plugins.http.protocols.fastcgi.response import head


def test_status_and_headers_in_their_order() -> None:
    message = {"type": "http.response.start", "status": 404, "headers": [(b"x-a", b"1"), (b"x-a", b"2")]}
    assert head(message) == b"Status: 404 Not Found\r\nx-a: 1\r\nx-a: 2\r\n\r\n"


def test_headers_of_the_connection_are_left_out() -> None:
    headers = [(b"Connection", b"close"), (b"transfer-encoding", b"chunked"), (b"status", b"200 OK"), (b"x", b"y")]
    assert head({"status": 799, "headers": headers}) == b"Status: 799 Unknown\r\nx: y\r\n\r\n"
