"""Files below a root, opened in a thread and kept open for a while.

A disk can be slow (a network mount, a sleeping disk), so files are opened and read in a thread. The switch to a thread
costs more than the rest of a response, so soon after, further requests get the open file as it was when it was opened.
Deployments should replace files instead of overwriting them: then responses are consistent.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import zlib
from collections import OrderedDict

_MOST = 256  # files kept open
_SUMS = 4096  # checksums kept
_CHUNK = 1 << 20
SUFFIXES = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}  # of encoded copies beside a file

_NOT_THERE = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM),
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.EINVAL),
)

_NO_WAIT: int | None = getattr(os, "RWF_NOWAIT", None)  # Linux

Identity = tuple[int, int, int, int]


class OpenFile:
    """A regular file. It closes with the last reference, because a thread may still read from it.

    Attributes:
        path: path of the file; for a folder, of its index.
        size: bytes.
        modified: unix seconds.
        identity: device, inode, size and time of the last change; changes with the file.
        index: whether the request named a folder and this is its index.
        encoded: codings with an encoded copy beside the file that is not older (``app.css.br``).
    """

    __slots__ = ("_fd", "encoded", "identity", "index", "modified", "path", "size")

    def __init__(self, path: str, fd: int, found: os.stat_result, *, index: bool, encoded: tuple[str, ...]) -> None:
        self._fd = fd
        self.path = path
        self.size = found.st_size
        self.modified = int(found.st_mtime)
        self.identity: Identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        self.index = index
        self.encoded = encoded

    def __del__(self) -> None:
        os.close(self._fd)

    def __repr__(self) -> str:
        return f"OpenFile({self.path}, size={self.size})"

    def fileno(self) -> int:
        return self._fd

    async def read(self, offset: int, count: int) -> bytes:
        """Read ``count`` bytes; fewer only if the file became shorter."""
        return await asyncio.to_thread(self._read, offset, count)

    def read_now(self, count: int) -> bytes | None:
        """The first ``count`` bytes if they are in the page cache; otherwise ``None``."""
        if _NO_WAIT is None:
            return None
        data = bytearray(count)
        try:
            if os.preadv(self._fd, [data], 0, _NO_WAIT) != count:
                return None
        except OSError:  # not in the page cache, or not supported by the file system
            return None
        return bytes(data)

    def _read(self, offset: int, count: int) -> bytes:
        pieces = []
        while count > 0 and (piece := os.pread(self._fd, count, offset)):
            pieces.append(piece)
            offset += len(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def checksum(self) -> int:
        """CRC-32 of the file. Reads the whole file, so call it in a thread."""
        crc = offset = 0
        while piece := os.pread(self._fd, _CHUNK, offset):
            crc = zlib.crc32(piece, crc)
            offset += len(piece)
        return crc


class OpenFiles:
    """Opens files, and keeps them open.

    Args:
        keep: seconds during which a file counts as unchanged; 0 = open it again for every request.
        index: name of a folder's index file; empty = folders are not served.
        copies: whether to look for encoded copies.
    """

    def __init__(self, keep: float, *, index: str = "", copies: bool = False) -> None:
        self._keep = keep
        self._index = index
        self._copies = copies
        self._open: OrderedDict[str, tuple[float, OpenFile]] = OrderedDict()  # the oldest first
        self._sums: OrderedDict[Identity, int] = OrderedDict()
        self._sweeping: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"OpenFiles({len(self._open)} open)"

    async def open(self, path: str) -> OpenFile | None:
        """Open the file at a path; ``None`` if it is missing, not readable or not a regular file.

        Raises:
            OSError: another error of the system (too many open files, a broken disk).
        """
        now = asyncio.get_running_loop().time()
        known = self._open.get(path)
        if known is not None and known[0] > now:
            return known[1]
        file = await asyncio.to_thread(_open, path, self._index, self._copies)
        if file is None:
            self._open.pop(path, None)
        elif self._keep > 0:
            self._open[path] = (now + self._keep, file)
            self._open.move_to_end(path)
            if len(self._open) > _MOST:
                self._open.popitem(last=False)
            self._sweep_later()
        return file

    async def checksum(self, file: OpenFile) -> int:
        """CRC-32 of a file's bytes, read once for each change of it."""
        known = self._sums.get(file.identity)
        if known is None:
            known = self._sums[file.identity] = await asyncio.to_thread(file.checksum)
            if len(self._sums) > _SUMS:
                self._sums.popitem(last=False)
        return known

    def close(self) -> None:
        """Close all files that are not in use. Idempotent."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        self._open.clear()

    def _sweep_later(self) -> None:
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(self._keep, self._sweep)

    def _sweep(self) -> None:
        """Close files that were kept long enough: a deleted file occupies disk space until it is closed."""
        self._sweeping = None
        now = asyncio.get_running_loop().time()
        while self._open and next(iter(self._open.values()))[0] <= now:
            self._open.popitem(last=False)
        if self._open:
            self._sweep_later()


def below(root: str, path: str) -> str | None:
    """The file path of a URL's path below a root; ``None`` if it is invalid or would leave the root.

    Symbolic links are followed, also out of the root: a user who can write there has put them there deliberately
    (``storage`` in the public folder of Laravel).

    Args:
        path: decoded.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        return None
    return "/".join((root, *parts))


def _open(path: str, index: str, copies: bool) -> OpenFile | None:
    """Open a regular file. Never blocks on a pipe or a device: it only checks their type."""
    try:
        found = os.stat(path)
        is_folder = stat.S_ISDIR(found.st_mode)
        if is_folder and index:
            path = f"{path}/{index}"
            found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return None
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except ValueError:  # a NUL
        return None
    except OSError as wrong:
        if wrong.errno in _NOT_THERE:
            return None
        raise
    found = os.fstat(fd)  # another file may have replaced it
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        return None
    return OpenFile(path, fd, found, index=is_folder, encoded=_copies(path, found) if copies else ())


def _copies(path: str, found: os.stat_result) -> tuple[str, ...]:
    there = []
    for coding, suffix in SUFFIXES.items():
        try:
            copy = os.stat(path + suffix)
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(copy.st_mode) and copy.st_mtime_ns >= found.st_mtime_ns:
            there.append(coding)
    return tuple(there)
