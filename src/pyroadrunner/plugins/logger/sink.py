"""Lines on their way to one output: those of one loop iteration in one write, in order, each whole.

Theory of operation. ``put`` queues a line and asks for one ``flush`` per loop iteration; a flush writes all there is.
What a full pipe does not take stays queued, the rest of a half-written line first, and goes on when it is writable
again; beyond ``_MOST`` bytes new lines are counted and dropped. An output that can't be written at all (reader gone,
disk full) loses lines, too, and is tried again with the next ones. Lost lines are said to ``complain``: once when it
begins, and with their number when it is over. Without a loop (before the start, after the end) every line is written at
once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from pyroadrunner.plugins.logger.outputs import Output, wait_writable

_MOST = 16 * 1024 * 1024  # bytes kept for a reader that does not read
_CHUNK = 128 * 1024  # bytes given to one write: more than a pipe holds
_LAST_SECONDS = 1.0  # how long the end waits for such a reader


class Scheduler(Protocol):
    """The loop, as far as a sink needs it."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call once, in the next iteration of the loop; from any thread."""

    def when_writable(self, fd: int, call: Callable[[], None] | None) -> None:
        """Call whenever ``fd`` takes bytes; ``None`` = no longer. On the loop's own thread."""


class Sink:
    """The lines of all channels that write to one output.

    Args:
        output: where they go; closed by :meth:`close`.
        complain: told in words that lines are lost.
    """

    def __init__(self, output: Output, complain: Callable[[str], None]) -> None:
        self.output = output
        self._complain = complain
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._mend = b""  # what ends a line of which only the beginning was written
        self._asked = False  # a flush is on its way
        self._waiting = False  # for the output to take bytes again
        self._scheduler: Scheduler | None = None
        self._lock = threading.RLock()  # re-entrant: a finalizer may log while we hold it

    def __repr__(self) -> str:
        return f"Sink({self.output.name!r}, lines={len(self._queue)}, bytes={self._size}, lost={self._lost})"

    def attach(self, scheduler: Scheduler | None) -> None:
        """Let a loop do the writing; ``None`` = write every line at once. On the loop's own thread."""
        with self._lock:
            self._wait(False)
            self._asked = False
            self._scheduler = scheduler
            self._write()

    def put(self, line: bytes, *, at_once: bool = False) -> None:
        """Take one line with its ending. Never raises.

        Args:
            at_once: write now what can be written now: this line may be the last one.
        """
        with self._lock:
            if self._size > _MOST:
                self._lose(1, f"{self.output.name} is not read; log lines are lost until it is")
                return
            self._queue.append(line)
            self._size += len(line)
            if at_once or self._scheduler is None:
                self._write()
            elif not self._asked and not self._waiting:
                self._asked = True
                self._scheduler.soon(self.flush)

    def flush(self) -> None:
        """Write what the output takes without blocking."""
        with self._lock:
            self._asked = False
            self._write()

    def drain(self) -> None:
        """Write everything, waiting up to a second for a reader that is behind."""
        deadline = time.monotonic() + _LAST_SECONDS
        with self._lock:
            self._write()
            while self._queue and wait_writable(self.output, deadline):
                self._write()

    def close(self) -> None:
        """Drain, then close the output. May be called again."""
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
                if 0 < taken < len(data):  # once more: a full pipe takes nothing, a full disk says so
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
        """The next lines, in one piece; a long line alone is a piece of its own."""
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
