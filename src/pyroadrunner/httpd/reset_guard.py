"""Finds connections whose HTTP/2 streams are reset in large numbers. Pure.

A client may open a stream and have it reset at once, again and again: each costs the server a request, and the limit of
concurrent streams does not apply ("rapid reset", CVE-2023-44487). It may reset the stream itself, or send a frame that
makes the server reset it ("MadeYouReset", CVE-2025-8671). Both count here.
"""

from __future__ import annotations

from typing import NamedTuple

Client = tuple[str, int]

WINDOW = 10.0  # seconds
RESETS = 200  # in one window; the browser that leaves a page full of images resets some dozens
_CLIENTS_KEPT = 1024


class _Window(NamedTuple):
    began: float
    resets: int


class ResetGuard:
    """Counts the resets of each client.

    Args:
        limit: resets in one window of a client that is still served.
    """

    __slots__ = ("_limit", "_windows")

    def __init__(self, limit: int = RESETS) -> None:
        self._limit = limit
        self._windows: dict[Client, _Window] = {}

    def __repr__(self) -> str:
        return f"ResetGuard(limit={self._limit}, clients={len(self._windows)})"

    def exceeded(self, client: Client, now: float) -> bool:
        """Count one reset; return whether it is the first one past the limit."""
        began, resets = self._windows.get(client, (now, 0))
        if now - began >= WINDOW:
            began, resets = now, 0
        elif not resets and len(self._windows) >= _CLIENTS_KEPT:
            self._forget(now)
        self._windows[client] = _Window(began, resets + 1)
        return resets == self._limit

    def _forget(self, now: float) -> None:
        self._windows = {client: one for client, one in self._windows.items() if now - one.began < WINDOW}
        if len(self._windows) >= _CLIENTS_KEPT:  # so many clients at once: start again
            self._windows.clear()
