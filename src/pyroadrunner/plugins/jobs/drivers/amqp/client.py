"""pika behind awaitable calls. No other module imports it.

pika reports everything with callbacks; its own log is switched off, since each error arrives in the server's log once,
through the pipeline. It does not reconnect by itself.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import struct
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pika  # type: ignore[import-untyped]
from pika import exceptions, frame, spec
from pika.adapters.asyncio_connection import AsyncioConnection  # type: ignore[import-untyped]
from pika.compat import long as Int64  # type: ignore[import-untyped]  # noqa: N812 - what it is on the wire

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.amqp.config import AmqpSection
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused

HEARTBEAT = 10  # seconds; RoadRunner's client has it, too
CLOSE_TIMEOUT = 2.0  # seconds for a close that the broker has to confirm
# AMQP 0-9-1, constants: replies after which the same settings fail again.
_REFUSED = {402, 403, 406, 530}
_NO_CONNECTION = "there is no connection"

Properties = spec.BasicProperties
OnMessage = Callable[[Any, Any, Any, bytes], None]  # channel, method, properties, body

_FRAME = struct.Struct(">BHI")  # type, channel, bytes of the content; an end byte follows the content

log = Log("jobs")
logging.getLogger("pika").setLevel(logging.CRITICAL + 1)

__all__ = ["Channel", "ChannelClosed", "Connection", "Int64", "Properties", "encoded_size", "parameters_of"]


class ChannelClosed(BrokerError):
    """The broker closed the channel; the connection is there.

    Attributes:
        code: AMQP's reply code.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    def as_refusal(self) -> BrokerError:
        """The same, as an error of the settings if it is one."""
        return BrokerRefused(str(self)) if self.code in _REFUSED else self


def parameters_of(section: AmqpSection, name: str) -> Any:
    """The parameters of a connection, with the TLS files as they are now.

    Args:
        name: of the connection, for the broker's management pages.

    Raises:
        BrokerRefused: they can't be used.
    """
    try:
        made = pika.URLParameters(section.addr)
    except (ValueError, TypeError) as wrong:
        raise BrokerRefused(f"addr can't be used: {wrong}") from wrong
    if "heartbeat" not in parse_qs(urlsplit(section.addr).query):
        made.heartbeat = HEARTBEAT
    made.client_properties = {"connection_name": name}
    if section.tls is not None or made.ssl_options is not None:
        made.ssl_options = pika.SSLOptions(_tls_context(section), made.host)
        if urlsplit(section.addr).port is None:
            made.port = pika.connection.Parameters.DEFAULT_SSL_PORT
    return made


def _tls_context(section: AmqpSection) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    tls = section.tls
    if tls is None:
        return context
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


class _Connection(AsyncioConnection):  # type: ignore[misc]  # pika has no types
    """A connection that survives headers which pika can't decode, such as a time after the year 9999 (milliseconds
    instead of seconds). Otherwise such a message would end every connection that receives it."""

    def _read_frame(self) -> tuple[int, Any]:
        try:
            read: tuple[int, Any] = super()._read_frame()
            return read
        except (ValueError, OverflowError, OSError, exceptions.InvalidFieldTypeException) as error:
            kind, channel, size = _FRAME.unpack_from(self._frame_buffer)
            if kind != spec.FRAME_HEADER:
                raise
            log.warning("message has headers that can't be decoded; they are left out", error=str(error))
            body_size = int.from_bytes(self._frame_buffer[11:19], "big")
            return _FRAME.size + size + 1, frame.Header(channel, body_size, Properties())


class Connection:
    """An open connection.

    Args:
        on_lost: called with the reason if it ends other than by :meth:`close`.
    """

    def __init__(self, raw: Any, on_lost: Callable[[str], None]) -> None:
        self._raw = raw
        self._on_lost = on_lost
        self._closing = False
        self._ended = asyncio.Event()
        raw.add_on_close_callback(self._on_close)

    @classmethod
    async def open(cls, parameters: Any, on_lost: Callable[[str], None]) -> Connection:
        """Connect once.

        Raises:
            BrokerError, BrokerRefused
        """
        opened: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

        def done(error: BaseException | None = None) -> None:
            if not opened.done():
                opened.set_result(error)

        raw = _Connection(
            parameters,
            on_open_callback=lambda _raw: done(),
            on_open_error_callback=lambda _raw, error: done(error),
            custom_ioloop=asyncio.get_running_loop(),
        )
        try:
            error = await opened
        except asyncio.CancelledError:
            _abort(raw)
            raise
        if error is not None:
            raise _connect_error(error)
        return cls(raw, on_lost)

    @property
    def largest_frame(self) -> int:
        """Bytes, as agreed with the broker; 0 = no limit."""
        return int(self._raw.params.frame_max or 0)

    async def channel(self, on_closed: Callable[[BrokerError], None] | None = None) -> Channel:
        """Open a channel.

        Args:
            on_closed: called when it ends other than by the end of the connection.

        Raises:
            BrokerError
        """
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            raw = self._raw.channel(on_open_callback=lambda _raw: _set(opened, None))
        except exceptions.AMQPError as error:
            raise BrokerError(_NO_CONNECTION) from error
        made = Channel(raw, on_closed)
        await made.answer(opened)
        return made

    async def close(self) -> None:
        """Close it, and abort it if the broker does not answer. Idempotent; never raises."""
        self._closing = True
        if not (self._raw.is_closed or self._raw.is_closing):
            self._raw.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._ended.wait()
        except TimeoutError:
            _abort(self._raw)

    def _on_close(self, _raw: Any, error: BaseException) -> None:
        self._ended.set()
        if not self._closing:
            self._on_lost(_text(error))


