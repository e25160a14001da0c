"""An HTTP server for an endpoint with its own address."""

from __future__ import annotations

from pyroadrunner.admin.app import AdminApp, Handler
from pyroadrunner.asgi import ASGIApp
from pyroadrunner.httpd.http1.listener import Http1Listener
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.httpd.tls_listener import TlsListener
from pyroadrunner.log import Log
from pyroadrunner.net import takeover
from pyroadrunner.net.address import Address
from pyroadrunner.net.bound_sockets import BoundSockets, listen

LIMITS = Limits(
    head_timeout=60.0,
    idle_timeout=60.0,
    write_timeout=60.0,
    max_head=16 << 10,
    max_buffer=64 << 10,
    max_connections=256,
)

_STREAMS = 100  # of one HTTP/2 connection


class WebServer:
    """An HTTP server for one ASGI application of the server's operators.

    Args:
        address: the address to listen on.
        key: config key of the address, for error messages.
        app: the application.
        log: the owner's channel.
        files: certificate for HTTPS; ``None`` = HTTP.
    """

    def __init__(
        self,
        address: Address,
        key: str,
        app: ASGIApp,
        log: Log,
        limits: Limits = LIMITS,
        files: TlsFiles | None = None,
    ) -> None:
        self._address = address
        self._key = key
        self._app = app
        self._log = log
        self._limits = limits
        self._files = files
        self._bound: BoundSockets | None = None
        self._listener: Http1Listener | TlsListener | None = None
        self._stopped = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address}, {self._listener!r})"

    @property
    def address(self) -> Address:
        """The address it listens on; port 0 is replaced by the port in use."""
        return self._bound.address if self._bound is not None else self._address

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: it can't listen on the address.
            TlsError: the certificate can't be used.
        """
        if self._files is not None:
            for warning in self._files.check():
                self._log.warning(warning)
        self._bound = listen(self._address, self._key, late=True)
        if takeover.taking_over():
            # Opened now, it would report "not ready" to probes while the old server still serves.
            takeover.on_ready(self._open)
        else:
            await self._open()

    async def _open(self) -> None:
        if self._bound is None or self._stopped:
            return
        if self._files is not None:
            self._listener = TlsListener(
                self._app, self._bound, self._files, streams=_STREAMS, limits=self._limits, channel=self._log.name
            )
        else:
            self._listener = Http1Listener(self._app, self._bound, self._limits, log=self._log)
        await self._listener.start()

    async def reload_certificates(self) -> None:
        """Check the certificate files now; without this call they are checked every second."""
        if isinstance(self._listener, TlsListener):
            await self._listener.reload()

    async def stop(self, grace: float) -> None:
        """Refuse new connections, let running requests end within ``grace`` seconds, close. Idempotent."""
        self._stopped = True
        if self._listener is not None:
            self._listener.refuse()
            await self._listener.finish(grace)
        elif self._bound is not None:
            self._bound.close()


class AdminServer(WebServer):
    """An HTTP server for monitoring.

    Args:
        answer: turns a request into its response; an exception is logged and becomes a 500.
    """

    def __init__(self, address: Address, key: str, answer: Handler, log: Log, limits: Limits = LIMITS) -> None:
        super().__init__(address, key, AdminApp(answer, log), log, limits)
