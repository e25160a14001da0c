"""A prefix and its folder: find the file of a path, and the form in which it is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from pyroadrunner.content.codings import Coding
from pyroadrunner.content.compressible import Rules
from pyroadrunner.content.file_answer import Content
from pyroadrunner.content.negotiation import choose
from pyroadrunner.content.open_files import SUFFIXES, OpenFile, OpenFiles, below
from pyroadrunner.content.types import content_type
from pyroadrunner.plugins.fileserver.config import CACHE_DURATION, ServeConfig
from pyroadrunner.plugins.fileserver.encoded_files import LARGEST, EncodedFiles

_MIN_LENGTH = 1024  # bytes; compressing shorter files saves little
_RULES = Rules(_MIN_LENGTH)


class Found(NamedTuple):
    """A file to send.

    Attributes:
        file: the file on disk.
        content: the bytes to send: those of ``file``, of its compressed copy, or encoded ones.
        content_type: type of the decoded content.
        coding: coding of ``content``; empty = identity.
        varies: whether other clients may get another coding.
    """

    file: OpenFile
    content: Content
    content_type: bytes
    coding: str
    varies: bool


class Mount:
    """One entry of ``fileserver.serve``.

    Attributes:
        config: the entry.
        root: absolute path of its folder.
    """

    def __init__(self, config: ServeConfig, codings: Mapping[str, Coding]) -> None:
        self.config = config
        self.root = os.path.abspath(config.root)
        self.headers = [(b"cache-control", b"public, max-age=%d" % config.max_age)] if config.max_age else []
        self._prefix = f"/{config.prefix.strip('/')}".rstrip("/").lower()
        self._codings = codings if config.compress else {}
        self._encoded = EncodedFiles()
        keep = max(config.cache_duration or CACHE_DURATION, 0)
        self._files = OpenFiles(keep, index="index.html", copies=config.compress)
        self._copies = OpenFiles(keep)

    def __repr__(self) -> str:
        return f"Mount({self._prefix or '/'} -> {self.root})"

    async def find(self, path: str, accepted: bytes) -> Found | None:
        """Find the file of a path; ``None`` if it does not exist under this prefix.

        Args:
            path: decoded path of the request.
            accepted: the ``Accept-Encoding`` header.

        Raises:
            OSError: the file can't be read.
        """
        rest = self._rest(path)
        where = below(self.root, rest) if rest is not None else None
        file = await self._files.open(where) if where is not None else None
        if file is None or (path.endswith("/") and not file.index):
            return None
        kind = content_type(file.path)
        if not self._codings or file.size < _MIN_LENGTH or _RULES.packed(kind):
            return Found(file, file, kind, "", False)
        content, coding = await self._in_a_coding(file, accepted)
        return Found(file, content, kind, coding, True)

    async def checksum(self, file: OpenFile) -> int:
        """CRC-32 of a file's bytes."""
        return await self._files.checksum(file)

    def has_folder(self) -> bool:
        """Whether the folder exists now."""
        return os.path.isdir(self.root)

    def close(self) -> None:
        """Close all files."""
        self._files.close()
        self._copies.close()

    def _rest(self, path: str) -> str | None:
        """The path without the prefix; ``None`` if it does not begin with the prefix."""
        size = len(self._prefix)
        if path[:size].lower() != self._prefix or path[size : size + 1] not in ("", "/"):
            return None
        return path[size:]

    async def _in_a_coding(self, file: OpenFile, accepted: bytes) -> tuple[Content, str]:
        offered = tuple(self._codings) if file.size <= LARGEST else file.encoded
        coding = choose(accepted, offered)
        if coding is None:
            return file, ""
        if coding in file.encoded:
            copy = await self._copies.open(file.path + SUFFIXES[coding])
            if copy is not None:
                return copy, coding
        if file.size > LARGEST:
            return file, ""  # the copy was removed meanwhile
        return await self._encoded.get(file, self._codings[coding]), coding
