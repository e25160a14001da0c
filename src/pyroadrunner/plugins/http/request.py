"""Converts an ASGI scope to a worker's request: context, kind of body, length. Pure, and on the hot path.

The worker sees the same as behind Go's ``net/http`` and RoadRunner: canonical header names, the absolute URI, headers
without ``Host`` and ``Transfer-Encoding``, decoded cookies. Invalid UTF-8 becomes U+FFFD before encoding, because PHP's
``json_decode`` refuses it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from pyroadrunner.asgi import ATTRIBUTES, BARE_QUERY, Scope
from pyroadrunner.bounded_cache import BoundedCache
from pyroadrunner.plugins.http.cookies import parse_cookies, size_in_memory

# Kinds of bodies.
NONE, RAW, FORM, MULTIPART = range(4)

UNKNOWN_LENGTH = -1

_PROTOCOLS = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2.0", "3": "HTTP/3.0"}
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


def build(scope: Scope) -> tuple[Context, int, int]:
    """Everything but the body.

    Args:
        scope: an ASGI ``http`` scope.

    Returns:
        the context, the kind of body (``NONE``, ``RAW``, ``FORM``, ``MULTIPART``), and the announced length of the body
        or ``UNKNOWN_LENGTH``.
    """
    pairs = scope["headers"]
    try:
        headers = {_names[key]: [value.decode()] for key, value in pairs}
    except UnicodeDecodeError:
        headers = _collect(pairs)
    if len(headers) != len(pairs):
        headers = _collect(pairs)
    host = headers.pop("Host", None)
    version = scope["http_version"]
    chunked = "Transfer-Encoding" in headers
    if chunked:
        del headers["Transfer-Encoding"]
        headers.pop("Trailer", None)
    length = UNKNOWN_LENGTH
    if "Content-Length" in headers:
        # The same value twice (in two lines, or in one with a comma) is legal and means that value.
        text = headers["Content-Length"][0].partition(",")[0].rstrip()
        headers["Content-Length"] = [text]
        length = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else UNKNOWN_LENGTH
    jar: Mapping[str, str] = {}
    if "Cookie" in headers:
        cookies = headers["Cookie"]
        line = cookies[0] if len(cookies) == 1 else "; ".join(cookies)
        if version in ("2", "3"):  # split cookies, RFC 9113 section 8.2.3
            headers["Cookie"] = [line]
        jar = _cookies[line]
    raw_path: bytes = scope["raw_path"]
    target = _paths[raw_path]
    query = ""
    if query_string := scope["query_string"]:
        query = query_string.decode("utf-8", "rr_percent")
        target = f"{target}?{query}"
    elif BARE_QUERY in scope:
        target += "?"
    method: str = scope["method"]
    client = scope.get("client")
    context = Context(
        client[0] if client else "127.0.0.1",  # a unix socket has no address
        _PROTOCOLS.get(version) or f"HTTP/{version}",
        method,
        f"{scope['scheme']}://{host[0] if host else _local(scope)}{target}",
        headers,
        jar,
        query,
    )
    if ATTRIBUTES in scope:
        context.attributes = scope[ATTRIBUTES]
    if method in _BODILESS:
        return context, NONE, 0
    content_type = headers.get("Content-Type")
    if content_type is not None:
        # RoadRunner searches these types anywhere in the value, and in lower case only.
        if "application/x-www-form-urlencoded" in content_type[0]:
            return context, FORM, length
        if "multipart/form-data" in content_type[0]:
            return context, MULTIPART, length
    # In HTTP/1 a body is announced by headers; in HTTP/2 and 3 it is known only by reading.
    return context, RAW if length > 0 or chunked or version not in ("1.1", "1.0") else NONE, length


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


def _local(scope: Scope) -> str:
    """Our own address, for requests without a host (HTTP/1.0)."""
    host, port = scope.get("server") or ("", None)
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
