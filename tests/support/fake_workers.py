"""Workers without processes: the real ``Worker`` and ``Relay`` over a fake child that the test controls."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pyroadrunner.goridge.frame import Flag, Frame, Stream, encode, encode_payload
from pyroadrunner.goridge.reader import FrameReader
from pyroadrunner.goridge.relay import Relay
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.child_process import Child
from pyroadrunner.workers.errors import WorkerStartError
from pyroadrunner.workers.output import OutputReader
from pyroadrunner.workers.pool import Pool
from pyroadrunner.workers.spawn import Spawner
from pyroadrunner.workers.worker import Worker
from support.pools import pool_config
from support.virtual_time import turns

_FIRST_PID = 4_200_000  # above the kernel's largest pid: no real process is read or signalled


class FakeChild(Child):
    """A child without a process: the test or a signal ends it.

    Attributes:
        signals: the signals it got, in order.
        deaf: whether it ignores SIGTERM.
    """

    def __init__(self, pid: int) -> None:  # not Child's: it has no process to watch
        self.pid = pid
        self.exited = asyncio.get_running_loop().create_future()
        self.signals: list[signal.Signals] = []
        self.deaf = False
        self.on_exit: Callable[[], None] = lambda: None

    def signal(self, number: signal.Signals) -> None:
        if self.exited.done():
            return
        self.signals.append(number)
        if number is signal.SIGKILL or (number is signal.SIGTERM and not self.deaf):
            self.end(-number)

    def end(self, status: int) -> None:
        if not self.exited.done():
            self.exited.set_result(status)
            self.on_exit()


class _Sink(asyncio.WriteTransport):
    """Gets what the server writes."""

    def __init__(self, process: FakeProcess) -> None:
        super().__init__()
        self._process = process

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._process.receive(bytes(data))

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        pass


class _Source(asyncio.ReadTransport):
    """The transport that the server reads.

    Attributes:
        paused: whether the server has paused it; data is kept meanwhile.
    """

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay
        self._kept = b""
        self._closing = False
        self.paused = False

    def feed(self, data: bytes) -> None:
        if self.paused:
            self._kept += data
        elif not self._closing:
            self._relay.data_received(data)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        kept, self._kept = self._kept, b""
        if kept:
            asyncio.get_running_loop().call_soon(self.feed, kept)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True


class FakeRelay(Relay):
    """A relay to a fake process.

    Attributes:
        never_read: bytes of the server that the process has not read, as pipes report them.
    """

    def __init__(self) -> None:
        super().__init__(1 << 30)
        self.never_read = 0

    def unread(self) -> int:
        return self.never_read


class FakeProcess:
    """The process behind one worker, controlled by the test.

    Attributes:
        worker: the real ``Worker``.
        requests: frames that it got and has not answered, without stop frames.
        stops_on_order: whether it exits at the stop frame.
        streaming: set by the test: whether a streamed reply has begun and not ended.
        pid_requests: how often it was asked for its pid and has not answered.
    """

    def __init__(self, pid: int) -> None:
        self.child = FakeChild(pid)
        self.relay = FakeRelay()
        self.stderr = OutputReader(lambda _line: None)
        self._source = _Source(self.relay)
        self.relay.connection_made(self._source)
        self.relay.attach_sink(_Sink(self))
        self.child.on_exit = self._exited
        self.requests: list[Frame] = []
        self.stream_orders: list[int] = []
        self.stops_on_order = True
        self.streaming = False
        self.pid_requests = 0
        self._reader = FrameReader(1 << 30)
        self.worker = Worker(self.child, self.relay, self.stderr, started=asyncio.get_running_loop().time())

    def __repr__(self) -> str:
        return f"FakeProcess({self.worker!r}, {len(self.requests)} requests)"

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def blocked(self) -> bool:
        """Whether the server has stopped reading."""
        return self._source.paused

    def receive(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            if frame.stream:
                self.stream_orders.append(frame.stream)
            elif frame.flags & Flag.CONTROL and b"pid" in frame.payload:
                self.pid_requests += 1
            elif frame.flags & Flag.CONTROL:
                if self.stops_on_order:
                    asyncio.get_running_loop().call_soon(self.child.end, 0)
            else:
                self.requests.append(frame)

    # -- actions of a worker -------------------------------------------------------------------------------------------

    def answer(self, body: bytes = b"", context: bytes = b"head") -> None:
        """Answer the oldest request; without ``body``, with the request's own."""
        request = self.requests.pop(0)
        self.write(encode_payload(context, body or request.payload[request.options[0] :], Flag.RAW))

    def wait(self) -> None:
        """Wait for the next request: it answers the oldest request for its pid first."""
        self.pid_requests -= 1
        self.write(encode(Flag.CONTROL, b'{"pid":%d}' % self.pid))

    def answer_error(self, text: str) -> None:
        self.requests.pop(0)
        self.write(encode(Flag.ERROR | Flag.RAW, text.encode()))

    def hand_back(self) -> None:
        self.requests.pop(0)
        order = b'{"stop":true}'
        self.write(encode_payload(order, b"", Flag.CONTROL | Flag.JSON))

    def stream(self, body: bytes, *, last: bool = False) -> None:
        """Send one frame of a streamed reply."""
        if self.requests:
            self.requests.pop(0)
        self.write(encode_payload(b"", body, Flag.RAW, 0 if last else Stream.STREAM))

    def write(self, data: bytes) -> None:
        """Send any bytes in place of a frame."""
        self._source.feed(data)

    def close_relay(self) -> None:
        """Close its side of the relay; the process keeps running."""
        self.relay.connection_lost(None)

    def exit(self, status: int = 0) -> None:
        """Exit without an order."""
        self.child.end(status)

    def _exited(self) -> None:
        self.stderr.connection_lost(None)
        asyncio.get_running_loop().call_soon(self.relay.connection_lost, None)


class FakeSpawner(Spawner):
    """Starts fake processes.

    Attributes:
        processes: all that it has started, oldest first.
        boot: seconds a start takes.
        failing: how many of the next starts fail; -1 = all.
        attempts: starts so far, including failed ones.
    """

    def __init__(self, *, boot: float = 0.0) -> None:
        super().__init__(["fake"], {}, pool="test", timeout=10.0)
        self.processes: list[FakeProcess] = []
        self.boot = boot
        self.failing = 0
        self.attempts = 0
        self.on_spawn: Callable[[FakeProcess], None] = lambda _process: None

    async def spawn(self) -> Worker:
        self.attempts += 1
        if self.boot:
            await asyncio.sleep(self.boot)
        if self.failing:
            self.failing -= 1
            raise WorkerStartError(self.command, "it fails to start")
        process = FakeProcess(_FIRST_PID + len(self.processes))
        self.processes.append(process)
        self.on_spawn(process)
        return process.worker

    def running(self) -> list[FakeProcess]:
        """The processes that have not exited."""
        return [process for process in self.processes if not process.child.exited.done()]


@asynccontextmanager
async def fake_pool(
    spawner: FakeSpawner | None = None, *, queue: QueuePolicy = QueuePolicy.FIFO, **keys: Any
) -> AsyncIterator[tuple[Pool, FakeSpawner]]:
    """A started pool of fake workers (one by default); destroyed at the end."""
    spawner = spawner or FakeSpawner()
    pool = Pool("test", pool_config(**{"num_workers": 1, **keys}), spawner, queue)
    await pool.start()
    try:
        yield pool, spawner
    finally:
        await pool.destroy(0.0)
        await turns()
