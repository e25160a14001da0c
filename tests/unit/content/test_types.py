"""Types by extension."""

from __future__ import annotations

import pytest

from pyroadrunner.content.types import content_type


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/a.html", b"text/html; charset=utf-8"),
        ("/srv/a.CSS", b"text/css; charset=utf-8"),
        ("a.min.js", b"text/javascript; charset=utf-8"),
        ("a.svg", b"image/svg+xml"),
        ("a.woff2", b"font/woff2"),
        ("a.json", b"application/json"),
        ("a.tar.gz", b"application/gzip"),
        ("a", b"application/octet-stream"),
        ("a.", b"application/octet-stream"),
        ("a.strange", b"application/octet-stream"),
        ("/srv.html/a", b"application/octet-stream"),
        ("html", b"application/octet-stream"),
        (".html", b"text/html; charset=utf-8"),
    ],
)
def test_the_last_extension_decides_the_type(path: str, kind: bytes) -> None:
    assert content_type(path) == kind
