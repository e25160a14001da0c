"""The blocking client: one connection, opened with the first call and again when the server has closed it."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from pyroadrunner.goridge.errors import RemoteFrameError
from pyroadrunner.goridge.frame import Frame
from pyroadrunner.goridge.reader import FrameReader
from pyroadrunner.goridge.rpc import Answer, read_answer
from pyroadrunner.net.address import Address, TcpAddress
from pyroadrunner.sdk.rpc import encoding
from pyroadrunner.sdk.rpc.encoding import TIMEOUT, Message, MessageType
from pyroadrunner.sdk.rpc.errors import CallFailed, Unreachable, cut, not_connected, not_rpc, too_late

M = TypeVar("M")
_CHUNK = 1 << 16


class RpcClient:
    """A connection to the server. Use it in a ``with``, from one thread.

    Args:
        address: ``tcp://host:port`` or ``unix://path``; ``None`` = that in ``RR_RPC``, else ``tcp://127.0.0.1:6001``.

    Every call raises :class:`CallFailed` if the server replies with an error, and :class:`Unreachable` if the connect
    fails, the connection is lost, or the reply does not arrive within ``timeout`` seconds (``None`` = no limit). After
    a lost connection the next call connects again. A call is never sent twice.
    """

    def __init__(self, address: Address | str | None = None) -> None:
        self.address = encoding.address_of(address)
        self._sequence = 0
        self._frames = FrameReader()
        self._read: list[Frame] = []
        self._socket: socket.socket | None = None

    def __repr__(self) -> str:
        return f"RpcClient({self.address}, calls={self._sequence})"

    def __enter__(self) -> RpcClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> None:
        """Connect now instead of with the first call. Idempotent."""
        self._ready()

    def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def call(self, method: str, argument: Any = True, timeout: float | None = TIMEOUT) -> Any:
        """Call a method; argument and result are JSON."""
        return encoding.json_result(
            self._exchange(lambda number: encoding.json_call(number, method, argument), timeout)
        )

    def call_message(self, method: str, request: Message, result: MessageType[M], timeout: float | None = TIMEOUT) -> M:
        """Call a method whose argument and result are protobuf messages."""
        answer = self._exchange(lambda number: encoding.message_call(number, method, request), timeout)
        return encoding.message_result(answer, result)

    def call_bytes(self, method: str, body: bytes = b"", timeout: float | None = TIMEOUT) -> bytes:
        """Call a method whose argument and result are bytes (raw codec)."""
        return encoding.body_of(self._exchange(lambda number: encoding.bytes_call(number, method, body), timeout))

    def each(
        self, method: str, arguments: Iterable[Any], timeout: float | None = TIMEOUT
    ) -> Iterator[tuple[Any, Any | CallFailed]]:
        """Call a method once for each argument, all concurrently, in JSON.

        Yields:
            Argument and result, or the error from the server, in the order in which the calls end.
        """
        waiting: dict[int, Any] = {}
        connection = self._ready()
        for argument in arguments:
            number = self._number()
            self._send(connection, encoding.json_call(number, method, argument))
            waiting[number] = argument
        while waiting:
            answer = self._receive(connection, timeout)
            if answer.sequence in waiting:
                argument = waiting.pop(answer.sequence)
                try:
                    yield argument, encoding.json_result(answer)
                except CallFailed as failed:
                    yield argument, failed

    # inside

    def _number(self) -> int:
        self._sequence = encoding.next_sequence(self._sequence)
        return self._sequence

    def _exchange(self, encode: Callable[[int], bytes], timeout: float | None) -> Answer:
        number = self._number()
        frame = encode(number)
        connection = self._ready()
        self._send(connection, frame)
        answer = self._receive(connection, timeout)
        while answer.sequence != number:  # the late reply of an earlier call
            answer = self._receive(connection, timeout)
        return answer

    def _ready(self) -> socket.socket:
        """The connection; a new one if the server has closed it since the last call, as no call can be lost then."""
        if self._socket is not None and _ended(self._socket):
            self.close()
        if self._socket is None:
            self._frames = FrameReader()
            self._read.clear()
            self._socket = _connect(self.address)
        return self._socket

    def _send(self, connection: socket.socket, frame: bytes) -> None:
        try:
            connection.settimeout(TIMEOUT)
            connection.sendall(frame)
        except OSError as error:
            self.close()
            raise cut(self.address, error) from error

    def _receive(self, connection: socket.socket, timeout: float | None) -> Answer:
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while not self._read:
                connection.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.001))
                data = connection.recv(_CHUNK)
                if not data:
                    raise cut(self.address)
                self._read += self._frames.feed(data)
            return read_answer(self._read.pop(0))
        except TimeoutError as error:  # the connection stays open: a late reply is ignored
            raise too_late(self.address, timeout or 0.0) from error
        except Unreachable:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise cut(self.address, error) from error
        except RemoteFrameError as error:
            self.close()
            raise not_rpc(self.address, error) from error


def _ended(connection: socket.socket) -> bool:
    """Whether the server has closed the connection. Never blocks."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if not poll.poll(0):
        return False
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def _connect(address: Address) -> socket.socket:
    if isinstance(address, TcpAddress):
        where = address.to_connect()
        try:
            connection = socket.create_connection((where.host, where.port), TIMEOUT)
        except OSError as error:
            raise not_connected(address, error, lookup=isinstance(error, socket.gaierror)) from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(TIMEOUT)
    try:
        connection.connect(address.path)
    except OSError as error:
        connection.close()
        raise not_connected(address, error) from error
    return connection
