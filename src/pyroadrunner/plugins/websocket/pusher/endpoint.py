"""Opens the sockets of ``/app/KEY``."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from pyroadrunner.httpd.websocket.contract import Accepted, Handshake, Refused, SocketLimits
from pyroadrunner.plugins.websocket.pusher.app import PusherApp
from pyroadrunner.plugins.websocket.pusher.client import PusherClient, flood_log

_VERSIONS = ("5", "6", "7")
_UNKNOWN_APP, _ORIGIN, _QUOTA, _UNSUPPORTED, _NO_VERSION, _RECONNECT = 4001, 4009, 4004, 4007, 4008, 4200


class PusherEndpoint:
    """Answers handshakes. A client is refused in the protocol's own words, after an open handshake: an HTTP status
    shows it nothing, and it goes on trying.

    Args:
        apps: by key.
        limits: of every socket, but for the size of messages.
    """

    def __init__(self, apps: Mapping[str, PusherApp], limits: SocketLimits) -> None:
        self._apps = apps
        self._limits = limits
        self.draining = False

    def reconfigure(self, limits: SocketLimits) -> None:
        """Use these limits for new sockets."""
        self._limits = limits

    async def accept(self, handshake: Handshake) -> Accepted | Refused:
        scope = handshake.scope
        key = scope["path"].rpartition("/")[2]
        app = self._apps.get(key)
        if app is None:
            missing = _UNKNOWN_APP, "The application does not exist"
            _log_refusal(missing, key, handshake)
            return Accepted(handler=PusherClient(next(iter(self._apps.values())), missing), limits=self._limits)
        refusal = self._refusal(app, handshake)
        if refusal is not None and refusal[0] != _RECONNECT:
            _log_refusal(refusal, key, handshake)
        limits = SocketLimits(
            max_message=app.config.max_message_size << 10,
            max_buffer=self._limits.max_buffer,
            drop_oldest=False,
            ping_interval=0,  # the protocol has pings of its own
            close_timeout=self._limits.close_timeout,
            compression=self._limits.compression,
        )
        client = scope.get("client")
        return Accepted(handler=PusherClient(app, refusal, client[0] if client else ""), limits=limits)

    def _refusal(self, app: PusherApp, handshake: Handshake) -> tuple[int, str] | None:
        scope, config = handshake.scope, app.config
        version = parse_qs(scope["query_string"].decode("latin-1")).get("protocol", [""])[0]
        if not version:
            return _NO_VERSION, "No protocol version"
        if version not in _VERSIONS:
            return _UNSUPPORTED, "Unsupported protocol version"
        if not app.origins.allow(handshake.headers, secure=scope["scheme"] in ("https", "wss")):
            return _ORIGIN, "The origin is not allowed"
        if config.max_connections and len(app.clients) >= config.max_connections:
            return _QUOTA, "The application is over its connection quota"
        if self.draining:
            return _RECONNECT, "The server restarts"
        return None


def _log_refusal(refusal: tuple[int, str], key: str, handshake: Handshake) -> None:
    """Browsers show a refusal after the handshake nowhere, so a wrong key or origin would be hard to find."""
    code, reason = refusal
    origin = handshake.headers.get(b"origin", b"").decode("latin-1")
    flood_log.warning("a client was refused", str(code), key=key[:100], origin=origin[:200], code=code, reason=reason)
