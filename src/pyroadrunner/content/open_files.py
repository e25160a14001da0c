"""Files below a root, opened off the loop and kept open for a while.

A disk can be slow (a network mount, a sleeping one), so files are opened and read in a thread. Going there costs more
than all the rest of an answer, so who wants the same file soon again gets the one that is open already, as it was when
it was opened. Those who deploy well replace files instead of overwriting them: then what is sent is whole.
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
    """A regular file. It is closed when nobody has it any more: nobody else can know whether a thread still reads.

    Attributes:
        path: where it was found; of a folder that of its index.
        size: bytes.
        modified: unix seconds.
        identity: device, inode, size and time of the last change: the same as long as it is the same file.
        index: whether it is the index of the folder that was asked for.
        encoded: codings of which a copy lies beside it that is not older (``app.css.br``).
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
        """Up to so many bytes; fewer only where it has become shorter."""
        return await asyncio.to_thread(self._read, offset, count)

    def read_now(self, count: int) -> bytes | None:
        """The first ``count`` bytes, if that needs no disk; else ``None``."""
        if _NO_WAIT is None:
            return None
        data = bytearray(count)
        try:
            if os.preadv(self._fd, [data], 0, _NO_WAIT) != count:
                return None
        except OSError:  # not in memory, or a file system that can't tell
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
        """CRC-32 of all of it. Reads it: not on the loop."""
        crc = offset = 0
        while piece := os.pread(self._fd, _CHUNK, offset):
            crc = zlib.crc32(piece, crc)
            offset += len(piece)
        return crc


class OpenFiles:
    """Opens files, and keeps them open.

    Args:
        keep: seconds in which a file is taken for unchanged; 0 = every time it is opened anew.
        index: name of the file that stands for its folder; empty = folders are no files.
        copies: whether encoded copies are looked for.
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
        """The file at a path; ``None`` when there is none that can be read, or something else.

        Raises:
            OSError: the machine can't (too many open files, a broken disk).
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
        """Let go of all files. Idempotent."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        self._open.clear()

    def _sweep_later(self) -> None:
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(self._keep, self._sweep)

    def _sweep(self) -> None:
        """Let go of what is too old: a file that was deleted takes its place on the disk until it is closed."""
        self._sweeping = None
        now = asyncio.get_running_loop().time()
        while self._open and next(iter(self._open.values()))[0] <= now:
            self._open.popitem(last=False)
        if self._open:
            self._sweep_later()


def below(root: str, path: str) -> str | None:
    """Where a URL's path leads below a root; ``None`` when it would leave it, or is none.

    Symbolic links are followed, also out of the root: whoever can make one there has put it there (``storage`` in the
    public folder of Laravel).

    Args:
        path: decoded.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        return None
    return "/".join((root, *parts))


def _open(path: str, index: str, copies: bool) -> OpenFile | None:
    """Without waiting for anybody: a pipe or a device is looked at and left alone."""
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
    found = os.fstat(fd)  # another file may have come to this name
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
