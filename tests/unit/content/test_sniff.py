"""Types of files without a known extension."""

from __future__ import annotations

import pytest

from pyroadrunner.content.sniff import sniff


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", b"image/png"),
        (b"RIFF\x00\x01\x00\x00WEBPVP8 ", b"image/webp"),
        (b"\0\0\0\x18ftypmp42", b"video/mp4"),
        (b"%PDF-1.7", b"application/pdf"),
        (b"", b"text/plain; charset=utf-8"),
        (b"hello\r\n\tworld", b"text/plain; charset=utf-8"),
        ("grün".encode(), b"text/plain; charset=utf-8"),
        (b"<!DOCTYPE html><script>alert(1)</script>", b"text/plain; charset=utf-8"),
        (b"ab\0c", b"application/octet-stream"),
        (b"\x7fELF\x02\x01\x01", b"application/octet-stream"),
    ],
)
def test_the_beginning_decides_the_type(beginning: bytes, kind: bytes) -> None:
    assert sniff(beginning) == kind
