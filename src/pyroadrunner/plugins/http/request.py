"""Converts an ASGI scope to a worker's request: context, kind of body, length. Pure, and on the hot path.

The worker sees the same as behind Go's ``net/http`` and RoadRunner: canonical header names, the absolute URI, headers
without ``Host`` and ``Transfer-Encoding``, decoded cookies. Invalid UTF-8 becomes U+FFFD before encoding, because PHP's
``json_decode`` refuses it.
"""

from __future__ import annotations

import codecs
import re
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from pyroadrunner.asgi import ATTRIBUTES, Scope

# Kinds of bodies.
NONE, RAW, FORM, MULTIPART = range(4)

UNKNOWN_LENGTH = -1

_PROTOCOLS = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2.0", "3": "HTTP/3.0"}
_BODILESS = ("HEAD", "OPTIONS")  # RoadRunner never reads their body
_MOST_COOKIES = 3000
_NAMES_KEPT = 1024  # header names cached; clients choose them, so the cache is limited

# Bytes of a path that Go's URL.EscapedPath leaves unchanged (net/url validEncoded); all others are escaped.
_PATH_LEGAL = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~/%$&+,:;=@!'()*[]"
_PATH_ESCAPED = [chr(byte) if byte in _PATH_LEGAL else f"%{byte:02X}" for byte in range(256)]

# Go net/http, readCookies: a name is a token, a value printable ASCII without quote, semicolon, backslash.
_COOKIE_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_COOKIE_VALUE = re.compile(r"[\x20\x21\x23-\x3a\x3c-\x5b\x5d-\x7e]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Context(msgspec.Struct, rename="camel", gc=False):
    """The head of a request as a worker gets it. The order of the fields is the order on the wire."""

    remote_addr: str
    protocol: str
    method: str
    uri: str
    headers: dict[str, list[str]]
    cookies: dict[str, str]
    raw_query: str
    parsed: bool = False
    uploads: dict[str, Any] | None = None
    attributes: dict[str, str] = {}


encode_json = msgspec.json.Encoder().encode

_names: dict[bytes, str] = {}


def build(scope: Scope) -> tuple[Context, int, int]:
    """Everything but the body.

    Args:
        scope: an ASGI ``http`` scope.

    Returns:
        the context, the kind of body (``NONE``, ``RAW``, ``FORM``, ``MULTIPART``), and the announced length of the body
        or ``UNKNOWN_LENGTH``.
    """
    headers: dict[str, list[str]] = {}
    for key, value in scope["headers"]:
        name = _names.get(key) or _remember(key)
        text = value.decode("utf-8", "replace")
        if name in headers:
            headers[name].append(text)
        else:
            headers[name] = [text]
    host = headers.pop("Host", None)
    version = scope["http_version"]
    if chunked := headers.pop("Transfer-Encoding", None) is not None:
        headers.pop("Trailer", None)
    length = UNKNOWN_LENGTH
    if "Content-Length" in headers:
        # The same value twice (in two lines, or in one with a comma) is legal and means that value.
        text = headers["Content-Length"][0].partition(",")[0].rstrip()
        headers["Content-Length"] = [text]
        length = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else UNKNOWN_LENGTH
    cookies = headers.get("Cookie")
    if cookies is None:
        jar = {}
    else:
        if version in ("2", "3") and len(cookies) > 1:  # split cookies, RFC 9113 section 8.2.3
            cookies = headers["Cookie"] = ["; ".join(cookies)]
        jar = parse_cookies(cookies)
    raw_path: bytes = scope["raw_path"]
    if raw_path.translate(None, _PATH_LEGAL):
        path = "".join(map(_PATH_ESCAPED.__getitem__, raw_path))
    else:
        path = raw_path.decode()
    query: str = scope["query_string"].decode("utf-8", "rr_percent")
    method: str = scope["method"]
    target = f"{path}?{query}" if query else path
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


def parse_cookies(lines: list[str]) -> dict[str, str]:
    """Names and decoded values of ``Cookie`` headers. The last of a name wins; cookies that Go refuses are left out. If
    there are more than ``_MOST_COOKIES``, none is decoded, as in Go since 1.24.8: no browser sends that many."""
    jar: dict[str, str] = {}
    if sum([line.count(";") for line in lines], len(lines)) > _MOST_COOKIES:
        return jar
    for line in lines:
        for part in line.split(";"):
            name, _, value = part.strip(" \t").partition("=")
            name = name.strip(" \t")
            if not _COOKIE_NAME.fullmatch(name):
                continue
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            if not _COOKIE_VALUE.fullmatch(value):
                continue
            if "%" in value or "+" in value:
                if _BAD_ESCAPE.search(value):
                    continue
                value = unquote_to_bytes(value.replace("+", " ")).decode("utf-8", "replace")
            jar[name] = value
    return jar


def canonical(name: bytes) -> str:
    """A header name as Go writes it: ``x-fOO_bar-b`` is ``X-Foo_bar-B``."""
    return "-".join([part.capitalize() for part in name.decode("utf-8", "replace").split("-")])


def _remember(key: bytes) -> str:
    name = canonical(key)
    if len(_names) < _NAMES_KEPT:
        _names[key] = name
    return name


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
