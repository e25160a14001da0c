"""The head of a request, from bytes. Pure.

llhttp parses the fields. The request line is parsed here, because llhttp knows a fixed list of methods and refuses
targets that PHP applications get from other servers. What two servers could read differently is refused (RFC 9112
section 11.2).
"""

from __future__ import annotations

import re
from collections import Counter
from http import HTTPStatus

import httptools

from pyroadrunner.httpd.http1.refusals import Refusal, bad_request
from pyroadrunner.httpd.http1.target import is_host, split_target

UNKNOWN = -1  # the length of a chunked body

_MAX_FIELDS = 10_000
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^\x00-\x20\x7f]+) HTTP/1\.([01])\r\n")
_VERSION = re.compile(rb"[^\r\n]* HTTP/(\d)\.(\d)\r?\n")
_FIXED_LINE = b"GET / HTTP/1.1\r\n"  # what llhttp gets in place of the request line
_LENGTH = re.compile(rb"[0-9]{1,18}")
_ONCE = (b"host", b"content-length", b"transfer-encoding")


class RequestHead:
    """A parsed head.

    Attributes:
        method: as sent.
        path: of the target, still escaped.
        query: of the target, still escaped, without its ``?``.
        minor: 0 or 1, of HTTP/1.x.
        headers: lower-case names and values, in order. The authority of an absolute target is the value of ``host``.
        length: bytes of the body; ``UNKNOWN`` = chunked.
        keep: whether the client allows another request on its connection.
        expects_continue: whether the client waits for 100 before it sends the body.
        trailers: whether the client accepts trailer fields.
    """

    __slots__ = ("expects_continue", "headers", "keep", "length", "method", "minor", "path", "query", "trailers")

    method: str
    path: bytes
    query: bytes
    minor: int
    headers: list[tuple[bytes, bytes]]
    length: int
    keep: bool
    expects_continue: bool
    trailers: bool

    def __repr__(self) -> str:
        return f"RequestHead({self.method} {self.path!r}, length={self.length})"


class _Fields:
    """Receives the fields from llhttp."""

    __slots__ = ("complete", "fields")

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.complete = True


def parse(head: bytes) -> RequestHead:
    """Parse a head.

    Args:
        head: the request line and the header lines, with the empty line at its end.

    Raises:
        Refusal: the head is malformed or ambiguous, or needs something that is not supported.
    """
    line = _LINE.match(head)
    if line is None:
        raise refuse_line(head)
    lines = head.count(b"\n")
    if lines != head.count(b"\r\n"):
        raise bad_request("line", "a line of the head ends with LF alone")
    if lines > _MAX_FIELDS:
        raise Refusal(431, "size", f"the head has more than {_MAX_FIELDS} lines")
    method, target, minor = line.groups()
    headers = _fields(head[line.end() :])
    request = RequestHead()
    request.method = method.decode()
    request.minor = 1 if minor == b"1" else 0
    request.path, request.query, authority = split_target(method, target)
    known = dict(headers)
    if len(known) != len(headers):
        _check_repeated(headers)
    host = known.get(b"host")
    if authority is not None:
        # RFC 9112 section 3.2.2: the authority counts, Host is ignored.
        headers = [(b"host", authority), *(pair for pair in headers if pair[0] != b"host")]
        host = authority
    if host is None:
        if request.minor:
            raise bad_request("host", "the Host header is missing")
    elif not is_host(host):
        raise bad_request("host", "the Host header is malformed")
    request.headers = headers
    request.length = _length(known, request.minor) if b"transfer-encoding" in known or b"content-length" in known else 0
    wishes = known.get(b"connection")
    if wishes is None:
        request.keep = request.minor == 1
    else:
        if len(known) != len(headers):
            wishes = b",".join([value for name, value in headers if name == b"connection"])
        tokens = wishes.lower().replace(b" ", b"").split(b",")
        request.keep = b"close" not in tokens and (request.minor == 1 or b"keep-alive" in tokens)
        if b"upgrade" in known and b"upgrade" in tokens:
            # This server never switches. The client may send the other protocol behind its request all the same.
            request.keep = False
    request.expects_continue = b"expect" in known and _expects_continue(known[b"expect"], request.minor)
    request.trailers = b"te" in known and b"trailers" in known[b"te"].lower()
    return request


def refuse_line(head: bytes) -> Refusal:
    """What is wrong with a request line that can't be parsed."""
    version = _VERSION.match(head)
    if version is not None and version.groups() not in ((b"1", b"0"), (b"1", b"1")):
        return Refusal(505, "version", f"HTTP/{version[1].decode()}.{version[2].decode()} is not supported here")
    return bad_request("line", "the request line is malformed")


def _fields(block: bytes) -> list[tuple[bytes, bytes]]:
    receiver = _Fields()
    try:
        httptools.HttpRequestParser(receiver).feed_data(_FIXED_LINE + block)
    except httptools.HttpParserUpgrade:
        pass  # the head is complete; whether to switch protocols is not llhttp's decision
    except httptools.HttpParserError as wrong:
        merged = _merge_lengths(block)
        if merged == block:
            raise bad_request("header", f"a header is malformed or ambiguous: {wrong}") from None
        return _fields(merged)
    if not receiver.complete:
        raise bad_request("header", "a header line is malformed")
    return receiver.fields


def _merge_lengths(block: bytes) -> bytes:
    """Remove repeated ``Content-Length`` lines with the same value, which mean that value (RFC 9112 section 6.3): Go
    accepts them, llhttp does not."""
    lines = block.split(b"\r\n")
    lengths = [line for line in lines if line[:15].lower() == b"content-length:"]
    values = {part.strip(b" \t") for line in lengths for part in line[15:].split(b",")}
    if len(values) != 1 or not _LENGTH.fullmatch(value := values.pop()):
        return block
    kept = [line for line in lines if line not in lengths]
    return b"\r\n".join([b"Content-Length: " + value, *kept])


def _check_repeated(headers: list[tuple[bytes, bytes]]) -> None:
    counts = Counter(name for name, _ in headers)
    for name in _ONCE:
        if counts[name] > 1:
            raise bad_request("header", f"more than one {name.decode().title()} header")


def _length(known: dict[bytes, bytes], minor: int) -> int:
    coding = known.get(b"transfer-encoding")
    length = known.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise bad_request("header", "Transfer-Encoding together with Content-Length")
        if not minor:
            raise bad_request("header", "Transfer-Encoding in HTTP/1.0")
        if coding.lower() != b"chunked":
            raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "coding", "the transfer coding is not supported")
        return UNKNOWN
    assert length is not None
    if not _LENGTH.fullmatch(length):
        raise bad_request("header", "Content-Length is not a number")
    return int(length)


def _expects_continue(value: bytes, minor: int) -> bool:
    if value.lower() != b"100-continue":
        raise Refusal(HTTPStatus.EXPECTATION_FAILED, "expectation", "the expectation is not supported")
    return minor == 1
