"""A connection to a server that answers in the order in which it is asked: calls follow each other without waiting.

A server that does not answer in time loses its connection, and with it every call that waits on it gets an error.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from pyroadrunner.remote.errors import StoreError

_LOST = "the connection was lost"


class ConnectionLost(StoreError):
    """The connection is gone. What was asked may have been done."""


class NoAnswer(StoreError):
    """The server took too long. What was asked may be done yet, so it is not to be sent again."""


class Unreachable(StoreError):
    """There is no connection. Nothing was asked."""


class Reader(Protocol):
    """Cuts what a server sends into replies."""

    def feed(self, data: bytes) -> Sequence[Any]:
        """Take what arrived, return the replies it completes.

        Raises:
            StoreError: it is no reply.
        """


class PipelinedConnection(asyncio.Protocol):
    """A connection; of use until it is ``closed``.

    Attributes:
        on_push: gets each reply first; ``True`` = it was nobody's answer, but something the server says by itself.
    """

    def __init__(self, address: str, reader: Reader) -> None:
        self.closed = False
        self.on_push: Callable[[Any], bool] | None = None
        self._address = address
        self._reader = reader
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    async def ask(self, question: bytes, answers: int, timeout: float) -> list[Any]:
        """The answers to commands that are sent together.

        Args:
            timeout: seconds; afterwards the link is cut, and all who wait for it hear the same.

        Raises:
            ConnectionLost, NoAnswer
        """
        assert self._transport is not None
        if self.closed:
            raise ConnectionLost(f"{self._address}: {_LOST}")
        try:
            self._transport.write(question)
        except RuntimeError:  # uvloop has closed it, and says so only afterwards
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
        """Close at once; who waits gets an error of this kind. Idempotent."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(kind(f"{self._address}: {why}"))
                waiting.exception()  # a call of many answers looks at the first failure only

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
                self.abort("the server says more than it was asked")
                return
            waiting = self._waiting.popleft()
            if not waiting.done():  # who asked has gone
                waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.abort(f"{_LOST}{f': {exc}' if exc else ''}")


async def connect(
    host: str, port: int, reader: Reader, timeout: float, *, tls: Any = None, server_hostname: str | None = None
) -> PipelinedConnection:
    """A link to a server.

    Args:
        timeout: seconds to connect in.
        tls: an ``ssl.SSLContext``; ``None`` = no TLS. ``server_hostname`` is then the name its certificate is to have.

    Raises:
        Unreachable
    """
    address = f"{host}:{port}"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            _, connection = await loop.create_connection(
                lambda: PipelinedConnection(address, reader), host, port, ssl=tls, server_hostname=server_hostname
            )
            return connection
    except TimeoutError:
        raise Unreachable(f"dial tcp {address}: not connected within {timeout:g} s") from None
    except OSError as error:  # ssl.SSLError is one
        raise Unreachable(f"dial tcp {address}: {(error.strerror or str(error)).lower()}") from error
