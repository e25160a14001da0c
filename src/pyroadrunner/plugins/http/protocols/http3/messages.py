"""Converts HTTP/3 header lists to and from ASGI. Pure."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from pyroadrunner.asgi import PEER, Message, Scope

Headers = list[tuple[bytes, bytes]]

# Hop-by-hop headers of HTTP/1.1; a message with one is malformed in HTTP/3 (RFC 9114, section 4.2).
_NOT_IN_HTTP3 = (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")


def scope_of(headers: Headers, client: tuple[str, int], server: tuple[str, int]) -> Scope | None:
    """The scope of a request; ``None`` if it is unsupported (CONNECT, no path)."""
    pseudo = {name: value for name, value in headers if name.startswith(b":")}
    method, target, authority = pseudo.get(b":method"), pseudo.get(b":path"), pseudo.get(b":authority")
    if method is None or not target or method == b"CONNECT":
        return None
    plain = [(name, value) for name, value in headers if not name.startswith(b":")]
    if authority is not None:
        plain = [(b"host", authority), *(pair for pair in plain if pair[0] != b"host")]
    path, _, query = target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "3",
        "method": method.decode("latin-1"),
        "scheme": "https",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": plain,
        "client": client,
        PEER: None,  # a UDP port does not show whether the client is still connected
        "server": server,
        "extensions": {},
    }


def head(message: Message) -> Headers:
    """Convert ``http.response.start`` to a header list."""
    headers = [(name.lower(), value) for name, value in message.get("headers", ())]
    status = b"%d" % message["status"]
    return [(b":status", status), *(pair for pair in headers if pair[0] not in _NOT_IN_HTTP3)]
