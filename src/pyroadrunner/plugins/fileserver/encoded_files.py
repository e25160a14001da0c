"""A cache of files compressed on the fly, in memory. Nothing is written to the served folder."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from pyroadrunner.content.codings import Coding
from pyroadrunner.content.open_files import Identity, OpenFile

LARGEST = 4 << 20  # bytes; larger files are not compressed
_MOST = 32 << 20  # bytes of compressed files in the cache

_Key = tuple[Identity, str]


class EncodedFile:
    """The bytes of a file in a coding; a ``content.file_answer.Content``."""

    __slots__ = ("_data", "modified")

    def __init__(self, data: bytes, modified: int) -> None:
        self._data = data
        self.modified = modified

    @property
    def size(self) -> int:
        return len(self._data)

    async def read(self, offset: int, count: int) -> bytes:
        return self._data[offset : offset + count]


class EncodedFiles:
    """Compresses each version of a file once, in a thread; evicts the least recently used."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, EncodedFile] = OrderedDict()
        self._bytes = 0
        self._making: dict[_Key, asyncio.Task[EncodedFile]] = {}

    def __repr__(self) -> str:
        return f"EncodedFiles({len(self._kept)} of {self._bytes} bytes, making={len(self._making)})"

    async def get(self, file: OpenFile, coding: Coding) -> EncodedFile:
        """Return a file in a coding. Concurrent calls for the same file wait for the same task.

        Raises:
            OSError: the file can't be read.
        """
        key = (file.identity, coding.name)
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            return known
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(key, file, coding), name=f"encode {file.path}")
            making.add_done_callback(lambda task: self._made(key, task))
        return await asyncio.shield(making)

    def _made(self, key: _Key, task: asyncio.Task[EncodedFile]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # the waiting calls raise it; mark it as retrieved in case all were cancelled

    async def _make(self, key: _Key, file: OpenFile, coding: Coding) -> EncodedFile:
        data = await file.read(0, file.size)
        if len(data) < file.size:
            raise OSError(f"{file.path} was truncated while it was read")
        made = EncodedFile(await asyncio.to_thread(coding.whole, data), file.modified)
        self._kept[key] = made
        self._bytes += made.size
        while self._bytes > _MOST:
            _, forgotten = self._kept.popitem(last=False)
            self._bytes -= forgotten.size
        return made
