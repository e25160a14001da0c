"""The ``fileserver`` section."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

CACHE_DURATION = 10


class ServeConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``fileserver.serve[]``: a prefix and its folder."""

    prefix: str
    """Prefix of the path, case-insensitive; `/` = all paths."""
    root: str = "."
    """The folder."""
    compress: bool = False
    """Whether to send files compressed (zstd, br, gzip): a copy next to the file (`app.css.br`) if it is not older,
    else one that is compressed once and kept in memory."""
    cache_duration: Annotated[int, Meta(ge=-1)] = CACHE_DURATION
    """Seconds for which an opened file is assumed to be unchanged; 0 = 10, -1 = check every time."""
    max_age: Annotated[int, Meta(ge=0)] = 0
    """Seconds for ``Cache-Control: public, max-age``; 0 = no header."""
    bytes_range: bool = False
    """Whether clients may request parts of a file (ranges)."""

    def faults(self) -> Iterable[tuple[str, str]]:
        """An empty prefix prevents the start, as in RoadRunner."""
        if not self.prefix:
            yield "prefix", 'empty prefix; write "/" for every path'


class FileServerConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``fileserver``: folders of static files on an address of their own, without workers."""

    address: str = "127.0.0.1:10101"
    """``host:port``, ``:port``, ``[::1]:port``, ``tcp://...`` or ``unix://path``."""
    calculate_etag: bool = False
    """Whether to send ETags, made from the size and a checksum of the file."""
    weak: bool = False
    """Whether ETags are weak: made from size and modification time, without reading the file."""
    stream_request_body: bool = False
    """Accepted and ignored: request bodies are never read."""
    serve: list[ServeConfig] = msgspec.field(default_factory=list)
    """Prefixes; the first one that has the file serves it."""

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """Missing folders: their files are not found until the folder exists."""
        for at, mount in enumerate(self.serve):
            if not os.path.isdir(mount.root):
                yield (
                    f"serve.{at}.root",
                    f"{mount.root} is not a folder (looked in {os.getcwd()}); its files are not found",
                )
