"""Publications and the history of one server."""

from __future__ import annotations

import asyncio

from pyroadrunner.plugins.websocket.config import HistoryConfig
from pyroadrunner.plugins.websocket.drivers.memory import MemoryDriver
from pyroadrunner.plugins.websocket.publication import Publication


class Scene:
    """A driver, its clock, and what it has delivered."""

    def __init__(self, size: int, ttl: float = 60.0) -> None:
        self.now = 0.0
        self.delivered: list[Publication] = []
        self.driver = MemoryDriver(lambda _: HistoryConfig(size=size, ttl=ttl), lambda: self.now)
        asyncio.run(self.driver.start(self._deliver))

    def _deliver(self, publication: Publication) -> int:
        self.delivered.append(publication)
        return 7

    def publish(self, *texts: str, topic: str = "t") -> Publication:
        for one in texts:
            publication, receivers = asyncio.run(self.driver.publish(topic, one.encode(), text=True))
            assert receivers == 7
        return publication

    def recover(self, offset: int, epoch: str, topic: str = "t") -> tuple[list[str], int, bool]:
        found = asyncio.run(self.driver.recover(topic, offset, epoch))
        return [one.data.decode() for one in found.publications], found.offset, found.complete


def test_a_topic_without_a_history_only_delivers() -> None:
    it = Scene(0)
    assert it.publish("a").offset == 0
    assert [one.data for one in it.delivered] == [b"a"]
    assert it.recover(0, "x") == ([], 0, False)


def test_a_client_that_comes_back_misses_nothing() -> None:
    it = Scene(10)
    first = it.publish("a")
    it.publish("b", "c")
    assert it.recover(first.offset, first.epoch) == (["b", "c"], 3, True)
    assert it.recover(3, first.epoch) == ([], 3, True)


def test_a_gap_is_said() -> None:
    it = Scene(2)
    first = it.publish("a")
    it.publish("b", "c", "d")
    assert it.recover(first.offset, first.epoch) == (["c", "d"], 4, False)
    assert it.recover(2, "another epoch") == ([], 4, False)
    assert it.recover(99, first.epoch) == ([], 4, False)


def test_old_publications_are_dropped() -> None:
    it = Scene(10, ttl=60)
    first = it.publish("a")
    it.publish("b")
    it.now = 61
    it.publish("c")
    assert it.recover(first.offset, first.epoch) == (["c"], 3, False)


def test_topics_without_publications_take_no_memory_for_ever() -> None:
    it = Scene(10, ttl=60)
    for number in range(5_000):
        it.now = number
        it.publish("a", topic=f"user.{number}")
    assert len(it.driver._logs) < 2_100


def test_an_envelope_names_topic_and_position() -> None:
    publication = Publication("t", b'"quoted"', text=True, offset=3, epoch="e")
    assert publication.message(envelope=True).data == b'{"topic":"t","offset":3,"epoch":"e","data":"\\"quoted\\""}'
    assert publication.message(envelope=False).data == b'"quoted"'
    assert Publication("t", b"\xff", text=False).message(envelope=True).data == b'{"topic":"t","base64":"/w=="}'
    assert publication.message(envelope=True) is publication.message(envelope=True)
