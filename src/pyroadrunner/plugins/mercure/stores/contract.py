"""What a store of ``mercure`` promises: it numbers updates, keeps them, and gives them to all servers in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pyroadrunner.plugins.mercure.update import Update

Deliver = Callable[[Update], None]
"""Gives an update to the subscribers of this server. Called in the order of the sequence, never twice for one."""
Reset = Callable[[], None]
"""The store has lost its history, and counts from 1 again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A selector of a connected subscriber.

    Attributes:
        id: its path in the API.
        subscriber: id of the connection.
        kind: ``topic`` (0.x), ``exact`` or ``urlpattern``.
        text: the selector.
        payload: of the token; ``None`` = none.
    """

    id: str
    subscriber: str
    kind: str
    text: str
    payload: Any = None


class Store(Protocol):
    """Keeps updates.

    Attributes:
        position: the sequence of the last update that this server was given.
    """

    position: int

    @property
    def error(self) -> str:
        """Why nothing can be published now; empty = it can."""

    async def start(self, deliver: Deliver, reset: Reset) -> None:
        """Return when updates can be published, or will be once a server is back.

        Raises:
            StoreError: the store can't be used.
        """

    async def stop(self) -> None: ...

    async def append(self, update: Update) -> None:
        """Number and keep an update; it is delivered on all servers. It must not be lost if the caller is cancelled
        after it was kept.

        Raises:
            StoreError: it was not published.
        """

    async def find(self, identity: str) -> int | None:
        """The sequence of the first kept update with an id; ``None`` = there is none.

        Raises:
            StoreError
        """

    async def read(self, after: int, count: int) -> Sequence[Update]:
        """The first kept updates behind a position, ``count`` at most.

        Raises:
            StoreError
        """

    async def last_id(self) -> str:
        """The id of the newest update; ``earliest`` = there is none.

        Raises:
            StoreError
        """

    async def register(self, subscriptions: Sequence[Subscription]) -> None:
        """A subscriber of this server has connected."""

    async def unregister(self, subscriptions: Sequence[Subscription]) -> None:
        """It has left."""

    async def subscriptions(self) -> Sequence[Subscription]:
        """Those of all servers that are alive.

        Raises:
            StoreError
        """
