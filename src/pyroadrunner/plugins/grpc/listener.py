"""The listener of ``grpc.listen``."""

from __future__ import annotations

from typing import Any

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.httpd.renewable_listener import RenewableListener
from pyroadrunner.httpd.tls_listener import TlsListener
from pyroadrunner.log import Log
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.descriptors import share
from pyroadrunner.net.endpoint import parse_endpoint
from pyroadrunner.net.errors import ListenError
from pyroadrunner.plugins.grpc.config import GrpcConfig
from pyroadrunner.plugins.grpc.tls import files_of

# Seconds for a client to read on, when data waits for it. The engine keeps at most 2 MB of responses for a connection,
# of all its calls, so a stream that is not read holds up the others.
_UNREAD_TIMEOUT = 60.0

log = Log("grpc")


class GrpcListener:
    """Binds the address at once, so that a taken one is reported before the workers start.

    Raises:
        ListenError, TlsError: the address can't be bound, or a certificate can't be used.
    """

    def __init__(self, config: GrpcConfig) -> None:
        self._config = config
        self._files = files_of(config.tls)
        if self._files is not None:
            for warning in self._files.check():
                log.warning(warning)
        address = parse_endpoint(config.listen, "grpc.listen")
        if self._files is not None and not isinstance(address, TcpAddress):
            raise ListenError(f"grpc.listen: TLS is served over TCP only, provided: {config.listen}")
        self._bound = BoundSockets(address, "grpc.listen")
        self._listener: RenewableListener | None = None

    def __repr__(self) -> str:
        return f"GrpcListener({self._bound.address.short})"

    @property
    def address(self) -> str:
        """The address in use, even if the config says port 0."""
        return self._bound.address.short

    @property
    def port(self) -> int:
        return self._bound.port

    async def start(self, app: ASGIApp) -> None:
        """Accept connections.

        Raises:
            ListenError: the server fails to start.
        """
        config = self._config
        limits = Limits(
            idle_timeout=config.max_connection_idle,
            body_timeout=0.0,  # a client may keep a stream open; no worker waits for it
            write_timeout=_UNREAD_TIMEOUT,
            max_connections=share(2),
            keepalive=config.ping_time,
            keepalive_timeout=config.timeout,
        )
        age = config.max_connection_age
        if age and not isinstance(self._bound.address, TcpAddress):
            log.warning("grpc.max_connection_age has no effect on a unix socket")
            age = 0.0
        options: dict[str, Any] = {
            "streams": config.max_concurrent_streams,
            "limits": limits,
            "date": False,
            "channel": "grpc",
            "max_age": age,
            "age_grace": config.max_connection_age_grace,
        }
        listener: RenewableListener
        if self._files is not None:
            listener = TlsListener(app, self._bound, self._files, **options)
        else:
            listener = RenewableListener(app, self._bound, **options)
        await listener.start()
        self._listener = listener

    async def run(self) -> None:
        """Wait until it has stopped."""
        assert self._listener is not None
        await self._listener.run()

    async def reload_certificates(self) -> None:
        """Use changed certificate files for new connections."""
        if isinstance(self._listener, TlsListener):
            await self._listener.reload()

    def close_after_response(self) -> None:
        """Close each connection gracefully: another process has taken over the address."""
        if self._listener is not None:
            self._listener.close_after_response()

    async def stop(self, grace: float) -> None:
        """Refuse new connections, wait ``grace`` seconds for running calls, then cancel them."""
        if self._listener is None:
            self._bound.close()
            return
        if grace > 0:
            await self._listener.drain()
        self._listener.refuse()
        await self._listener.finish(grace)
