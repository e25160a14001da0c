"""``websockets`` in ``http.middleware``: RoadRunner until 2.12 served its section of that name there.

Here the plugin serves its path itself, so the name has nothing to do.
"""

from __future__ import annotations

from pyroadrunner.plugins.http.middleware.registry import Around, Setup


def build(setup: Setup) -> Around | None:
    """A layer that is the application itself; ``None`` = there is no such section."""
    return (lambda app: app) if setup.effective.get("websockets") is not None else None
