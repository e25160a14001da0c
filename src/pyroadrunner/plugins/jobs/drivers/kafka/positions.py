"""Asks Kafka for offsets, with a client of its own: a consumer admits one call at a time, and its polls take long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError
from pyroadrunner.plugins.jobs.drivers.kafka.config import ConsumerConfig, OffsetConfig
from pyroadrunner.plugins.jobs.drivers.kafka.offsets import read_metadata
from pyroadrunner.plugins.jobs.drivers.kafka.producer import error_text

Place: TypeAlias = tuple[str, int]
"""Topic and partition."""
Committed: TypeAlias = tuple[int, str]
"""An offset and its metadata."""
Start: TypeAlias = tuple[int, list[tuple[int, int]]]
"""An offset, and the ranges after it that are done."""

_ANSWER = 10.0  # seconds for an answer of a broker
_AGAIN = 0.1
_MOST_READS = 5
_PASSING = (  # while a topic or a group is new, or its leader moves
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError._WAIT_COORD,
)
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_PARTITIONS_FOR = 10.0  # seconds for which the partitions of topics are remembered


class Positions:
    """Where partitions begin and end, and what a group has committed.

    Args:
        group: whose commits count; ``None`` = no one's.
    """

    def __init__(self, client: AdminClient, options: ConsumerConfig, group: str | None) -> None:
        self._client = client
        self._options = options
        self._group = group
        self._places: tuple[float, list[Place]] = (0.0, [])

    async def places(self) -> list[Place]:
        """All partitions of the topics; of those that are regular expressions, none.

        Raises:
            BrokerError
        """
        if self._options.consume_partitions:
            chosen = self._options.consume_partitions
            return [(topic, int(partition)) for topic, partitions in chosen.items() for partition in partitions]
        if self._options.consume_regexp:
            return []
        until, places = self._places
        if time.monotonic() >= until:
            places = await _answer(self._ask_places)
            if places:
                self._places = (time.monotonic() + _PARTITIONS_FOR, places)
        return places

    async def _ask_places(self) -> list[Place]:
        asked = self._client.describe_topics(TopicCollection(self._options.topics), request_timeout=_ANSWER)
        found: list[Place] = []
        for name, future in asked.items():
            try:
                described = await _result(future)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
            else:
                found += [(name, partition.id) for partition in described.partitions]
        return found

    async def starts(self, places: Collection[Place]) -> dict[Place, Start]:
        """Where the group, or a new consumer, begins in partitions.

        Raises:
            BrokerError
        """
        starts: dict[Place, Start] = {}
        if self._group is not None and places:
            for place, (offset, metadata) in (await self._committed(self._group, places)).items():
                starts[place] = (offset, read_metadata(metadata))
        return {**starts, **await self._configured([place for place in places if place not in starts])}

    async def ends(self, places: Collection[Place]) -> dict[Place, int]:
        """The offsets after the last records.

        Raises:
            BrokerError
        """
        return await self._offsets(dict.fromkeys(places, _LATEST))

    async def _committed(self, group: str, places: Collection[Place]) -> dict[Place, Committed]:
        """The commits of the group; asked again while their metadata are not readable, which differs from time to
        time."""
        for _ in range(_MOST_READS):
            answers = await _answer(lambda: self._ask_committed(group, places))
            metadata = [_metadata(one) for one in answers]
            if None not in metadata:
                break
        return {
            (one.topic, one.partition): (one.offset, text or "")
            for one, text in zip(answers, metadata, strict=True)
            if one.offset >= 0
        }

    async def _ask_committed(self, group: str, places: Collection[Place]) -> list[TopicPartition]:
        wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(*place) for place in places])
        (future,) = self._client.list_consumer_group_offsets([wanted], request_timeout=_ANSWER).values()
        found: list[TopicPartition] = (await _result(future)).topic_partitions
        for one in found:
            if one.error is not None:
                raise KafkaException(one.error)
        return found

    async def _configured(self, places: Collection[Place]) -> dict[Place, Start]:
        """Where the config says to begin."""
        asked: dict[Place, OffsetSpec] = {}
        for place in places:
            offset = self._offset_of(*place)
            if offset.type == "AtEnd":
                asked[place] = _LATEST
            elif offset.type == "AfterMilli":
                asked[place] = OffsetSpec.for_timestamp(max(0, offset.value))
            else:
                asked[place] = _EARLIEST
        found: dict[Place, Start] = {}
        for place, start in (await self._offsets(asked)).items():
            offset = self._offset_of(*place)
            if offset.type == "At":
                start = max(start, offset.value)
            elif offset.type == "Relative":
                start = max(start, start + offset.value)
            found[place] = (start, [])
        return found

    def _offset_of(self, topic: str, partition: int) -> OffsetConfig:
        own = self._options.consume_partitions.get(topic, {}).get(str(partition))
        return own or self._options.consumer_offset

    async def _offsets(self, asked: Mapping[Place, OffsetSpec]) -> dict[Place, int]:
        found = await _answer(lambda: self._ask_offsets(asked)) if asked else {}
        late = [place for place, offset in found.items() if offset < 0]  # no record after a time
        return {**found, **await self.ends(late)} if late else found

    async def _ask_offsets(self, asked: Mapping[Place, OffsetSpec]) -> dict[Place, int]:
        futures = self._client.list_offsets(
            {TopicPartition(*place): spec for place, spec in asked.items()},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=_ANSWER,
        )
        return {(one.topic, one.partition): (await _result(future)).offset for one, future in futures.items()}


def committable(offsets: Mapping[Place, Committed]) -> list[TopicPartition]:
    """Offsets for the client library."""
    return [TopicPartition(*place, offset, metadata) for place, (offset, metadata) in offsets.items()]


def places_of(partitions: Sequence[TopicPartition]) -> list[Place]:
    """Partitions of the client library."""
    return [(one.topic, one.partition) for one in partitions]


def _metadata(one: TopicPartition) -> str | None:
    """The metadata of a commit. The library does not end them, so the memory behind them may be no text."""
    try:
        return one.metadata or ""
    except UnicodeDecodeError:
        return None


async def _result(future: Future[Any]) -> Any:
    return await asyncio.wrap_future(future)


async def _answer(ask: Callable[[], Any]) -> Any:
    """An answer without errors that pass; they last for moments.

    Raises:
        BrokerError
    """
    until = time.monotonic() + _ANSWER
    while True:
        try:
            return await ask()
        except KafkaException as error:
            if error.args[0].code() not in _PASSING or time.monotonic() > until:
                raise BrokerError(error_text(error.args[0])) from error
        await asyncio.sleep(_AGAIN)
