"""Converts CGI variables to an ASGI scope. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from pyroadrunner.asgi import PEER, Scope

_VERSIONS = {b"HTTP/1.0": "1.0", b"HTTP/1.1": "1.1", b"HTTP/2.0": "2", b"HTTP/2": "2", b"HTTP/3.0": "3"}
_HTTPS = (b"on", b"ON", b"1")  # the values that RoadRunner treats as TLS


def scope_of(variables: Mapping[bytes, bytes]) -> Scope:
    """Make the scope of a request.

    Headers are the variables with ``HTTP_`` and the two of the body. A dash and an underscore in a header name can't be
    distinguished, because CGI maps both to an underscore.
    """
    get = variables.get
    path, _, query = _target(variables).partition(b"?")
    secure = get(b"HTTPS", b"") in _HTTPS
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": _VERSIONS.get(get(b"SERVER_PROTOCOL", b""), "1.1"),
        "method": get(b"REQUEST_METHOD", b"GET").decode("latin-1"),
        "scheme": "https" if secure else "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": _headers(variables),
        "client": _address(get(b"REMOTE_ADDR", b""), get(b"REMOTE_PORT", b"")),
        PEER: None,
        "server": _address(get(b"SERVER_ADDR", b"") or get(b"SERVER_NAME", b""), get(b"SERVER_PORT", b"")),
        "extensions": {},
    }


def _target(variables: Mapping[bytes, bytes]) -> bytes:
    """The target of the request line. ``REQUEST_URI`` is not part of CGI, but every web server sends it."""
    uri = variables.get(b"REQUEST_URI")
    if uri:
        return uri
    path = variables.get(b"SCRIPT_NAME", b"") + variables.get(b"PATH_INFO", b"")
    query = variables.get(b"QUERY_STRING", b"")
    return (path or b"/") + (b"?" + query if query else b"")


def _headers(variables: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    headers = [
        (name[5:].lower().replace(b"_", b"-"), value) for name, value in variables.items() if name.startswith(b"HTTP_")
    ]
    for variable, name in ((b"CONTENT_TYPE", b"content-type"), (b"CONTENT_LENGTH", b"content-length")):
        if value := variables.get(variable):
            headers = [pair for pair in headers if pair[0] != name]
            headers.append((name, value))
    if b"HTTP_HOST" not in variables and (host := _host(variables)):
        headers.append((b"host", host))
    return headers


def _host(variables: Mapping[bytes, bytes]) -> bytes:
    name, port = variables.get(b"SERVER_NAME", b""), variables.get(b"SERVER_PORT", b"")
    return name if port in (b"", b"80", b"443") else name + b":" + port


def _address(host: bytes, port: bytes) -> tuple[str, int] | None:
    text = host.decode("latin-1").removeprefix("unix:")
    if not text:
        return None
    return text, int(port) if port.isdigit() and len(port) < 6 else 0
