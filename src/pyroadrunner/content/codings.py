"""Content codings: compress bodies and streams.

gzip is always available (three to nine times as fast with the ``isal`` package); ``br`` and ``zstd`` if their libraries
are installed (``pip install pyroadrunner[compress]``). All of them release the GIL while they work, so a large body can
be encoded in a thread.

A stream's encoder lives as long as its connection, and thousands of streams may be idle. So the windows are small, 100
to 300 KB each. (Measured per encoder, first event flushed: zstd 3 takes 800 KB, with these windows 160.)
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

Level = Literal["fast", "balanced", "small"]
Name = Literal["zstd", "br", "gzip"]

NAMES: tuple[str, ...] = get_args(Name)
_LEVELS: tuple[str, ...] = get_args(Level)
_GZIP_FORMAT = 31  # zlib's number for a gzip head and the full window


class Encoder(Protocol):
    """Encodes one stream."""

    def chunk(self, data: bytes) -> bytes:
        """Encode a chunk and flush, so that the client can decode all of it."""

    def end(self, data: bytes) -> bytes:
        """Encode the last chunk."""


@dataclass(frozen=True, slots=True)
class Coding:
    """One coding at one level.

    Attributes:
        name: the value of ``Content-Encoding``.
        whole: encodes a body.
        stream: a new encoder for a stream.
    """

    name: str
    whole: Callable[[bytes], bytes]
    stream: Callable[[], Encoder]


def available(names: Sequence[str], level: Level) -> dict[str, Coding]:
    """The codings of these names whose libraries are installed, in this order."""
    found = {name: _MAKERS[name](_LEVELS.index(level)) for name in names}
    return {name: coding for name, coding in found.items() if coding is not None}


class _Flushing:
    """An encoder from a library's compress, flush and finish."""

    __slots__ = ("_compress", "_finish", "_flush")

    def __init__(
        self, compress: Callable[[bytes], bytes], flush: Callable[[], bytes], finish: Callable[[], bytes]
    ) -> None:
        self._compress = compress
        self._flush = flush
        self._finish = finish

    def chunk(self, data: bytes) -> bytes:
        return self._compress(data) + self._flush()

    def end(self, data: bytes) -> bytes:
        return (self._compress(data) if data else b"") + self._finish()


def _gzip(level: int) -> Coding:
    module: Any = zlib
    number = (1, 5, 9)[level]
    if level < 2:  # isal's highest level compresses too little
        try:
            from isal import isal_zlib
        except ImportError:
            pass
        else:
            module, number = isal_zlib, level + 1

    def stream() -> Encoder:
        encoder = module.compressobj(number, module.DEFLATED, _GZIP_FORMAT)
        return _Flushing(encoder.compress, lambda: encoder.flush(module.Z_SYNC_FLUSH), encoder.flush)

    return Coding("gzip", lambda data: module.compress(data, number, _GZIP_FORMAT), stream)


def _br(level: int) -> Coding | None:
    try:
        import brotli  # type: ignore[import-untyped]  # it has no stubs
    except ImportError:
        return None
    quality = (1, 4, 7)[level]

    def stream() -> Encoder:
        encoder = brotli.Compressor(quality=(1, 5, 7)[level], lgwin=16)
        return _Flushing(encoder.process, encoder.flush, encoder.finish)

    return Coding("br", lambda data: brotli.compress(data, quality=quality), stream)


def _zstd(level: int) -> Coding | None:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        return None
    number = (1, 3, 9)[level]
    what = zstd.CompressionParameter
    options: dict[int, int] = {
        what.compression_level: number,
        what.window_log: 17,
        what.hash_log: 14,
        what.chain_log: 14,
    }

    def stream() -> Encoder:
        encoder = zstd.ZstdCompressor(options=options)
        return _Flushing(
            encoder.compress, lambda: encoder.flush(encoder.FLUSH_BLOCK), lambda: encoder.flush(encoder.FLUSH_FRAME)
        )

    return Coding("zstd", lambda data: zstd.compress(data, number), stream)


_MAKERS: dict[str, Callable[[int], Coding | None]] = {"gzip": _gzip, "br": _br, "zstd": _zstd}
