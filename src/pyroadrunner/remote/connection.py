"""A connection to a server that replies in order: commands are pipelined.

If the server does not reply in time, the connection is closed, and every call that waits on it fails.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, cast

from pyroadrunner.remote.errors import StoreError

_LOST = "the connection was lost"


class ConnectionLost(StoreError):
    """The connection was lost. The commands may have been executed."""


class NoAnswer(StoreError):
    """The server took too long. It may still execute the commands, so they must not be sent again."""


class Unreachable(StoreError):
    """The connect failed. No command was sent."""


class Reader(Protocol):
    """Splits a server's byte stream into replies."""

    def feed(self, data: bytes) -> Sequence[Any]:
        """Decode a chunk and return the replies that it completes.

        Raises:
            StoreError: the data is not a reply.
        """


class PipelinedConnection(asyncio.Protocol):
    """A connection; usable until it is ``closed``.

    Attributes:
        on_push: receives each reply first; returns ``True`` for a message that the server pushes, which answers no
            command.
        on_close: called once with the reason when the connection closes, on either side.
    """

    def __init__(self, address: str, reader: Reader) -> None:
        self.closed = False
        self.on_push: Callable[[Any], bool] | None = None
        self.on_close: Callable[[str], None] | None = None
        self._address = address
        self._reader = reader
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    async def ask(self, question: bytes, answers: int, timeout: float) -> list[Any]:
        """Send commands together and return their replies.

        Args:
            timeout: seconds; afterwards the connection is closed, and all waiting calls fail with the same error.

        Raises:
            ConnectionLost, NoAnswer
        """
        assert self._transport is not None
        if self.closed:
            raise ConnectionLost(f"{self._address}: {_LOST}")
        try:
            self._transport.write(question)
        except RuntimeError:  # uvloop has closed it and calls connection_lost only afterwards
            self.abort(_LOST)
            raise ConnectionLost(f"{self._address}: {_LOST}") from None
        futures = [self._loop.create_future() for _ in range(answers)]
        self._waiting.extend(futures)
        try:
            async with asyncio.timeout(timeout):
                return [await future for future in futures]
        except TimeoutError:
            why = f"no answer within {timeout:g} s"
            self.abort(why, NoAnswer)
            raise NoAnswer(f"{self._address}: {why}") from None

    def abort(self, why: str, kind: type[StoreError] = ConnectionLost) -> None:
        """Close immediately; waiting calls fail with an error of this kind. Idempotent."""
        on_close, self.on_close = self.on_close, None
        self.closed = True
        if on_close is not None:
            on_close(why)
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(kind(f"{self._address}: {why}"))
                waiting.exception()  # a call with several replies retrieves only the first failure

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except StoreError as error:
            self.abort(str(error))
            return
        for reply in replies:
            if self.on_push is not None and self.on_push(reply):
                continue
            if not self._waiting:
                self.abort("the server sent a reply without a command")
                return
            waiting = self._waiting.popleft()
            if not waiting.done():  # otherwise the caller was cancelled
                waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.abort(f"{_LOST}{f': {exc}' if exc else ''}")


async def connect(
    host: str, port: int, reader: Reader, timeout: float, *, tls: Any = None, server_hostname: str | None = None
) -> PipelinedConnection:
    """Connect to a server.

    Args:
        timeout: seconds for the connect.
        tls: an ``ssl.SSLContext``; ``None`` = no TLS. With TLS, ``server_hostname`` is the required certificate name.

    Raises:
        Unreachable
    """
    address = f"{host}:{port}"
    loop = asyncio.get_running_loop()

    def made() -> PipelinedConnection:
        return PipelinedConnection(address, reader)

    return await _connected(
        f"tcp {address}",
        timeout,
        loop.create_connection(made, host, port, ssl=tls, server_hostname=server_hostname),
    )


async def connect_unix(path: str, reader: Reader, timeout: float) -> PipelinedConnection:
    """Connect to a server on a unix socket; see :func:`connect`.

    Raises:
        Unreachable
    """
    loop = asyncio.get_running_loop()
    dialled = loop.create_unix_connection(lambda: PipelinedConnection(path, reader), path)
    return await _connected(f"unix {path}", timeout, dialled)


async def _connected(
    what: str, timeout: float, dialled: Awaitable[tuple[asyncio.BaseTransport, PipelinedConnection]]
) -> PipelinedConnection:
    try:
        async with asyncio.timeout(timeout):
            _, connection = await dialled
            return connection
    except TimeoutError:
        raise Unreachable(f"dial {what}: not connected within {timeout:g} s") from None
    except OSError as error:  # includes ssl.SSLError
        raise Unreachable(f"dial {what}: {(error.strerror or str(error)).lower()}") from error
