"""A port that a plugin has for itself, for what it would otherwise mount on the HTTP port.

Plain HTTP/1.1 is served by our own protocol, TLS and HTTP/2 by the engine, as on the HTTP port; there is no middleware.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.asgi import Receive, Scope, Send
from pyroadrunner.contracts import HttpMount
from pyroadrunner.httpd.engine import DEFAULT_STREAMS
from pyroadrunner.httpd.http1.listener import Http1Listener
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.httpd.mounts import Mounts
from pyroadrunner.httpd.port_config import PortTlsConfig
from pyroadrunner.httpd.tls_listener import TlsListener
from pyroadrunner.log import Log
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.descriptors import share
from pyroadrunner.net.endpoint import parse_endpoint

_NOT_FOUND = b"no such path on this port\n"
_HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(_NOT_FOUND))]


class OwnPort:
    """Binds the address at once, so that a taken one is reported before the workers start.

    Args:
        section: name of the section: the address is its key ``address``, the files are its key ``tls``.
        log: the channel of the plugin.

    Raises:
        ListenError, TlsError: the address can't be bound, or a certificate can't be used.
    """

    def __init__(self, address: str, tls: PortTlsConfig, section: str, log: Log) -> None:
        self._log = log
        self._files = tls.files(f"{section}.tls")
        if self._files is not None:
            for warning in self._files.check():
                log.warning(warning)
        key = f"{section}.address"
        self._bound = BoundSockets(parse_endpoint(address, key), key)
        self._listener: Http1Listener | TlsListener | None = None

    def __repr__(self) -> str:
        return f"OwnPort({self._bound.address.short}{', tls' if self._files is not None else ''})"

    @property
    def address(self) -> str:
        """The address in use, even if the config says port 0."""
        return self._bound.address.short

    @property
    def port(self) -> int:
        """The port in use, even if the config says 0."""
        return self._bound.port

    async def start(self, mounts: Sequence[HttpMount]) -> None:
        """Accept connections.

        Raises:
            ListenError: the server fails to start.
        """
        app, limits = _Paths(Mounts(mounts)), Limits(max_connections=share(2))
        listener: Http1Listener | TlsListener
        if self._files is None:
            listener = Http1Listener(app, self._bound, limits, log=self._log)
        else:
            listener = TlsListener(
                app, self._bound, self._files, streams=DEFAULT_STREAMS, limits=limits, channel=self._log.name
            )
        await listener.start()
        self._listener = listener
        self._log.info("server was started", address=self._bound.address.short)

    async def run(self) -> None:
        """Wait until it has stopped."""
        if self._listener is not None:
            await self._listener.run()

    async def reload_certificates(self) -> None:
        """Use changed certificate files for new connections."""
        if isinstance(self._listener, TlsListener):
            await self._listener.reload()

    def close_after_response(self) -> None:
        """Close each connection after its next response: another process has taken over the address."""
        if self._listener is not None:
            self._listener.close_after_response()

    async def stop(self, grace: float) -> None:
        """Refuse new connections, wait ``grace`` seconds for the open ones, then cut them. Idempotent."""
        if self._listener is None:
            self._bound.close()
            return
        if grace > 0:
            self._listener.close_after_response()
            await self._listener.drain()
        self._listener.refuse()
        await self._listener.finish(grace)


class _Paths:
    """Serves the mounted paths, and 404 for others."""

    def __init__(self, mounts: Mounts) -> None:
        self._mounts = mounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            raise NotImplementedError(kind)  # the ASGI way to reject lifespan
        app = self._mounts.find(scope["path"])
        if app is not None:
            await app(scope, receive, send)
            return
        prefix = ""
        if kind == "websocket":
            await receive()
            if "websocket.http.response" not in scope.get("extensions", ()):
                await send({"type": "websocket.close"})
                return
            prefix = "websocket."
        await send({"type": f"{prefix}http.response.start", "status": 404, "headers": _HEADERS})
        body = _NOT_FOUND if scope.get("method") != "HEAD" else b""
        await send({"type": f"{prefix}http.response.body", "body": body})
