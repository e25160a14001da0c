"""What a driver of ``websocket`` promises: publications reach the clients of all servers, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pyroadrunner.plugins.websocket.publication import Publication

Deliver = Callable[[Publication], int]
"""Gives a publication to the clients of this server; returns how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a client has missed.

    Attributes:
        publications: in order.
        offset, epoch: the position behind them.
        complete: whether nothing is missing between the client's position and this.
    """

    publications: Sequence[Publication]
    offset: int
    epoch: str
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A connection that follows a topic with presence.

    Attributes:
        user: empty = no worker has named one.
        info: of the user, JSON.
    """

    connection: str
    user: str
    info: bytes


class Driver(Protocol):
    """Carries publications."""

    @property
    def error(self) -> str:
        """Why publications are not carried now; empty = they are."""

    async def start(self, deliver: Deliver) -> None:
        """Return when publications can be carried, or will be once a server is back."""

    async def stop(self) -> None: ...

    async def publish(self, topic: str, data: bytes, *, text: bool, origin: str = "") -> tuple[Publication, int | None]:
        """Publish; return the publication with its offset, and the number of clients that it was given to; ``None`` =
        unknown, since other servers have clients too.

        Raises:
            pyroadrunner.errors.RoadRunnerError: it was not published.
        """

    async def follow(self, topic: str) -> None:
        """The first client of this server joins the topic: its publications must be delivered from now on."""

    async def unfollow(self, topic: str) -> None:
        """The last client of this server has left the topic."""

    async def recover(self, topic: str, offset: int, epoch: str) -> Recovered:
        """What was published behind a position."""

    async def last(self, topic: str) -> Publication | None:
        """The newest publication in the history."""

    async def enter(self, topic: str, member: Member) -> None:
        """A client joins a topic with presence, or its user has changed."""

    async def leave(self, topic: str, connection: str) -> None:
        """It has left."""

    async def members(self, topic: str) -> Sequence[Member]:
        """Who follows a topic with presence, on all servers."""

    async def occupied(self, prefix: str) -> Mapping[str, int]:
        """Topics with presence whose name begins so, with the number of their connections. For operators and backends:
        it may look at all topics."""
