"""The files of the front end, read once when the plugin starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
# The page to sign in, and what it loads. All else needs a session.
PUBLIC = frozenset({"login.html", "login.js", "style.css", "icon.svg"})


@dataclass(frozen=True, slots=True)
class Asset:
    """A file."""

    body: bytes
    content_type: str
    etag: str


def load_assets() -> Mapping[str, Asset]:
    """All files by path: ``app.js``, ``vendor/uplot.js``."""
    found: dict[str, Asset] = {}
    root = files("pyroadrunner.plugins.dashboard") / "assets"
    for folder, prefix in ((root, ""), (root / "vendor", "vendor/")):
        for entry in folder.iterdir():
            kind = _TYPES.get(entry.name.rpartition(".")[2])
            if entry.is_file() and kind is not None:
                body = entry.read_bytes()
                found[prefix + entry.name] = Asset(body, kind, f'"{sha256(body).hexdigest()[:32]}"')
    return found
