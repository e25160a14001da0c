"""Converts a request to the worker's: context, kind of body, length. Pure, and on the hot path.

The worker sees the same as behind Go's ``net/http`` and RoadRunner: canonical header names, the absolute URI, headers
without ``Host`` and ``Transfer-Encoding``, decoded cookies. Invalid UTF-8 becomes U+FFFD before encoding, because PHP's
``json_decode`` refuses it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from pyroadrunner.asgi import ATTRIBUTES, BARE_QUERY, Scope
from pyroadrunner.bounded_cache import BoundedCache
from pyroadrunner.httpd.http1.whole import WholeExchange
from pyroadrunner.plugins.http.cookies import parse_cookies, size_in_memory

# Kinds of bodies.
NONE, RAW, FORM, MULTIPART = range(4)

UNKNOWN_LENGTH = -1

_PROTOCOLS = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2.0", "3": "HTTP/3.0"}
_NO_COOKIES: Mapping[str, str] = {}
_NO_ADDRESS = "127.0.0.1"  # of a client of a unix socket
_BODILESS = ("HEAD", "OPTIONS")  # RoadRunner never reads their body

# Go's URL.EscapedPath (net/url): a path of these bytes and of valid escapes is left unchanged (validEncoded) ...
_PATH_LEGAL = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~/$&+,:;=@!'()*[]"
# ... any other is decoded, and all but these bytes are escaped (shouldEscape).
_PATH_KEPT = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~/$&+,:;=@"
_PATH_ESCAPED = [chr(byte) if byte in _PATH_KEPT else f"%{byte:02X}" for byte in range(256)]
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Context(msgspec.Struct, rename="camel", gc=False):
    """The head of a request as a worker gets it. The order of the fields is the order on the wire."""

    remote_addr: str
    protocol: str
    method: str
    uri: str
    headers: dict[str, list[str]]
    cookies: Mapping[str, str]  # shared with other requests
    raw_query: str
    parsed: bool = False
    uploads: dict[str, Any] | None = None
    attributes: dict[str, str] = {}


encode_json = msgspec.json.Encoder().encode


class RequestHeaders:
    """What the headers of a request say, as the worker gets it. Shared by requests with the same headers: not changed.

    Attributes:
        headers: by canonical name, without ``Host`` and ``Transfer-Encoding``.
        host: of ``Host``; empty = none.
        cookies: names and decoded values.
        length: of ``Content-Length``, or ``UNKNOWN_LENGTH``.
        kind: of the body, unless the method has none.
    """

    __slots__ = ("cookies", "headers", "host", "kind", "length")

    def __init__(self, pairs: Sequence[tuple[bytes, bytes]], version: str) -> None:
        """
        Args:
            pairs: lower-case names and values.
            version: as in an ASGI scope.
        """
        try:
            headers = {_names[key]: [value.decode()] for key, value in pairs}
        except UnicodeDecodeError:
            headers = _collect(pairs)
        if len(headers) != len(pairs):
            headers = _collect(pairs)
        self.headers = headers
        self.host = headers.pop("Host")[0] if "Host" in headers else ""
        chunked = "Transfer-Encoding" in headers
        if chunked:
            del headers["Transfer-Encoding"]
            headers.pop("Trailer", None)
        self.length = UNKNOWN_LENGTH
        if "Content-Length" in headers:
            # The same value twice (in two lines, or in one with a comma) is legal and means that value.
            text = headers["Content-Length"][0].partition(",")[0].rstrip()
            headers["Content-Length"] = [text]
            if text.isascii() and text.isdecimal() and len(text) < 19:
                self.length = int(text)
        self.cookies: Mapping[str, str] = _NO_COOKIES
        if "Cookie" in headers:
            cookies = headers["Cookie"]
            line = cookies[0] if len(cookies) == 1 else "; ".join(cookies)
            if version in ("2", "3"):  # split cookies, RFC 9113 section 8.2.3
                headers["Cookie"] = [line]
            self.cookies = _cookies[line]
        content_type = headers["Content-Type"][0] if "Content-Type" in headers else ""
        # RoadRunner searches these types anywhere in the value, and in lower case only.
        if "application/x-www-form-urlencoded" in content_type:
            self.kind = FORM
        elif "multipart/form-data" in content_type:
            self.kind = MULTIPART
        else:
            # In HTTP/1 a body is announced by headers; in HTTP/2 and 3 it is known only by reading.
            self.kind = RAW if self.length > 0 or chunked or version not in ("1.1", "1.0") else NONE

    def __repr__(self) -> str:
        return f"RequestHeaders({self.headers})"


def build(scope: Scope) -> tuple[Context, int, int]:
    """Everything but the body.

    Args:
        scope: an ASGI ``http`` scope.

    Returns:
        the context, the kind of body (``NONE``, ``RAW``, ``FORM``, ``MULTIPART``), and the announced length of the body
        or ``UNKNOWN_LENGTH``.
    """
    version = scope["http_version"]
    read = RequestHeaders(scope["headers"], version)
    client = scope.get("client")
    method: str = scope["method"]
    target, query = _target(scope["raw_path"], None if BARE_QUERY in scope else scope["query_string"])
    context = Context(
        client[0] if client else _NO_ADDRESS,
        _PROTOCOLS.get(version) or f"HTTP/{version}",
        method,
        f"{scope['scheme']}://{read.host or _local(scope.get('server'))}{target}",
        read.headers,
        read.cookies,
        query,
    )
    if ATTRIBUTES in scope:
        context.attributes = scope[ATTRIBUTES]
    if method in _BODILESS:
        return context, NONE, 0
    return context, read.kind, read.length


def build_whole(exchange: WholeExchange) -> tuple[Context, int, int]:
    """As :func:`build`, for a request that has no scope."""
    head = exchange.head
    read: RequestHeaders | None = head.fields.read
    if read is None:
        read = head.fields.read = RequestHeaders(head.fields.pairs, "1.1")
    client = exchange.client
    cookie = head.cookie
    method = head.method
    target, query = _target(head.path, head.query)
    host = read.host or _local(exchange.server) if head.authority is None else head.authority.decode()
    context = Context(
        client[0] if client is not None else _NO_ADDRESS,
        "HTTP/1.1" if head.minor else "HTTP/1.0",
        method,
        f"http://{host}{target}",
        read.headers if cookie is None else {**read.headers, "Cookie": [cookie]},
        read.cookies if cookie is None else _cookies[cookie],
        query,
    )
    if method in _BODILESS:
        return context, NONE, 0
    return context, read.kind, read.length


def _target(path: bytes, query: bytes | None) -> tuple[str, str]:
    """Path and query as Go writes them, and the query alone."""
    if query is None:
        return f"{_paths[path]}?", ""
    if not query:
        return _paths[path], ""
    text = query.decode("utf-8", "rr_percent")
    return f"{_paths[path]}?{text}", text


def canonical(name: bytes) -> str:
    """A header name as Go writes it: ``x-fOO_bar-b`` is ``X-Foo_bar-B``."""
    return "-".join([part.capitalize() for part in name.decode("utf-8", "replace").split("-")])


def _collect(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    """Headers of which some have the same name, or bytes that are not UTF-8."""
    headers: dict[str, list[str]] = {}
    for key, value in pairs:
        headers.setdefault(_names[key], []).append(value.decode("utf-8", "replace"))
    return headers


def escaped(path: bytes) -> str:
    """A path as Go writes it. If it has an illegal byte, its valid escapes are written anew, so ``%2f`` becomes ``/``.
    Go refuses invalid escapes; here their percent sign is escaped."""
    odd = path.translate(None, _PATH_LEGAL)
    if odd and (odd.strip(b"%") or _BAD_ESCAPE.search(path)):
        return "".join(map(_PATH_ESCAPED.__getitem__, unquote_to_bytes(path)))
    return path.decode()


def _local(server: tuple[str, int | None] | None) -> str:
    """Our own address, for requests without a host (HTTP/1.0)."""
    host, port = server or ("", None)
    if not host or port is None:
        return "localhost"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _percent(error: UnicodeError) -> tuple[str, int]:
    """Escape bytes that are not UTF-8: the query keeps its meaning, and every codec can encode it."""
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"%{byte:02X}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error("rr_percent", _percent)

_names = BoundedCache(canonical, entries=1024, max_bytes=1 << 16)
_paths = BoundedCache(escaped, entries=1024, max_bytes=1 << 18)
_cookies = BoundedCache(parse_cookies, entries=1024, max_bytes=1 << 20, size=size_in_memory)
