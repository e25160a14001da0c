"""Which client of this server follows which topic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from pyroadrunner.contracts import RoadRunnerError
from pyroadrunner.plugins.websocket.counters import TopicCounters
from pyroadrunner.plugins.websocket.drivers.contract import Driver, Recovered
from pyroadrunner.plugins.websocket.publication import Publication


class Follower(Protocol):
    """A client that follows topics.

    Attributes:
        id: of its connection.
    """

    id: str

    def deliver(self, publication: Publication) -> bool:
        """Give it a publication; ``False`` = it is closed. Must not raise and must not wait."""


class Hub:
    """The topics of this server and their followers.

    Attributes:
        counters: of publications and deliveries.
        failed: publications that were not accepted.
    """

    def __init__(self, driver: Driver, counters: TopicCounters | None = None) -> None:
        self.driver = driver
        self._followers: dict[str, dict[str, Follower]] = {}
        self.counters = counters or TopicCounters()
        self.failed = 0

    def __repr__(self) -> str:
        return f"Hub(topics={len(self._followers)}, driver={self.driver})"

    @property
    def topics(self) -> Mapping[str, Mapping[str, Follower]]:
        """Followers by the id of their connection, by topic."""
        return self._followers

    async def join(self, topic: str, follower: Follower) -> None:
        """Let a client follow a topic. Idempotent."""
        followers = self._followers.setdefault(topic, {})
        first = not followers
        followers[follower.id] = follower
        if first:
            await self.driver.follow(topic)

    async def leave(self, topics: Iterable[str], follower: Follower) -> None:
        """End that. Idempotent."""
        for topic in topics:
            followers = self._followers.get(topic)
            if followers is None or followers.pop(follower.id, None) is None:
                continue
            if not followers:
                del self._followers[topic]
                await self.driver.unfollow(topic)

    async def publish(self, topic: str, data: bytes, *, text: bool, origin: str = "") -> tuple[Publication, int | None]:
        """Publish to a topic; see ``Driver.publish``."""
        try:
            published = await self.driver.publish(topic, data, text=text, origin=origin)
        except RoadRunnerError:
            self.failed += 1
            raise
        self.counters.count_published(topic)
        return published

    async def recover(self, topic: str, offset: int, epoch: str) -> Recovered:
        """What was published behind a position."""
        return await self.driver.recover(topic, offset, epoch)

    def deliver(self, publication: Publication) -> int:
        """Give a publication to the followers here; called by the driver."""
        followers = self._followers.get(publication.topic)
        if not followers:
            return 0
        origin = publication.origin
        count = 0
        for identity, follower in list(followers.items()):
            if identity != origin and follower.deliver(publication):
                count += 1
        self.counters.count_delivered(publication.topic, count)
        return count
