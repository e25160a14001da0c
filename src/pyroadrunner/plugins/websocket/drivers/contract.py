"""What a driver of ``websocket`` promises: publications reach the clients of all servers, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pyroadrunner.plugins.websocket.publication import Publication

Deliver = Callable[[Publication], int]
"""Gives a publication to the clients of this server; returns how many."""

Departed = Callable[[str, "Left"], None]
"""Told of connections that left a topic without a call of :meth:`Driver.leave`."""

Entrance = Callable[[str, "Member", "Entered"], None]
"""Told of connections that were entered again, since other servers had taken this one for dead."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What a connection has changed in a topic with presence, on all servers. Exactly one caller sees each change.

    Attributes:
        count: connections in the topic now.
        first: whether the topic had none.
        first_of_user: whether its user had none there.
        returned, user_returned: whether that takes back a departure that was still held, see :meth:`Driver.confirm`.
    """

    count: int
    first: bool
    first_of_user: bool
    returned: bool = False
    user_returned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """The same for connections that have left.

    Attributes:
        count: connections in the topic now.
        last: whether it has none any more.
        users: those whose last connection has left.
    """

    count: int
    last: bool
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The last publication of a history.

    Attributes:
        age: seconds since then.
    """

    publication: Publication
    age: float


class Driver(Protocol):
    """Carries publications.

    Attributes:
        shared: whether other servers have clients in the same topics.
        on_departed, on_entrance: callbacks of the owner; see their types.
    """

    shared: bool
    on_departed: Departed
    on_entrance: Entrance

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

    async def last(self, topic: str) -> Newest | None:
        """The newest publication in the history."""

    async def enter(self, topic: str, member: Member) -> Entered:
        """A client joins a topic with presence, or its user has changed.

        Raises:
            pyroadrunner.errors.RoadRunnerError: the other servers do not know it yet; they will.
        """

    async def leave(self, topic: str, connection: str) -> Left:
        """It has left.

        Raises:
            pyroadrunner.errors.RoadRunnerError: the other servers do not know it yet. It is tried again, with the
                result for ``on_departed``.
        """

    async def confirm(self, topic: str, user: str = "") -> bool:
        """Whether a departure that is held has lasted until now; ``True`` for exactly one caller, on all servers. In
        topics for which the owner asks for it (``holds``), the departure of the last connection, and of the last one of
        a user, is held for this call.

        Args:
            user: whose departure; empty = that of the last connection.
        """

    async def members(self, topic: str) -> Sequence[Member]:
        """Who follows a topic with presence, on all servers."""

    async def counts(self, topics: Sequence[str], *, users: bool = False) -> Sequence[int]:
        """The number of connections of each topic with presence, or of its distinct users, on all servers."""

    async def occupied(self, prefix: str) -> Mapping[str, int]:
        """Topics with presence whose name begins so, with the number of their connections. For operators and backends:
        it may look at all topics."""


def ignore(*_: object) -> None:
    """A callback that does nothing."""
