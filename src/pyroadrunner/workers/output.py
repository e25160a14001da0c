"""Reads the stderr of a child: each line goes to the log, the last ones are kept for error messages."""

from __future__ import annotations

import asyncio
import os
import re
from array import array
from collections import deque
from collections.abc import Callable
from fcntl import ioctl
from termios import FIONREAD
from typing import cast

import msgspec

from pyroadrunner.goridge.pipes import pipe_file, uncancelled

MAX_LINE = 64 * 1024  # bytes; a longer line is cut into several
_KEPT_LINES = 200
_TAIL_LINES = 10  # of them in an error message, and in a log line
_TAIL_LINE = 500  # characters of a line in an error message
_PARTIAL_AFTER = 0.1  # seconds to wait for the end of a line: a prompt, a progress bar
_FLOOD = 64 * 1024  # bytes in one read, or ...
_FLOOD_LINES = 512  # ... lines in one turn: a child that writes that much is slowed down ...
_FLOOD_PAUSE = 0.01  # ... to one turn per this many seconds, so that its lines do not delay requests

# How a message of Laravel Octane's worker to its command begins (laravel/octane, src/Stream.php).
_OCTANE = re.compile(rb'\{"type":"(?:raw|request|shutdown|throwable)"')
_OCTANE_TYPE = b'{"type":"'


class OutputReader(asyncio.Protocol):
    """Reads the output of one child until every process that holds the pipe has closed it.

    A position is a number of bytes since the start. Each kept line has the position of its end, so the cost of
    :meth:`mark` does not depend on the amount of output, and lines that arrive later are on the right side of the mark.

    Attributes:
        quiet: whether a new mark would change nothing: no output during calls so far, and none since the last mark.
        closed: done at the end of the output.

    Args:
        on_line: called with each line, without its line break; invalid UTF-8 is replaced.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_line = on_line
        self._rest = b""
        self._received = 0  # position of the last byte that was read, ...
        self._emitted = 0  # ... that became part of a line, ...
        self._marked = 0  # ... and that was there at the mark
        self._begun = False  # whether a mark was set
        self.quiet = False
        self._noisy = False  # whether output came after a mark
        self._fd = -1
        self._count = array("i", [0])
        self._tail: deque[tuple[int, str]] = deque(maxlen=_KEPT_LINES)
        self._transport: asyncio.ReadTransport | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> int:
        """Create the pipe and read it. Returns the end for the child: close it once the child has started."""
        ours, childs = os.pipe()
        connecting = asyncio.get_running_loop().connect_read_pipe(lambda: self, pipe_file(ours, "rb"))
        try:
            await uncancelled(connecting, self.close)
        except BaseException:
            os.close(childs)
            raise
        return childs

    def mark(self) -> None:
        """A call begins: :meth:`tail` shows only output from here on. Called for each call.

        A reply may be read before the stderr output that the worker wrote ahead of it: epoll returns descriptors in no
        fixed order. So the bytes in the pipe count as earlier output, too. That takes a system call, made only for
        workers that write to stderr during calls.
        """
        self._begun = True
        self.quiet = not self._noisy
        self._marked = self._received + self._unread() if self._noisy else self._received

    def _unread(self) -> int:
        """Bytes in the pipe."""
        if self._transport is None or self._transport.is_closing():
            return 0
        ioctl(self._fd, FIONREAD, self._count)
        return self._count[0]

    def tail(self, most: int = _TAIL_LINES) -> str:
        """The last ``most`` lines since the mark, for an error message."""
        lines = [line for end, line in self._tail if end > self._marked]
        if self._rest and self._received > self._marked:
            lines.append(self._rest.decode(errors="replace"))
        return "\n".join(line[:_TAIL_LINE] for line in lines[-most:])

    def close(self) -> None:
        """Stop reading. Idempotent."""
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.ReadTransport", transport)
        self._fd = transport.get_extra_info("pipe").fileno()

    def data_received(self, data: bytes) -> None:
        self._rest += data
        self._received += len(data)
        self._noisy = self._begun
        self.quiet = False
        if (self._emit_batch() or len(data) >= _FLOOD) and self._transport is not None:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(_FLOOD_PAUSE, self._emit_more)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for line in self._rest.removesuffix(b"\n").split(b"\n") if self._rest else ():
            self._emit(line, ended=True)
        self._rest = b""
        if not self.closed.done():
            self.closed.set_result(None)

    def _emit_batch(self) -> bool:
        """Emit whole lines, at most ``_FLOOD_LINES``. Returns whether more are left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        *lines, self._rest = self._rest.split(b"\n", _FLOOD_LINES)
        for line in lines:
            self._emit(line, ended=True)
        if b"\n" in self._rest:
            return True
        while len(self._rest) > MAX_LINE:
            self._emit(self._rest[:MAX_LINE])
            self._rest = self._rest[MAX_LINE:]
        if self._rest:
            self._timer = asyncio.get_running_loop().call_later(_PARTIAL_AFTER, self._flush)
        return False

    def _emit_more(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._emit_batch():
            asyncio.get_running_loop().call_later(_FLOOD_PAUSE, self._emit_more)
        else:
            self._transport.resume_reading()

    def _flush(self) -> None:
        self._timer = None
        if self._rest:
            rest, self._rest = self._rest, b""
            self._emit(rest)

    def _emit(self, line: bytes, *, ended: bool = False) -> None:
        if line.find(_OCTANE_TYPE, 1) > 0:
            text, line = _split_message(line)
            if text:
                self._emit(text)
        while len(line) > MAX_LINE:
            self._log(line[:MAX_LINE])
            line = line[MAX_LINE:]
        self._log(line)
        self._emitted += ended  # its line break

    def _log(self, line: bytes) -> None:
        self._emitted += len(line)
        text = line.removesuffix(b"\r").decode(errors="replace")
        if text:
            self._tail.append((self._emitted, text))
        self._on_line(text)


def _split_message(line: bytes) -> tuple[bytes, bytes]:
    """Split a line into text and the message of Octane's worker that follows it; no text if there is no such message.

    An application may write text without a line break just before the message. Octane decodes a whole record;
    RoadRunner logs each write as one record."""
    for found in _OCTANE.finditer(line, 1):
        try:
            msgspec.json.decode(line[found.start() :])
        except (msgspec.DecodeError, RecursionError):
            continue
        return line[: found.start()], line[found.start() :]
    return b"", line
