"""An HTTP server for an endpoint with its own address."""

from __future__ import annotations

from pyroadrunner.admin.app import AdminApp, Handler
from pyroadrunner.httpd.http1.listener import Http1Listener
from pyroadrunner.httpd.limits import Limits
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


class AdminServer:
    """An HTTP server for monitoring.

    Args:
        address: the address to listen on.
        key: config key of the address, for error messages.
        answer: turns a request into its response; an exception is logged and becomes a 500.
        log: the owner's channel.
    """

    def __init__(self, address: Address, key: str, answer: Handler, log: Log, limits: Limits = LIMITS) -> None:
        self._address = address
        self._key = key
        self._app = AdminApp(answer, log)
        self._log = log
        self._limits = limits
        self._bound: BoundSockets | None = None
        self._listener: Http1Listener | None = None
        self._stopped = False

    def __repr__(self) -> str:
        return f"AdminServer({self.address}, {self._listener!r})"

    @property
    def address(self) -> Address:
        """The address it listens on; port 0 is replaced by the port in use."""
        return self._bound.address if self._bound is not None else self._address

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: it can't listen on the address.
        """
        self._bound = listen(self._address, self._key, late=True)
        if takeover.taking_over():
            # Opened now, it would report "not ready" to probes while the old server still serves.
            takeover.on_ready(self._open)
        else:
            await self._open()

    async def _open(self) -> None:
        if self._bound is None or self._stopped:
            return
        self._listener = Http1Listener(self._app, self._bound, self._limits, log=self._log)
        await self._listener.start()

    async def stop(self, grace: float) -> None:
        """Refuse new connections, let running requests end within ``grace`` seconds, close. Idempotent."""
        self._stopped = True
        if self._listener is not None:
            self._listener.refuse()
            await self._listener.finish(grace)
        elif self._bound is not None:
            self._bound.close()
