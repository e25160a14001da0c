"""The client for asyncio: any number of concurrent calls on one connection.

Theory of operation. Every call has a future, found by its sequence number when the reply arrives. A cancelled or late
call removes its future, and its reply is ignored. When the connection closes, all waiting calls fail; the next call
connects again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar, cast

from pyroadrunner.goridge.errors import RemoteFrameError
from pyroadrunner.goridge.reader import FrameReader
from pyroadrunner.goridge.rpc import Answer, read_answer
from pyroadrunner.net.address import Address, TcpAddress
from pyroadrunner.sdk.rpc import encoding
from pyroadrunner.sdk.rpc.encoding import TIMEOUT, Message, MessageType
from pyroadrunner.sdk.rpc.errors import Unreachable, cut, not_connected, not_rpc, too_late

M = TypeVar("M")


class AsyncRpcClient:
    """A connection to the server. Use it in an ``async with``, from one event loop.

    Args:
        address: ``tcp://host:port`` or ``unix://path``; ``None`` = that in ``RR_RPC``, else ``tcp://127.0.0.1:6001``.

    Calls raise the same errors as :class:`~pyroadrunner.sdk.rpc.RpcClient`. A cancelled call may have been executed.
    """

    def __init__(self, address: Address | str | None = None) -> None:
        self.address = encoding.address_of(address)
        self._sequence = 0
        self._connecting = asyncio.Lock()
        self._answers: _Connection | None = None

    def __repr__(self) -> str:
        waiting = len(self._answers.waiting) if self._answers is not None else 0
        return f"AsyncRpcClient({self.address}, calls={self._sequence}, waiting={waiting})"

    async def __aenter__(self) -> AsyncRpcClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; waiting calls raise :class:`Unreachable`. Idempotent; a later call connects again."""
        if self._answers is not None:
            answers, self._answers = self._answers, None
            answers.hang_up()
            await answers.closed

    async def call(self, method: str, argument: Any = True, timeout: float | None = TIMEOUT) -> Any:
        """Call a method; argument and result are JSON."""
        return encoding.json_result(
            await self._exchange(lambda number: encoding.json_call(number, method, argument), timeout)
        )

    async def call_message(
        self, method: str, request: Message, result: MessageType[M], timeout: float | None = TIMEOUT
    ) -> M:
        """Call a method whose argument and result are protobuf messages."""
        answer = await self._exchange(lambda number: encoding.message_call(number, method, request), timeout)
        return encoding.message_result(answer, result)

    async def call_bytes(self, method: str, body: bytes = b"", timeout: float | None = TIMEOUT) -> bytes:
        """Call a method whose argument and result are bytes (raw codec)."""
        return encoding.body_of(await self._exchange(lambda number: encoding.bytes_call(number, method, body), timeout))

    async def _exchange(self, encode: Callable[[int], bytes], timeout: float | None) -> Answer:
        self._sequence = number = encoding.next_sequence(self._sequence)
        frame = encode(number)
        answers = await self._ready()
        future = answers.ask(number, frame)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError as error:
            raise too_late(self.address, timeout or 0.0) from error
        finally:
            answers.waiting.pop(number, None)

    async def _ready(self) -> _Connection:
        async with self._connecting:
            if self._answers is None or self._answers.closed.done():
                self._answers = await _connect(self.address)
            return self._answers


class _Connection(asyncio.Protocol):
    """One connection.

    Attributes:
        waiting: futures of calls by sequence number.
        closed: done when the connection has ended.
    """

    def __init__(self, address: Address) -> None:
        self.waiting: dict[int, asyncio.Future[Answer]] = {}
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._address = address
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._fault: Unreachable | None = None

    def ask(self, number: int, frame: bytes) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = self._loop.create_future()
        if self._transport is None:
            future.set_exception(cut(self._address))
        else:
            self.waiting[number] = future
            self._transport.write(frame)
        return future

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                answer = read_answer(frame)
                future = self.waiting.pop(answer.sequence, None)
                if future is not None and not future.done():
                    future.set_result(answer)
        except RemoteFrameError as error:
            self._fault = not_rpc(self._address, error)
            self.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(self._fault or cut(self._address, exc))
        self.waiting.clear()
        if not self.closed.done():
            self.closed.set_result(None)


async def _connect(address: Address) -> _Connection:
    loop = asyncio.get_running_loop()

    def make() -> _Connection:
        return _Connection(address)

    try:
        async with asyncio.timeout(TIMEOUT):
            if isinstance(address, TcpAddress):
                where = address.to_connect()
                _, answers = await loop.create_connection(make, where.host, where.port)
            else:
                _, answers = await loop.create_unix_connection(make, address.path)
    except OSError as error:
        raise not_connected(address, error, lookup=isinstance(error, socket.gaierror)) from error
    return answers
