"""Relay over a child's stdin and stdout."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import os
import termios
from collections.abc import Callable, Coroutine
from typing import IO, Any, TypeVar

import uvloop

from pyroadrunner.goridge.relay import Relay

_PIPE_BYTES = 1 << 18  # wanted capacity, fits a 100 KB reply; Linux only, silently refused beyond the user's quota

T = TypeVar("T")


class PipeRelay(Relay):
    """Frames over two pipes. The parent also keeps the child's reading end of stdin: then the kernel still reports,
    after the child has exited, how much of a request it did not read."""

    def __init__(self, max_payload: int, child_stdin: int) -> None:
        super().__init__(max_payload)
        self._child_stdin = child_stdin

    def unread(self) -> int:
        if self._child_stdin < 0:
            return 0
        count = array.array("i", [0])
        fcntl.ioctl(self._child_stdin, termios.FIONREAD, count)
        return count[0]

    def release(self) -> None:
        """Close the child's end of stdin. Idempotent."""
        if self._child_stdin >= 0:
            os.close(self._child_stdin)
            self._child_stdin = -1

    def close(self) -> None:
        super().close()
        self.release()


class _SinkProtocol(asyncio.BaseProtocol):
    """Notifies a relay when the pipe that it writes to is full."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def pause_writing(self) -> None:
        self._relay.pause_writing()

    def resume_writing(self) -> None:
        self._relay.resume_writing()


class PipePair:
    """The four ends of a child's stdin and stdout before the child is started.

    Attributes:
        child_stdin, child_stdout: descriptors for the child; the others stay in this process.
    """

    def __init__(self) -> None:
        self.child_stdin, self._stdin = os.pipe()
        try:
            self._stdout, self.child_stdout = os.pipe()
        except OSError:  # out of descriptors
            os.close(self.child_stdin)
            os.close(self._stdin)
            raise
        for end in (self._stdin, self._stdout):
            _widen(end)

    async def connect(self, max_payload: int) -> PipeRelay:
        """Connect the parent's ends to the event loop; the relay closes them from then on. Closes the child's end of
        stdout, which now belongs to the child. Safe to cancel."""
        os.close(self.child_stdout)
        relay = PipeRelay(max_payload, self.child_stdin)
        await uncancelled(self._join(relay), relay.close)
        return relay

    async def _join(self, relay: PipeRelay) -> None:
        loop = asyncio.get_running_loop()
        stdin, stdout = pipe_file(self._stdin, "wb"), pipe_file(self._stdout, "rb")
        sink, _ = await loop.connect_write_pipe(lambda: _SinkProtocol(relay), stdin)
        relay.attach_sink(sink)
        await loop.connect_read_pipe(lambda: relay, stdout)

    def close(self) -> None:
        """Close all four ends: the child was not started."""
        for end in (self.child_stdin, self._stdin, self._stdout, self.child_stdout):
            os.close(end)


def pipe_file(descriptor: int, mode: str) -> IO[bytes]:
    """A file object for ``connect_read_pipe`` or ``connect_write_pipe``; their transport closes it.

    uvloop (seen with 0.23) closes the descriptor and then the file object, which closes the same number again. In
    between another thread may have reused it. So with uvloop the file does not own its descriptor.
    """
    owns = not isinstance(asyncio.get_running_loop(), uvloop.Loop)
    return open(descriptor, mode, buffering=0, closefd=owns)


async def uncancelled(connecting: Coroutine[Any, Any, T], close: Callable[[], None]) -> T:
    """Await ``connect_read_pipe`` or ``connect_write_pipe`` and let them always complete.

    If they are cancelled halfway, it is undefined which descriptors the loop has closed and which stay open (uvloop
    closes the same one twice). So a cancelled caller returns immediately, and the connection is closed when it
    completes.

    Args:
        close: called after a cancelled or failed connect.
    """
    task = asyncio.ensure_future(connecting)
    try:
        return await asyncio.shield(task)
    except BaseException:
        task.add_done_callback(lambda _: close())
        raise


def _widen(pipe: int) -> None:
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
