"""The listeners of the ``http`` section, one per address, all serving the same application."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.contracts import ServedAddress
from pyroadrunner.httpd.engine import DEFAULT_STREAMS, HttpListener
from pyroadrunner.httpd.errors import TlsError
from pyroadrunner.httpd.http1.listener import Http1Listener
from pyroadrunner.httpd.http1.refusals import Refusals
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.httpd.mounts import Mounts
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.httpd.tls_listener import TlsListener
from pyroadrunner.log import Log
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.descriptors import share
from pyroadrunner.net.endpoint import parse_endpoint
from pyroadrunner.net.errors import ListenError
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.gateway import Gateway
from pyroadrunner.plugins.http.middleware.redirect import Redirect
from pyroadrunner.plugins.http.tls.client import ClientCertificate
from pyroadrunner.plugins.http.tls.config import AcmeConfig
from pyroadrunner.plugins.http.tls.files import files_of

if TYPE_CHECKING:
    from pyroadrunner.plugins.http.tls.acme.renewal import Acme

log = Log("http")

Chain = Callable[[], ASGIApp]
Around = Callable[[ASGIApp], ASGIApp]


class Listener(Protocol):
    """A server for one address."""

    async def start(self) -> None:
        """Return once connections are accepted."""

    async def run(self) -> None:
        """Wait until the listener has stopped."""

    def close_after_response(self) -> None:
        """Close each connection after its next response."""

    async def drain(self) -> None:
        """Stop accepting new TCP handshakes. Return when every open connection has sent a request, or after one
        second."""

    def refuse(self) -> None:
        """Accept no more connections."""

    async def finish(self, grace: float) -> None:
        """After :meth:`refuse`: wait ``grace`` seconds for the running requests, then cancel them."""


class Listeners:
    """All listeners of the section. Addresses are bound first, so that a taken address is reported before the workers
    start, which may take seconds.

    Args:
        mounts: the paths that other plugins serve; ``None`` = none.

    Raises:
        ListenError, TlsError: no address is configured, or one can't be bound.
    """

    def __init__(self, config: HttpConfig, *, experimental: bool = False, mounts: Mounts | None = None) -> None:
        self._mounts = mounts
        self._streams = config.http2.max_concurrent_streams or DEFAULT_STREAMS
        self._limits = config.limits
        self._h2c = config.http2.h2c
        self._redirect = config.ssl.redirect
        self._files = files_of(config.ssl)
        if not config.address and not config.fcgi.address and self._files is None and config.ssl.acme is None:
            raise ListenError(
                "unable to run http service, no method has been specified (http, https, http/2 or FastCGI): set"
                " http.address, such as 127.0.0.1:8080"
            )
        self.refusals = Refusals(log)
        self.tls: TlsListener | None = None
        self._plain_sockets: BoundSockets | None = None
        self._tls_sockets: BoundSockets | None = None
        self._fcgi_sockets: BoundSockets | None = None
        self._open: list[Listener] = []
        self._gateways: list[tuple[Gateway, Around]] = []
        self._acme: Acme | None = None
        self._udp: socket.socket | None = None
        self._http3 = config.http3
        wants_http3 = bool(config.http3.address)
        if wants_http3 and not experimental:
            log.warning("http.http3 is experimental and off; switch it on with rr serve -e")
            wants_http3 = False
        if config.ssl.acme is None and self._files is not None:
            _check(self._files)
        try:
            if config.address:
                self._plain_sockets = BoundSockets(parse_endpoint(config.address), mode=config.socket_mode)
            if config.ssl.acme is not None or self._files is not None:
                self._tls_sockets = BoundSockets(_tls_address(config.ssl.address), "http.ssl.address")
                if config.ssl.acme is not None:
                    self._acme = _acme(config.ssl.acme, self.port, self._tls_sockets)
                    self._files = files_of(config.ssl, self._acme.path)
            if config.fcgi.address:
                address = parse_endpoint(config.fcgi.address, "http.fcgi.address")
                self._fcgi_sockets = BoundSockets(address, "http.fcgi.address", config.socket_mode)
            if wants_http3:
                self._udp = _udp_socket(config.http3.address)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Listeners({self._open})"

    @property
    def uses_h2corn(self) -> bool:
        """Whether an address is served by h2corn, which does not report a client that leaves in HTTP/1.1."""
        return self._tls_sockets is not None or self._h2c

    @property
    def _connection_limit(self) -> int:
        """Maximum number of connections of one listener."""
        return share(2 * sum(one is not None for one in (self._plain_sockets, self._tls_sockets)))

    @property
    def port(self) -> int:
        """The port of plain HTTP, even if the config says 0. 0 = not configured."""
        return self._plain_sockets.port if self._plain_sockets is not None else 0

    def addresses(self) -> list[ServedAddress]:
        """The addresses of plain HTTP and of TLS."""
        bound = (
            ("http", self._plain_sockets, "http.address"),
            ("https", self._tls_sockets, "http.ssl.address"),
        )
        return [
            ServedAddress(kind=kind, address=sockets.address.short, key=key) for kind, sockets, key in bound if sockets
        ]

    async def start(self, chain: Chain) -> None:
        """Accept connections.

        Args:
            chain: makes the application; each listener gets its own instance.

        Raises:
            ListenError: a listener failed to start; call :meth:`close` then.
        """
        if self._plain_sockets is not None:
            gateway = self._plain_gateway(chain)
            await self._start(self._plain(gateway, self._plain_sockets))
        if self._tls_sockets is not None:
            assert self._files is not None
            if self._acme is not None:
                await self._acme.obtain()  # after the plain address, which may serve the challenge
                _check(self._files)
            around = _identity if self._files.client == "none" else ClientCertificate
            gateway = self._gateway(chain, around)
            self.tls = TlsListener(
                gateway, self._tls_sockets, self._files, streams=self._streams, limits=self._limits_of_connections()
            )
            await self._start(self.tls)
            if self._acme is not None:
                self._acme.keep(self.tls)
        if self._fcgi_sockets is not None:
            # Imported only if used: most servers have no FastCGI client.
            from pyroadrunner.plugins.http.protocols.fastcgi.listener import FastCgiListener

            await self._start(FastCgiListener(self._gateway(chain, _identity), self._fcgi_sockets))

        if self._udp is not None:
            from pyroadrunner.plugins.http.protocols.http3.listener import Http3Listener

            files = self._http3_files()
            if files is not self._files:
                _check(files)
            await self._start(Http3Listener(self._gateway(chain, _identity), self._udp, files))

    def replacement(self, chain: Chain) -> Callable[[], None]:
        """Make a new application for each listener. Return a function that activates them for new requests."""
        made = [(gateway, around(chain())) for gateway, around in self._gateways]

        def replace() -> None:
            for gateway, app in made:
                gateway.replace(app)

        return replace

    async def run(self) -> None:
        """Wait until all listeners have stopped."""
        await asyncio.gather(*(listener.run() for listener in self._open))

    def close_after_response(self) -> None:
        """Close each connection after its next response."""
        for listener in self._open:
            listener.close_after_response()

    async def stop(self, grace: float) -> None:
        """Refuse new connections, wait ``grace`` seconds for running requests, then cancel them. Without grace,
        requests that are still arriving are not waited for."""
        if self._acme is not None:
            self._acme.stop()
        if grace > 0:
            self.close_after_response()
            await asyncio.gather(*(listener.drain() for listener in self._open))
        for listener in self._open:
            listener.refuse()
        await asyncio.gather(*(listener.finish(grace) for listener in self._open))

    def close(self) -> None:
        """Close all sockets."""
        for sockets in (self._plain_sockets, self._tls_sockets, self._fcgi_sockets):
            if sockets is not None:
                sockets.close()
        if self._udp is not None:
            self._udp.close()

    def _http3_files(self) -> TlsFiles:
        if self._http3.cert and self._http3.key:
            return TlsFiles(self._http3.cert, self._http3.key, section="http.http3")
        if self._files is None:
            raise TlsError("http.http3 has no certificate: set its cert and key, or those of http.ssl")
        return self._files

    def _plain(self, gateway: Gateway, sockets: BoundSockets) -> Listener:
        if self._h2c:
            return HttpListener(gateway, sockets, streams=self._streams, limits=self._limits_of_connections())
        return Http1Listener(gateway, sockets, self._limits_of_connections(), refusals=self.refusals)

    def _limits_of_connections(self) -> Limits:
        limits = self._limits
        return Limits(
            head_timeout=limits.head_timeout,
            idle_timeout=limits.idle_timeout,
            body_timeout=limits.body_timeout,
            write_timeout=limits.write_timeout,
            max_head=limits.max_head_size << 10,
            max_buffer=limits.max_buffer_size << 10,
            max_connections=limits.max_connections or self._connection_limit,
        )

    def _plain_gateway(self, chain: Chain) -> Gateway:
        around = self._acme.challenge.plain if self._acme is not None else _identity
        if self._redirect and self._tls_sockets is not None:
            return Gateway(around(Redirect(self._tls_sockets.port)))
        return self._gateway(chain, around)

    def _gateway(self, chain: Chain, around: Around) -> Gateway:
        gateway = Gateway(around(chain()), self._mounts)
        self._gateways.append((gateway, around))
        return gateway

    async def _start(self, listener: Listener) -> None:
        """Start a listener. If cancelled, finish the start first, which takes milliseconds: the listener may have
        connections, and only :meth:`stop` closes them properly."""
        start = asyncio.ensure_future(listener.start())
        try:
            await asyncio.shield(start)
        except asyncio.CancelledError:
            await asyncio.wait([start])
            if start.exception() is None:
                self._open.append(listener)
            raise
        self._open.append(listener)


def _check(files: TlsFiles) -> None:
    for warning in files.check():
        log.warning(warning)


def _identity(app: ASGIApp) -> ASGIApp:
    return app


def _tls_address(text: str) -> TcpAddress:
    try:
        address = parse_endpoint(text, "http.ssl.address")
    except ListenError as wrong:
        raise ListenError(
            f"http.ssl.address: unknown format, accepted format is [:<port> or <host>:<port>], provided: {text}"
        ) from wrong
    if not isinstance(address, TcpAddress):
        raise ListenError(f"http.ssl.address: TLS is served over TCP only, provided: {text}")
    return address


def _udp_socket(text: str) -> socket.socket:
    try:
        from pyroadrunner.plugins.http.protocols.http3.listener import udp_socket
    except ImportError as missing:
        raise TlsError(
            f"http.http3 needs packages that are not installed: pip install 'pyroadrunner[http3]' ({missing})"
        ) from missing
    address = parse_endpoint(text, "http.http3.address")
    if not isinstance(address, TcpAddress):
        raise ListenError(f"http.http3.address: QUIC is served over UDP only, provided: {text}")
    return udp_socket(address)


def _acme(config: AcmeConfig, plain_port: int, tls_sockets: BoundSockets) -> Acme:
    try:
        from pyroadrunner.plugins.http.tls.acme.renewal import Acme
        from pyroadrunner.plugins.http.tls.acme.select import challenge
    except ImportError as missing:
        raise TlsError(
            f"http.ssl.acme needs packages that are not installed: pip install 'pyroadrunner[acme]' ({missing})"
        ) from missing
    return Acme(config, challenge(config, plain_port, tls_sockets))
