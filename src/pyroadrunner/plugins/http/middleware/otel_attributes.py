"""OpenTelemetry's attributes of an HTTP server's span. Pure."""

from __future__ import annotations

from pyroadrunner.asgi import PEER, Scope

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"})
_PORTS = {"http": 80, "https": 443}


def request_attributes(scope: Scope) -> dict[str, str | int]:
    """The attributes that are known before the response."""
    headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))  # the first header of a name wins
    method = scope["method"]
    found: dict[str, str | int] = {
        "http.request.method": method if method in _METHODS else "_OTHER",
        "url.scheme": scope["scheme"],
        "url.path": scope["raw_path"].decode("utf-8", "replace"),
        "network.protocol.version": scope["http_version"],
    }
    if method not in _METHODS:
        found["http.request.method_original"] = method
    _add_server(found, headers.get(b"host"), scope)
    client, peer = scope.get("client"), scope.get(PEER, scope.get("client"))
    if peer and peer[0]:
        found["network.peer.address"] = peer[0]
        if peer[1]:
            found["network.peer.port"] = peer[1]
    if forwarded := headers.get(b"x-forwarded-for"):
        found["client.address"] = forwarded.partition(b",")[0].strip().decode("utf-8", "replace")
    elif client and client[0]:
        found["client.address"] = client[0]
    if agent := headers.get(b"user-agent"):
        found["user_agent.original"] = agent.decode("utf-8", "replace")
    return found


def _add_server(found: dict[str, str | int], host: bytes | None, scope: Scope) -> None:
    name, port = _split(host.decode("utf-8", "replace")) if host else scope.get("server") or ("", None)
    if name:
        found["server.address"] = name
    if port and port != _PORTS.get(scope["scheme"]):
        found["server.port"] = port


def _split(host: str) -> tuple[str, int | None]:
    """Split ``name:port``, ``[::1]:port`` or a name without a port."""
    name, colon, port = host.rpartition(":")
    if not colon or "]" in port or not (port.isascii() and port.isdecimal()):
        name, port = host, ""
    return name.removeprefix("[").removesuffix("]"), int(port[:6]) if port else None
