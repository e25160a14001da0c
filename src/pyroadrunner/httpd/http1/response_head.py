"""The first line of a response, and its date."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from time import time

_UNNAMED = {419: "Page Expired", 499: "Client Closed Request"}  # known statuses outside the registry
_AS_IN_GO = {  # those of Python change with its versions
    413: "Request Entity Too Large",
    414: "Request URI Too Long",
    416: "Requested Range Not Satisfiable",
    418: "I'm a teapot",
    422: "Unprocessable Entity",
}
_PHRASES = {status.value: status.phrase for status in HTTPStatus} | _UNNAMED | _AS_IN_GO
_lines: dict[tuple[int, int], bytes] = {}
_date = (0, b"")


def status_line(status: int, minor: int = 1) -> bytes:
    """``HTTP/1.1 200 OK`` with its line end."""
    line = _lines.get((status, minor))
    if line is None:
        phrase = _PHRASES.get(status) or f"status code {status}"
        line = _lines[status, minor] = f"HTTP/1.{minor} {status} {phrase}\r\n".encode()
    return line


def date_line() -> bytes:
    """``Date`` with its line end; encoded once a second."""
    global _date
    now = int(time())
    if _date[0] != now:
        _date = (now, b"Date: " + formatdate(now, usegmt=True).encode() + b"\r\n")
    return _date[1]
