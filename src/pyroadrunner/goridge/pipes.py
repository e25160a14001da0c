"""Relay over a child's stdin and stdout."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import os
import termios

from pyroadrunner.goridge.relay import Relay

_PIPE_BYTES = 1 << 18  # wanted capacity: a 100 KB answer in one go; Linux only, refused silently past the user's quota


class PipeRelay(Relay):
    """Frames over two pipes. The parent keeps the child's reading end of stdin as well: the kernel then still knows,
    after the child is gone, how much of a request it never read."""

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
        """Let go of the child's stdin. Idempotent."""
        if self._child_stdin >= 0:
            os.close(self._child_stdin)
            self._child_stdin = -1

    def close(self) -> None:
        super().close()
        self.release()


class PipePair:
    """The four ends of a child's stdin and stdout before it is started."""

    def __init__(self) -> None:
        self.child_stdin, self.stdin = os.pipe()
        self.stdout, self.child_stdout = os.pipe()
        for end in (self.stdin, self.stdout):
            _widen(end)

    async def connect(self, max_payload: int) -> PipeRelay:
        """Put our ends on the event loop; the child's stdout end is closed here, it belongs to the child now."""
        loop = asyncio.get_running_loop()
        os.close(self.child_stdout)
        relay = PipeRelay(max_payload, self.child_stdin)
        sink, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(self.stdin, "wb", 0))
        relay.attach_sink(sink)
        await loop.connect_read_pipe(lambda: relay, os.fdopen(self.stdout, "rb", 0))
        return relay

    def close(self) -> None:
        """Close all four ends: the child was not started."""
        for end in (self.child_stdin, self.stdin, self.stdout, self.child_stdout):
            os.close(end)


def _widen(pipe: int) -> None:
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
