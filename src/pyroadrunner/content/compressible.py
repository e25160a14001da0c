"""Which responses are worth encoding, and how their headers change. Pure. (http.md, section 5.3)"""

from __future__ import annotations

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

# RoadRunner's list: types that are already compressed.
_PREFIXES = (b"video/", b"audio/", b"image/jp")
_WORDS = (b"compress", b"zip", b"snappy", b"lzma", b"xz", b"zstd", b"brotli", b"stuffit")
# Not in RoadRunner: more compressed types, and gRPC, whose messages have their own coding.
_MORE = (b"image/png", b"image/gif", b"image/webp", b"image/avif", b"font/woff", b"application/grpc")

OPT_OUT = b"no-gzip-compression"
_NOT_WITH = frozenset(
    (b"content-encoding", b"content-range", b"digest", b"content-md5", b"content-digest", b"repr-digest", OPT_OUT)
)
_BODILESS_OR_PART = (204, 206, 304)
_VARY = (b"vary", b"Accept-Encoding")


class Rules:
    """Decides which responses are encoded.

    Args:
        min_length: bytes; a body of a known shorter length is not encoded.
        exclude: prefixes of more content types that are not encoded.
    """

    def __init__(self, min_length: int, exclude: Iterable[str] = ()) -> None:
        self._min_length = min_length
        self._prefixes = (*_PREFIXES, *_MORE, *(prefix.lower().encode() for prefix in exclude))

    def length(self, status: int, headers: Headers) -> int | None:
        """Length in bytes of a body to encode, by its ``content-length``; -1 without one; ``None`` = do not encode."""
        if status in _BODILESS_OR_PART:
            return None
        length = -1
        for name, value in headers:
            if name in _NOT_WITH:
                return None
            if name == b"content-length":
                length = int(value)
                if length < self._min_length:
                    return None
            elif name == b"content-type":
                if self.packed(value):
                    return None
            elif name == b"cache-control" and b"no-transform" in value.lower():
                return None
        return length

    def packed(self, content_type: bytes) -> bool:
        """Whether bodies of this type are already compressed or excluded."""
        kind = content_type.partition(b";")[0].strip().lower()
        return kind.startswith(self._prefixes) or any(word in kind for word in _WORDS)


def varied(headers: Headers) -> Headers:
    """Headers of a response that is not encoded: adds ``Vary``, as another ``Accept-Encoding`` gives another body."""
    kept = [pair for pair in headers if pair[0] != OPT_OUT]
    if not any(name == b"vary" and _covers(value) for name, value in kept):
        kept.append(_VARY)
    return kept


def encoded(headers: Headers, coding: str, length: int | None) -> Headers:
    """Headers of an encoded response.

    The ETag becomes weak, since the bytes differ from those it identified.

    Args:
        length: bytes of the encoded body; ``None`` = not known yet.
    """
    changed = []
    for name, value in varied(headers):
        if name == b"etag" and value.startswith(b'"'):
            changed.append((name, b"W/" + value))
        elif name not in (b"content-length", b"accept-ranges"):
            changed.append((name, value))
    changed.append((b"content-encoding", coding.encode()))
    if length is not None:
        changed.append((b"content-length", b"%d" % length))
    return changed


def _covers(vary: bytes) -> bool:
    return any(part.strip() in (b"accept-encoding", b"*") for part in vary.lower().split(b","))
