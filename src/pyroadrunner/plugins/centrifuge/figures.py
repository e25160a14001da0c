"""Counters of the plugin."""

from __future__ import annotations

from collections import Counter


class Figures:
    """What the metrics show.

    Attributes:
        proxied: calls of Centrifugo, by type and status.
        api: calls of the API, by method and status.
        connected: whether the API is connected.
    """

    def __init__(self) -> None:
        self.proxied: Counter[tuple[str, str]] = Counter()
        self.api: Counter[tuple[str, str]] = Counter()
        self.connected = False

    def __repr__(self) -> str:
        return f"Figures(proxied={self.proxied.total()}, api={self.api.total()}, connected={self.connected})"
