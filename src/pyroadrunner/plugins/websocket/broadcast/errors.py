"""Errors of the sections ``broadcast`` and ``websockets``."""

from __future__ import annotations

from collections.abc import Collection

from pyroadrunner.plugins.websocket.errors import WebSocketError


class UnknownBroker(WebSocketError):
    """The broker is not configured."""

    def __init__(self, broker: str, known: Collection[str]) -> None:
        there = f"it has {', '.join(sorted(known))}" if known else "it has none"
        super().__init__(f"websockets.broker: the section broadcast has no {broker!r}; {there}")


class SamePath(WebSocketError):
    """Two sections want one path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"websockets.path and websocket.path are both {path}: change one of them")


class NotPublished(WebSocketError):
    """Messages of ``broadcast.PublishAsync`` can't be queued."""
