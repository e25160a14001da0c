"""One memcached server: one connection, on which calls follow each other without waiting for answers.

Answers come in the order of the questions. A server that does not answer in time loses its connection, and with it
every call that waits on it gets an error; the next call connects anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import cast

from pyroadrunner.plugins.kv.drivers.memcached_text import NoMemcached, Reply, ReplyReader
from pyroadrunner.plugins.kv.store import StoreError


class Link(asyncio.Protocol):
    """A connection; of use until it is ``closed``."""

    def __init__(self, address: str) -> None:
        self.closed = False
        self._address = address
        self._reader = ReplyReader()
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    def ask(self, question: bytes, answers: int) -> list[asyncio.Future[Reply]]:
        """Send commands; one future for each answer."""
        assert self._transport is not None
        futures: list[asyncio.Future[Reply]] = [self._loop.create_future() for _ in range(answers)]
        self._waiting.extend(futures)
        self._transport.write(question)
        return futures

    def cut(self, why: str) -> None:
        """Close at once; who waits gets an error. Idempotent."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(StoreError(f"{self._address}: {why}"))
                waiting.exception()  # a call of many answers looks at the first failure only

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except NoMemcached as error:
            self.cut(str(error))
            return
        for reply in replies:
            if not self._waiting:
                self.cut("the server says more than it was asked")
                return
            waiting = self._waiting.popleft()
            if not waiting.done():  # who asked has gone
                waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.cut(f"the connection was lost{f': {exc}' if exc else ''}")


class MemcachedServer:
    """A server that is connected to when it is asked first.

    Args:
        timeout: seconds for an answer, and for connecting.
    """

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self.address = f"{host}:{port}"
        self._host = host
        self._port = port
        self._timeout = timeout
        self._link: Link | None = None
        self._connecting = asyncio.Lock()

    def __repr__(self) -> str:
        return f"MemcachedServer({self.address})"

    async def ask(self, question: bytes, answers: int = 1) -> Sequence[Reply]:
        """The answers to commands that are sent together.

        Raises:
            StoreError: it can't be reached, or does not answer.
        """
        if not answers:
            return []
        link = self._link
        if link is None or link.closed:
            link = await self._connect()
        futures = link.ask(question, answers)
        try:
            async with asyncio.timeout(self._timeout):
                return [await future for future in futures]
        except TimeoutError:
            why = f"no answer within {self._timeout:g} s"
            link.cut(why)
            raise StoreError(f"{self.address}: {why}") from None

    def close(self) -> None:
        if self._link is not None:
            self._link.cut("the storage is closed")

    async def _connect(self) -> Link:
        async with self._connecting:
            if self._link is not None and not self._link.closed:  # while this call waited
                return self._link
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(self._timeout):
                    _, self._link = await loop.create_connection(lambda: Link(self.address), self._host, self._port)
            except TimeoutError:
                raise StoreError(f"{self.address}: not connected within {self._timeout:g} s") from None
            except OSError as error:
                raise StoreError(f"dial tcp {self.address}: {(error.strerror or str(error)).lower()}") from error
            return self._link