class Channel:
    """A channel; usable until it is ``closed``.

    Attributes:
        closed: why it has ended.
        raw: pika's.
    """

    def __init__(self, raw: Any, on_closed: Callable[[BrokerError], None] | None) -> None:
        self.closed: BrokerError | None = None
        self.raw = raw
        self._on_closed = on_closed
        self._waiting: set[asyncio.Future[Any]] = set()
        self._getting: asyncio.Future[Any] | None = None
        self._declares = False
        raw.add_on_close_callback(self._on_close)

    async def call(self, method: str, /, **arguments: Any) -> Any:
        """Call a method that the broker answers; return the answer.

        Raises:
            ChannelClosed: the broker refused.
            BrokerError: the connection is lost.
        """
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.send(method, **arguments, callback=lambda answer: _set(answered, answer.method))
        return await self.answer(answered)

    def send(self, method: str, /, **arguments: Any) -> None:
        """Call a method without waiting for an answer.

        Raises:
            BrokerError: the channel is closed.
        """
        if self.closed is not None:
            raise self.closed
        try:
            getattr(self.raw, method)(**arguments)
        except exceptions.AMQPError as error:
            raise BrokerError(_text(error)) from error

    def declare_in_line(self, queue: str, arguments: Mapping[str, Any]) -> None:
        """Declare a durable queue before what is sent next. If the broker refuses, it closes the channel.

        With an answer, which is then ignored: RabbitMQ (3.10, ``rabbit_channel:maybe_stat``) prolongs the life of an
        expiring queue only then. pika's own method would wait for the answer of the previous call, but messages do not
        wait.

        Raises:
            BrokerError: the channel is closed.
        """
        if not self._declares:
            self._declares = True
            self.raw.add_callback(lambda _frame: None, [spec.Queue.DeclareOk], one_shot=False)
        self.send("_send_method", method=spec.Queue.Declare(queue=queue, durable=True, arguments=dict(arguments)))

    async def get(self, queue: str) -> tuple[Any, Any, bytes] | None:
        """One message of a queue (method, properties, body); ``None`` if it is empty. One call at a time.

        Raises:
            ChannelClosed, BrokerError
        """
        if self._getting is None:
            self.raw.add_callback(lambda _frame: self._got(None), [spec.Basic.GetEmpty], one_shot=False)
        self._getting = asyncio.get_running_loop().create_future()
        self.send("basic_get", queue=queue, callback=lambda _raw, *message: self._got(message))
        found: tuple[Any, Any, bytes] | None = await self.answer(self._getting)
        return found

    async def answer(self, future: asyncio.Future[Any]) -> Any:
        """Wait for a future that the end of the channel must end."""
        if self.closed is not None:
            raise self.closed
        self._waiting.add(future)
        try:
            return await future
        finally:
            self._waiting.discard(future)

    def _got(self, message: Any) -> None:
        if self._getting is not None:
            _set(self._getting, message)

    def _on_close(self, _raw: Any, reason: Exception) -> None:
        if isinstance(reason, exceptions.ChannelClosedByBroker):
            self.closed = ChannelClosed(reason.reply_code, reason.reply_text)
        else:
            self.closed = BrokerError(_text(reason))
        for future in self._waiting:
            if not future.done():
                future.set_exception(self.closed)
        if self._on_closed is not None:
            self._on_closed(self.closed)


def _set(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():  # otherwise the caller was cancelled
        future.set_result(result)


def encoded_size(properties: Any) -> int:
    """Bytes of the properties of a message on the wire.

    Raises:
        ValueError: they can't be sent.
    """
    try:
        return sum(len(piece) for piece in properties.encode())
    except (exceptions.AMQPError, ValueError, OverflowError) as error:
        raise ValueError(str(error)) from error


def _abort(raw: Any) -> None:
    """End a connection without the broker. pika has no public way: ``close()`` waits for the broker, and in the middle
    of a handshake it fails (1.4.4)."""
    if not raw.is_closed:
        raw._terminate_stream(exceptions.StreamLostError("the connection was aborted"))


def _connect_error(error: BaseException) -> BrokerError:
    """The error of a connect: pika wraps the one that matters several times."""
    seen = error
    while True:
        inner = getattr(seen, "exceptions", None) or getattr(seen, "exception", None)
        if isinstance(inner, list | tuple):
            inner = inner[-1] if inner else None
        if inner is None and isinstance(seen, exceptions.AMQPConnectionError) and seen.args:
            inner = seen.args[0] if isinstance(seen.args[0], BaseException) else None
        if not isinstance(inner, BaseException):
            break
        seen = inner
    refused = isinstance(seen, exceptions.ProbableAuthenticationError | exceptions.ProbableAccessDeniedError) or (
        isinstance(seen, exceptions.ConnectionClosedByBroker) and seen.reply_code in _REFUSED
    )
    return (
        BrokerRefused(_text(seen))
        if refused or isinstance(seen, ssl.SSLCertVerificationError)
        else BrokerError(_text(seen))
    )


def _text(error: BaseException) -> str:
    """An error for operators."""
    if isinstance(error, exceptions.ConnectionClosedByBroker | exceptions.ChannelClosedByBroker):
        return str(error.reply_text)
    if isinstance(error, exceptions.IncompatibleProtocolError):
        return "the server ended the handshake; is it a broker of AMQP 0-9-1?"
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    # "ConnectionClosedByBroker: (403) 'ACCESS_REFUSED - ...'"
    quoted = re.search(r"""\(\d+\) (['"])(.*)\1""", str(error))
    return quoted[2] if quoted else str(error) or type(error).__name__
