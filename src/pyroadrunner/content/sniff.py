"""Guess the type of a file without a known extension. Pure.

Never HTML: otherwise a user who can upload a file could run scripts with the site's origin.
"""

from __future__ import annotations

from pyroadrunner.content.types import UNKNOWN

LOOKED_AT = 512  # bytes at the beginning of a file that are examined

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", b"image/png"),
    (b"\xff\xd8\xff", b"image/jpeg"),
    (b"GIF87a", b"image/gif"),
    (b"GIF89a", b"image/gif"),
    (b"%PDF-", b"application/pdf"),
    (b"PK\x03\x04", b"application/zip"),
    (b"\x1f\x8b\x08", b"application/gzip"),
    (b"OggS\0", b"application/ogg"),
    (b"ID3", b"audio/mpeg"),
    (b"\x1a\x45\xdf\xa3", b"video/webm"),
    (b"wOFF", b"font/woff"),
    (b"wOF2", b"font/woff2"),
)
_BINARY = bytes(set(range(0x20)) - set(b"\t\n\x0c\r\x1b"))
_TEXT = b"text/plain; charset=utf-8"


def sniff(beginning: bytes) -> bytes:
    """The content type of a file by its beginning.

    Args:
        beginning: the first :data:`LOOKED_AT` bytes, or the whole file.
    """
    for signature, kind in _SIGNATURES:
        if beginning.startswith(signature):
            return kind
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return b"image/webp"
    if beginning[4:8] == b"ftyp":
        return b"video/mp4"
    if len(beginning.translate(None, _BINARY)) < len(beginning):
        return UNKNOWN.encode()
    return _TEXT
