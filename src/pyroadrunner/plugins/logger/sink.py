"""Batches the lines for one output: one write per loop iteration, in order, only whole lines.

Theory of operation. ``put`` queues a line and schedules one ``flush`` per loop iteration; a flush writes the whole
queue. If a pipe is full, the rest stays queued, beginning with the rest of a half-written line, until the pipe is
writable again. Beyond ``_MOST`` bytes, new lines are counted and dropped. If an output can't be written (closed pipe,
full disk), lines are lost too, and the next ones try again. ``complain`` reports losses: once when they begin, and with
their number when they end. Without a loop (before the start, after the end) each line is written immediately.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from pyroadrunner.plugins.logger.outputs import Output, wait_writable

_MOST = 16 * 1024 * 1024  # bytes queued for a slow reader
_CHUNK = 128 * 1024  # bytes per write: more than a pipe holds
_LAST_SECONDS = 1.0  # how long closing waits for a slow reader


class Scheduler(Protocol):
    """The functions of the event loop that a sink needs."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call once in the next loop iteration. May be called from any thread."""

    def when_writable(self, fd: int, call: Callable[[], None] | None) -> None:
        """Call whenever ``fd`` is writable; ``None`` = stop. Call only on the loop's thread."""


class Sink:
    """Writes the lines of all channels to one output.

    Args:
        output: the output; closed by :meth:`close`.
        complain: called with a message when lines are lost.
    """

    def __init__(self, output: Output, complain: Callable[[str], None]) -> None:
        self.output = output
        self._complain = complain
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._mend = b""  # the ending for a line of which only the beginning was written
        self._asked = False  # a flush is scheduled
        self._waiting = False  # for the output to become writable
        self._scheduler: Scheduler | None = None
        self._lock = threading.RLock()  # re-entrant: a finalizer may log while the lock is held

    def __repr__(self) -> str:
        return f"Sink({self.output.name!r}, lines={len(self._queue)}, bytes={self._size}, lost={self._lost})"

    def attach(self, scheduler: Scheduler | None) -> None:
        """Write on a loop; ``None`` = write each line immediately. Call only on the loop's thread."""
        with self._lock:
            self._wait(False)
            self._asked = False
            self._scheduler = scheduler
            self._write()

    def put(self, line: bytes, *, at_once: bool = False) -> None:
        """Queue one line with its ending. Never raises.

        Args:
            at_once: write immediately as far as possible: this line may be the last one.
        """
        with self._lock:
            if self._size > _MOST:
                self._lose(1, f"{self.output.name} is not being read; log lines are lost until it is")
                return
            self._queue.append(line)
            self._size += len(line)
            if at_once or self._scheduler is None:
                self._write()
            elif not self._asked and not self._waiting:
                self._asked = True
                self._scheduler.soon(self.flush)

    def flush(self) -> None:
        """Write as much as possible without blocking."""
        with self._lock:
            self._asked = False
            self._write()

    def drain(self) -> None:
        """Write everything, waiting up to a second for a slow reader."""
        deadline = time.monotonic() + _LAST_SECONDS
        with self._lock:
            self._write()
            while self._queue and wait_writable(self.output, deadline):
                self._write()

    def close(self) -> None:
        """Drain, then close the output. Idempotent."""
        with self._lock:
            self.attach(None)
            self.drain()
            self.output.close()

    def _write(self) -> None:
        while self._queue:
            mend, data = self._mend, self._mend + self._take_chunk()
            taken = 0
            try:
                taken = self.output.write(data)
                if 0 < taken < len(data):  # once more: a full pipe accepts nothing, a full disk raises
                    taken += self.output.write(data[taken:])
            except OSError as wrong:
                lines = data.count(b"\n", max(taken, len(mend))) or 1
                if taken:
                    self._mend = b"" if data[taken - 1] == ord("\n") else b"\n"
                self._lose(lines, f"can't write the log to {self.output.name}: {wrong}; lines are lost until it works")
                continue
            self._mend = b""
            if taken < len(data):
                self._queue.appendleft(data[taken:])
                self._size += len(data) - taken
                self._wait(True)
                return
            if self._lost:
                lost, self._lost = self._lost, 0
                self._complain(f"{lost} log lines to {self.output.name} were lost")
        self._wait(False)

    def _take_chunk(self) -> bytes:
        """The next lines, joined; a long line is returned alone."""
        queue = self._queue
        if self._size <= _CHUNK:
            data = queue[0] if len(queue) == 1 else b"".join(queue)
            queue.clear()
        else:
            lines = [queue.popleft()]
            length = len(lines[0])
            while queue and length + len(queue[0]) <= _CHUNK:
                length += len(queue[0])
                lines.append(queue.popleft())
            data = b"".join(lines)
        self._size -= len(data)
        return data

    def _lose(self, lines: int, why: str) -> None:
        first = not self._lost
        self._lost += lines
        if first:
            self._complain(why)

    def _wait(self, wanted: bool) -> None:
        if wanted != self._waiting and self._scheduler is not None:
            self._waiting = wanted
            self._scheduler.when_writable(self.output.fileno(), self.flush if wanted else None)
