"""The ``fileserver`` section."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

CACHE_DURATION = 10


class ServeConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``fileserver.serve[]``: a prefix and the folder behind it."""

    prefix: str
    """What a path begins with, in upper or lower case; `/` = every path."""
    root: str = "."
    """The folder."""
    compress: bool = False
    """Whether files are sent encoded (zstd, br, gzip): the copy beside a file (`app.css.br`) when it is not older, else
    one that is made once and kept in memory."""
    cache_duration: Annotated[int, Meta(ge=-1)] = CACHE_DURATION
    """Seconds in which a file that was opened is taken for unchanged; 0 = 10, -1 = not at all."""
    max_age: Annotated[int, Meta(ge=0)] = 0
    """Seconds for ``Cache-Control: public, max-age``; 0 = no such header."""
    bytes_range: bool = False
    """Whether a part of a file may be asked for."""

    def faults(self) -> Iterable[tuple[str, str]]:
        """An empty prefix stops a start, as in RoadRunner."""
        if not self.prefix:
            yield "prefix", 'empty prefix; write "/" for every path'


class FileServerConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``fileserver``."""

    address: str = "127.0.0.1:10101"
    """``host:port``, ``:port``, ``[::1]:port``, ``tcp://...`` or ``unix://path``."""
    calculate_etag: bool = False
    """Whether files have an ETag: their size and a checksum of their bytes."""
    weak: bool = False
    """Whether it is a weak one: size and time of the last change, without reading the file."""
    stream_request_body: bool = False
    """Accepted, since RoadRunner has it; bodies of requests are never read."""
    serve: list[ServeConfig] = msgspec.field(default_factory=list)
    """Prefixes; the first that has the file answers."""

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """Folders that are not there: their files are not found until they are."""
        for at, mount in enumerate(self.serve):
            if not os.path.isdir(mount.root):
                yield (
                    f"serve.{at}.root",
                    f"{mount.root} is no folder (looked in {os.getcwd()}); its files are not found",
                )
