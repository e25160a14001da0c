"""One connection to a server of NATS. It never reconnects: its end is reported once.

The client library keeps one value of each header; RoadRunner sends and reads several. So this reads the raw headers
(``_Client``), and publishes lines instead of a mapping (``_Lines``). The library says that a connection was lost only
after it has closed it, which may take long (no packets, TLS), so this also looks at the errors themselves.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, PushRefused
from pyroadrunner.plugins.jobs.drivers.nats.config import NatsSection
from pyroadrunner.plugins.jobs.drivers.nats.message import read_lines

_DIAL_TIMEOUT = 5  # seconds for a connection, per server
_PING = 10  # seconds between two; the connection is lost when the second one has no reply
_FLUSH_TIMEOUT = 2  # a server that does not reply must not hold up a stop
_CLOSE_TIMEOUT = 1.0

log = Log("jobs")


class _Headers(dict[str, str]):
    """The headers of a message as the library reads them, and all lines of them."""

    def __init__(self, found: dict[str, str], raw: bytes) -> None:
        super().__init__(found)
        self.lines = read_lines(raw)


class _Client(Client):
    """Keeps all values of a header, and says at once when the connection is lost. Only these two methods of the library
    are extended; tests with a real server check them."""

    def __init__(self, on_lost: Callable[[Exception], None]) -> None:
        super().__init__()
        self._on_lost = on_lost

    async def _process_op_err(self, e: Exception) -> None:
        self._on_lost(e)
        await super()._process_op_err(e)

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        found = await super()._process_headers(headers)
        return _Headers(found or {}, bytes(headers)) if headers else found


class _Lines:
    """Headers to publish: for the library it is enough that they have ``items()``."""

    def __init__(self, lines: Sequence[tuple[str, str]]) -> None:
        self._lines = lines

    def items(self) -> Sequence[tuple[str, str]]:
        return self._lines


def lines_of(message: Msg) -> Sequence[tuple[str, str]]:
    """All headers of a received message."""
    headers = message.headers
    return headers.lines if isinstance(headers, _Headers) else ()


class Connection:
    """An open connection.

    Attributes:
        lost: whether it has ended, other than by :meth:`close`.
    """

    def __init__(self, section: NatsSection, name: str, on_lost: Callable[[str], None]) -> None:
        self.lost = False
        self._section = section
        self._name = name
        self._on_lost = on_lost
        self._client: Client = _Client(self._ended)
        self._closing = False
        self._opened = False
        self._last_error: Exception | None = None
        self._end_of_it: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Connect.

        Raises:
            BrokerError, BrokerRefused
        """
        options: dict[str, Any] = {} if self._section.tls is None else {"tls": self._tls()}
        try:
            await self._client.connect(
                self._section.servers,
                name=self._name,
                allow_reconnect=False,
                max_reconnect_attempts=1,  # of the list of servers; 0 is "for ever"
                reconnect_time_wait=0,
                connect_timeout=_DIAL_TIMEOUT,
                ping_interval=_PING,
                no_echo=True,
                error_cb=self._failed,
                closed_cb=self._closed,
                **options,
            )
        except (errors.Error, OSError, TimeoutError) as error:
            cause = self._last_error if isinstance(error, errors.NoServersError) and self._last_error else error
            text = str(cause) or type(cause).__name__
            refused = "authorization violation" in text.lower() or isinstance(cause, ssl.SSLError)
            raise (BrokerRefused if refused else BrokerError)(f"{self._where()}: {text}") from error
        self._opened = True

    async def close(self) -> None:
        """Send what is still to be sent, and close. Idempotent; never raises."""
        self._closing = True
        try:
            if self._client.is_connected and not self.lost:
                await self._client.flush(_FLUSH_TIMEOUT)
        except (errors.Error, OSError, TimeoutError) as error:
            log.debug("connection could not be flushed", error=repr(error))
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):  # the library waits for a socket whose TLS has failed, for ever
                await self._client.close()
        except (errors.Error, OSError, TimeoutError) as error:
            log.debug("connection could not be closed", error=repr(error))

    @property
    def largest(self) -> int:
        """Bytes of the largest message."""
        return self._client.max_payload

    def inbox(self) -> str:
        """A subject that no other client knows."""
        return self._client.new_inbox()

    async def publish(
        self, subject: str, data: bytes, reply: str = "", lines: Sequence[tuple[str, str]] | None = None
    ) -> None:
        """Send a message. It is confirmed by nothing.

        Raises:
            BrokerError: the connection is lost.
            PushRefused: the message can't be sent.
        """
        headers = cast("dict[str, str]", _Lines(lines)) if lines else None
        try:
            await self._client.publish(subject, data, reply, headers)
        except errors.MaxPayloadError:
            raise PushRefused(f"nats: maximum payload exceeded: {len(data)} bytes of {self.largest}") from None
        except errors.BadHeaderError as error:
            raise PushRefused(f"the header {error} can't be sent: its name has other characters than HTTP's") from None
        except errors.Error as error:
            raise self.broken(error) from error

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes:
        """The reply to a message.

        Raises:
            BrokerError: nothing serves the subject, no reply in time, or the connection is lost.
        """
        request = asyncio.ensure_future(self._client.request(subject, data, timeout=timeout))
        try:
            # The library would wait for the whole time if the connection is lost meanwhile.
            ends: list[asyncio.Future[Any]] = [request, self._end_of_it]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not request.done() or request.cancelled():
                raise errors.ConnectionClosedError
            return request.result().data
        except errors.NoRespondersError:
            raise BrokerError(f"{self._where()}: nothing serves {subject}; is JetStream enabled?") from None
        except errors.TimeoutError as error:
            why = f": {self._last_error}" if self._last_error is not None else ""
            raise BrokerError(f"{self._where()}: no reply to {subject} within {timeout:g} s{why}") from error
        except errors.Error as error:
            raise self.broken(error) from error
        finally:
            request.cancel()

    async def subscribe(self, subject: str, handle: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Receive the messages of a subject, one after the other.

        Raises:
            BrokerError
        """
        try:
            return await self._client.subscribe(subject, cb=handle)
        except errors.Error as error:
            raise self.broken(error) from error

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Receive no more; what has arrived by then is handled before the return.

        Raises:
            BrokerError
        """
        try:
            await subscription.drain()  # type: ignore[no-untyped-call]  # the library does not annotate it
        except errors.Error as error:
            raise self.broken(error) from error

    def broken(self, error: BaseException) -> BrokerError:
        """The error for a connection that does not work; it is reported as lost."""
        why = f"{self._where()}: {str(error) or type(error).__name__}"
        self._end(why)
        return BrokerError(why)

    # inside

    def _end(self, why: str) -> None:
        if not self._closing and not self.lost:
            self.lost = True
            if not self._end_of_it.done():
                self._end_of_it.set_result(None)
            self._on_lost(why)

    def _ended(self, error: Exception | None) -> None:
        if self._opened:
            self._end(f"{self._where()}: {str(error or '') or 'the server closed the connection'}")

    async def _closed(self) -> None:
        self._ended(self._client.last_error or self._last_error)

    async def _failed(self, error: Exception) -> None:
        self._last_error = error
        if self._opened and not self._closing and not self._client.is_closed:
            log.warning("NATS reports an error", pipeline=self._name, error=str(error) or repr(error))

    def _where(self) -> str:
        url = self._client.connected_url
        if url is not None:
            return f"{url.hostname}:{url.port}"
        return ", ".join(server.rpartition("@")[2].rpartition("/")[2] for server in self._section.servers)

    def _tls(self) -> ssl.SSLContext:
        tls = self._section.tls
        assert tls is not None
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            if tls.root_ca:
                context.load_verify_locations(cafile=tls.root_ca)
            if tls.cert:
                context.load_cert_chain(tls.cert, tls.key, password=_refuse_password)
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            fatal = [problem.message for problem in tls.problems() if problem.fatal]
            raise BrokerRefused(f"tls: {'; '.join(fatal) or error}") from error
        return context


def _refuse_password() -> str:
    raise ValueError("the key is encrypted")  # otherwise OpenSSL asks for a password on the terminal
