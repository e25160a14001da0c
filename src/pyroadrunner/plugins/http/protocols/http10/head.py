"""Parses the head of an HTTP/1.0 request strictly, and encodes the head of its response. Pure.

Today's HTTP/1.0 clients are proxies and probes. So nothing ambiguous is accepted: input that two parsers could read
differently is refused.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from pyroadrunner.asgi import Message, Scope
from pyroadrunner.plugins.http.errors import HttpError

VERSION = b" HTTP/1.0\r\n"  # the end of the first line
END = b"\r\n\r\n"

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]+) HTTP/1\.0")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_HOST = re.compile(rb"([A-Za-z0-9._~-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)([^#]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_OURS = (b"connection", b"keep-alive", b"transfer-encoding")

Address = tuple[str, int] | None


class BadRequest(HttpError):
    """A malformed head."""


class RequestHead(NamedTuple):
    """A parsed head.

    Attributes:
        length: of the body.
        keep: whether the client wants to keep the connection open.
    """

    scope: Scope
    length: int
    keep: bool


def parse(head: bytes, client: Address, server: Address) -> RequestHead:
    """Parse a head.

    Args:
        head: without the empty line at its end.

    Raises:
        BadRequest: the head is malformed.
    """
    first, *lines = head.split(b"\r\n")
    found = _REQUEST.fullmatch(first)
    if found is None:
        raise BadRequest("malformed request line")
    headers: list[tuple[bytes, bytes]] = []
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise BadRequest("malformed header line")
        headers.append((field[1].lower(), field[2].rstrip(b" \t")))
    path, query = _target(found[1], found[2], headers)
    return RequestHead(
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": "1.0",
            "method": found[1].decode(),
            "scheme": "http",
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": client,
            "server": server,
            "extensions": {},
        },
        _length(headers),
        any(name == b"connection" and value.lower() == b"keep-alive" for name, value in headers),
    )


def answer(message: Message, *, keep: bool) -> tuple[bytes, bool]:
    """Encode ``http.response.start``; also return whether the connection can be kept, which requires a known length."""
    status: int = message["status"]
    headers = [(name.lower(), value) for name, value in message.get("headers", ())]
    if any(name == b"connection" and value.lower() == b"close" for name, value in headers):
        keep = False
    if status not in (204, 304) and not any(name == b"content-length" for name, _ in headers):
        keep = False
    lines = [b"HTTP/1.0 %d %s" % (status, _REASONS.get(status, b"Unknown"))]
    lines += [name + b": " + value for name, value in headers if name not in _OURS]
    lines.append(b"connection: keep-alive" if keep else b"connection: close")
    return b"\r\n".join(lines) + END, keep


def refusal(status: int) -> bytes:
    """A complete response to a malformed request."""
    return answer({"status": status, "headers": [(b"content-length", b"0")]}, keep=False)[0]


def _target(method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """Path and query; the host of an absolute target replaces the ``Host`` header."""
    hosts = [value for name, value in headers if name == b"host"]
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        hosts = [absolute[1], *hosts[1:]]
        headers[:] = [(b"host", absolute[1]), *(pair for pair in headers if pair[0] != b"host")]
        target = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]
    if len(hosts) > 1 or not all(_HOST.fullmatch(host) for host in hosts):
        raise BadRequest("invalid host")
    if not target.startswith(b"/") and (method, target) != (b"OPTIONS", b"*"):
        raise BadRequest("invalid request target")
    path, _, query = target.partition(b"?")
    return path, query


def _length(headers: list[tuple[bytes, bytes]]) -> int:
    names = {name for name, _ in headers}
    if b"transfer-encoding" in names:
        raise BadRequest("HTTP/1.0 does not have Transfer-Encoding")
    lengths = {value for name, value in headers if name == b"content-length"}
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise BadRequest("invalid Content-Length")
    return int(lengths.pop()) if lengths else 0
