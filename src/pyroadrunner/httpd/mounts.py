"""Paths that plugins serve themselves, on the HTTP port or on a port of their own. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.contracts import HttpMount


class Mounts:
    """Finds the application of a path."""

    def __init__(self, mounts: Sequence[HttpMount]) -> None:
        self._exact = {mount.path: mount.app for mount in mounts if not mount.path.endswith("/*")}
        self._below = [(mount.path[:-1], mount.app) for mount in mounts if mount.path.endswith("/*")]
        # What a raw path may begin with to be one of these; others are not even decoded.
        self._starts = tuple(path.encode() for path in (*self._exact, *(prefix for prefix, _ in self._below)))

    def __repr__(self) -> str:
        return f"Mounts({[*self._exact, *(prefix for prefix, _ in self._below)]})"

    def may_match(self, raw_path: bytes) -> bool:
        """Whether a path may be one of these; ``False`` is certain."""
        return raw_path.startswith(self._starts) or b"%" in raw_path

    def find(self, path: str) -> ASGIApp | None:
        """The application of a decoded path."""
        found = self._exact.get(path)
        if found is not None:
            return found
        return next((app for prefix, app in self._below if path.startswith(prefix)), None)
