"""The head of a request, from bytes. Pure.

llhttp parses the fields. The request line is parsed here, because llhttp knows a fixed list of methods and refuses
targets that PHP applications get from other servers. What two servers could read differently is refused (RFC 9112
section 11.2).
"""

from __future__ import annotations

import re
from collections import Counter
from http import HTTPStatus
from typing import Any

import httptools

from pyroadrunner.bounded_cache import BoundedCache
from pyroadrunner.httpd.http1.refusals import Refusal, bad_request
from pyroadrunner.httpd.http1.target import is_host, split_target

UNKNOWN = -1  # the length of a chunked body

_MAX_FIELDS = 10_000
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^\x00-\x20\x7f]+) HTTP/1\.([01])\r\n")
_VERSION = re.compile(rb"[^\r\n]* HTTP/(\d)\.(\d)\r?\n")
_FIXED_LINE = b"GET / HTTP/1.1\r\n"  # what llhttp gets in place of the request line
_LENGTH = re.compile(rb"[0-9]{1,18}")
_COOKIE = b"\r\nCookie: "
_ONCE = (b"host", b"content-length", b"transfer-encoding")


class RequestHead:
    """A parsed head.

    Attributes:
        method: as sent.
        path: of the target, still escaped.
        query: of the target, still escaped, without its ``?``; ``None`` if nothing follows the ``?``.
        minor: 0 or 1, of HTTP/1.x.
        authority: of an absolute target; it counts, and ``Host`` is ignored (RFC 9112 section 3.2.2).
        keep: whether the client allows another request on its connection.
        fields: what the header fields say.
        cookie: a ``Cookie`` field that is not among ``fields``; ``None`` = none.
        cookie_at: how many fields come before it.
    """

    __slots__ = ("authority", "cookie", "cookie_at", "fields", "keep", "method", "minor", "path", "query")

    method: str
    path: bytes
    query: bytes | None
    minor: int
    authority: bytes | None
    keep: bool
    fields: Fields
    cookie: str | None
    cookie_at: int

    def __repr__(self) -> str:
        return f"RequestHead({self.method} {self.path!r}, {self.fields!r})"

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Lower-case names and values, in order; ``host`` is the authority that counts."""
        pairs = self.fields.pairs.copy()
        if self.cookie is not None:
            pairs.insert(self.cookie_at, (b"cookie", self.cookie.encode()))
        if self.authority is None:
            return pairs
        return [(b"host", self.authority), *(pair for pair in pairs if pair[0] != b"host")]


class Fields:
    """The header fields of a head, checked; shared by requests with the same fields.

    Attributes:
        pairs: lower-case names and values, in order.
        host: of ``Host``.
        length: bytes of the body; ``UNKNOWN`` = chunked.
        has_cookie: whether there is a ``Cookie``.
        close: whether the client closes its connection after the response.
        keep_alive: whether a client of HTTP/1.0 keeps it.
        expects_continue: whether the client waits for 100 before it sends the body.
        trailers: whether the client accepts trailer fields.
        upgrade: whether the client asks to switch to a protocol other than HTTP/2.
        read: for the application: what it has made of the fields.
    """

    __slots__ = (
        "close",
        "expects_continue",
        "has_cookie",
        "host",
        "keep_alive",
        "length",
        "pairs",
        "read",
        "trailers",
        "upgrade",
    )

    def __init__(self, block: bytes) -> None:
        """
        Args:
            block: the header lines, with the empty line at their end.

        Raises:
            Refusal: they are malformed or ambiguous.
        """
        lines = block.count(b"\n")
        if lines != block.count(b"\r\n"):
            raise bad_request("line", "a line of the head ends with LF alone")
        if lines > _MAX_FIELDS:
            raise Refusal(431, "size", f"the head has more than {_MAX_FIELDS} lines")
        self.pairs = pairs = _split(block)
        self.read: Any = None
        known = dict(pairs)
        if len(known) != len(pairs):
            _check_repeated(pairs)
        self.has_cookie = b"cookie" in known
        self.host = known.get(b"host")
        if self.host is not None and not is_host(self.host):
            raise bad_request("host", "the Host header is malformed")
        self.length = _length(known)
        options = b",".join([value for name, value in pairs if name == b"connection"]).lower()
        tokens = [option.strip(b" \t") for option in options.split(b",")]
        self.close = b"close" in tokens
        self.upgrade = False
        self.keep_alive = b"keep-alive" in tokens
        if b"upgrade" in known and b"upgrade" in tokens:
            # If the application does not switch, the client may use the new protocol all the same, through a proxy that
            # ignores the status. Clients that offer HTTP/2 (curl, Java) do so with every first request.
            self.upgrade = any(value.lower() != b"h2c" for name, value in pairs if name == b"upgrade")
            self.close = self.close or self.upgrade
        self.expects_continue = b"expect" in known
        if self.expects_continue and known[b"expect"].lower() != b"100-continue":
            raise Refusal(HTTPStatus.EXPECTATION_FAILED, "expectation", "the expectation is not supported")
        self.trailers = b"te" in known and b"trailers" in known[b"te"].lower()

    def __repr__(self) -> str:
        return f"Fields({self.pairs})"


class _Receiver:
    """Receives the fields from llhttp."""

    __slots__ = ("complete", "fields")

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.rstrip(b" \t")))  # llhttp drops the blanks before a value alone

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
    method, target, minor = line.groups()
    request = RequestHead()
    request.fields = fields = _read_fields(request, head, line.end())
    request.method = method.decode()
    request.minor = minor = 1 if minor == b"1" else 0
    request.path, request.query, request.authority = split_target(method, target)
    if not minor and fields.length == UNKNOWN:
        raise bad_request("header", "Transfer-Encoding in HTTP/1.0")
    if request.authority is not None:
        # RFC 9110 section 4.2.1: a URL without a host is invalid.
        if request.authority[:1] in (b"", b":") or not is_host(request.authority):
            raise bad_request("host", "the host of the request target is missing or malformed")
    elif minor and fields.host is None:
        raise bad_request("host", "the Host header is missing")
    request.keep = not fields.close and (minor == 1 or fields.keep_alive)
    return request


def _read_fields(request: RequestHead, head: bytes, start: int) -> Fields:
    """Read the cookie of a head whose header lines begin at ``start``; return its other fields.

    Browsers repeat their headers with each request, but an application may set new cookies with each response. So an
    ordinary ``Cookie`` line is read apart, and the others are looked up.
    """
    at = head.find(_COOKIE, start - 2)
    if at >= 0:
        begin = at + len(_COOKIE)
        end = head.find(b"\r\n", begin)
        value = head[begin:end].strip(b" \t")
        if value.isascii() and (cookie := value.decode()).isprintable():
            fields = _fields[head[start : at + 2] + head[end + 2 :]]
            if not fields.has_cookie:
                request.cookie = cookie
                request.cookie_at = head.count(b"\n", start, at + 2)
                return fields
    request.cookie = None
    return _fields[head[start:]]


def refuse_line(head: bytes) -> Refusal:
    """What is wrong with a request line that can't be parsed."""
    version = _VERSION.match(head)
    if version is not None and version.groups() not in ((b"1", b"0"), (b"1", b"1")):
        return Refusal(505, "version", f"HTTP/{version[1].decode()}.{version[2].decode()} is not supported here")
    return bad_request("line", "the request line is malformed")


def _split(block: bytes) -> list[tuple[bytes, bytes]]:
    receiver = _Receiver()
    try:
        httptools.HttpRequestParser(receiver).feed_data(_FIXED_LINE + block)
    except httptools.HttpParserUpgrade:
        pass  # the head is complete; whether to switch protocols is not llhttp's decision
    except httptools.HttpParserError as wrong:
        merged = _merge_lengths(block)
        if merged == block:
            raise bad_request("header", f"a header is malformed or ambiguous: {wrong}") from None
        return _split(merged)
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


def _length(known: dict[bytes, bytes]) -> int:
    coding = known.get(b"transfer-encoding")
    length = known.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise bad_request("header", "Transfer-Encoding together with Content-Length")
        if coding.lower() != b"chunked":
            raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "coding", "the transfer coding is not supported")
        return UNKNOWN
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise bad_request("header", "Content-Length is not a number")
    return int(length)


# Clients repeat their headers with each request of a connection. An entry takes up to ten times its bytes.
_fields = BoundedCache(Fields, entries=1024, max_bytes=1 << 22, size=lambda block, fields: 10 * len(block))
