"""ETags of files."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import cache

from pyroadrunner.content.open_files import Identity, OpenFile, OpenFiles

_KEPT = 4096  # maximum number of remembered checksums
_POLYNOMIAL = 0x48D90782  # RoadRunner's choice (static plugin, etag); no library uses it
_SLOW = 64 * 1024  # bytes: a few milliseconds in Python


class Etags:
    """Makes ETags.

    Args:
        weak: from size and time, instead of a checksum of the content, which is read once after each change.
    """

    def __init__(self, *, weak: bool) -> None:
        self._weak = weak
        self._files = OpenFiles(0)  # caches the checksums of large files
        self._known: OrderedDict[Identity, bytes] = OrderedDict()

    async def of(self, file: OpenFile) -> bytes:
        """The ETag of a file; empty for an empty file. Small files get the same ETag as in RoadRunner, so that browser
        caches stay valid when a site migrates.

        Raises:
            OSError: the file can't be read.
        """
        if self._weak:
            return b'W/"%x-%x"' % (file.size, file.identity[-1])
        if not file.size:
            return b""
        known = self._known.get(file.identity)
        if known is None:
            if file.size <= _SLOW:
                checksum = await asyncio.to_thread(_checksum, await file.read(0, file.size))
            else:
                checksum = await self._files.checksum(file)
            known = self._known[file.identity] = b'"%d-%d"' % (file.size, checksum)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return known


def _checksum(data: bytes) -> int:
    """CRC-32 with RoadRunner's polynomial."""
    table = _table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> list[int]:
    table = list(range(256))
    for _ in range(8):
        table = [(value >> 1) ^ _POLYNOMIAL if value & 1 else value >> 1 for value in table]
    return table
