"""Bytes of a file, sent with sendfile(2): from the page cache to the socket, without a copy here.

The loop has no such operation (uvloop does not implement ``loop.sendfile``), and it does not watch the descriptor of a
transport for a second owner. So this works on copies of the descriptors.
"""

from __future__ import annotations

import asyncio
import os

AVAILABLE = hasattr(os, "sendfile")
_BLOCK = 256 * 1024  # bytes of one call; the loop serves others after each
_NO_WAIT: int | None = getattr(os, "RWF_NOWAIT", None)  # Linux


class FileSender:
    """Sends parts of one file on one socket.

    Args:
        sock: descriptor of a non-blocking socket. No data of its transport may wait.
        file: descriptor of the file.
    """

    def __init__(self, sock: int, file: int) -> None:
        # Copies, since a thread may still use them when their owners have closed the originals.
        self._sock = os.dup(sock)
        try:
            self._file = os.dup(file)
        except OSError:
            os.close(self._sock)
            raise
        self._running: asyncio.Future[int] | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._aborted = False

    def __repr__(self) -> str:
        return f"FileSender(socket={self._sock}, file={self._file})"

    async def send(self, offset: int, count: int) -> int:
        """Send at most ``count`` bytes; wait until the socket takes some.

        Returns:
            The number of bytes; 0 = the file ends at ``offset``.

        Raises:
            OSError: the connection is closed, or the file can't be read.
        """
        count = min(count, _BLOCK)
        while not self._aborted:
            try:
                if self._in_page_cache(offset, count):
                    sent = os.sendfile(self._sock, self._file, offset, count)
                    await asyncio.sleep(0)
                    return sent
                loop = asyncio.get_running_loop()
                self._running = loop.run_in_executor(None, os.sendfile, self._sock, self._file, offset, count)
                return await asyncio.shield(self._running)
            except BlockingIOError:
                await self._writable()
        raise ConnectionResetError("the connection is closed")

    def abort(self) -> None:
        """The connection is closed: wait no longer. (The copy of the socket does not tell.)"""
        self._aborted = True
        if self._waiting is not None:
            _set(self._waiting)

    def close(self) -> None:
        """Close the copies, once no thread uses them."""
        if self._running is None or self._running.done():
            self._close()
        else:
            self._running.add_done_callback(lambda _: self._close())

    def _close(self) -> None:
        os.close(self._sock)
        os.close(self._file)

    def _in_page_cache(self, offset: int, count: int) -> bool:
        """Whether both ends of a block are in the page cache, and thus most likely all of it: then no disk is read on
        the loop."""
        if _NO_WAIT is None:
            return False
        try:
            for at in (offset, offset + count - 1):
                os.preadv(self._file, [bytearray(1)], at, _NO_WAIT)
        except OSError:  # not in the page cache, or not supported by the file system
            return False
        return True

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        loop.add_writer(self._sock, _set, self._waiting)
        try:
            await self._waiting
        finally:
            self._waiting = None
            loop.remove_writer(self._sock)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
