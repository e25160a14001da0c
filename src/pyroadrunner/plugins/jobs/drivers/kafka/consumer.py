"""Receives records and commits offsets. All calls that may block run in two threads: one polls, the other commits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError
from pyroadrunner.plugins.jobs.drivers.kafka.config import ConsumerConfig, OffsetConfig
from pyroadrunner.plugins.jobs.drivers.kafka.offsets import read_metadata
from pyroadrunner.plugins.jobs.drivers.kafka.producer import error_text
from pyroadrunner.plugins.jobs.drivers.kafka.settings import topic_patterns

T = TypeVar("T")
Place: TypeAlias = tuple[str, int]
"""Topic and partition."""
Committed: TypeAlias = tuple[int, str]
"""An offset and its metadata."""
Start: TypeAlias = tuple[int, list[tuple[int, int]]]
"""An offset, and the ranges after it that are done."""

_POLL = 0.25  # seconds
_ANSWER = 10.0  # seconds for an answer of a broker
_HANDOVER = 35.0
_EARLIEST, _LATEST = -2, -1  # instead of a time, in a request for offsets
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
_PARTITIONS_FOR = 10.0  # seconds for which the partitions of topics are remembered

log = Log("jobs")


class RecordConsumer:
    """A consumer.

    Args:
        committed: whether a group keeps the offsets.
        on_error: called in the loop with errors of connections.
        on_broken: called in the loop with errors that make the consumer useless.
        on_assigned: called in the loop with new partitions, before their first record.
        on_revoked: awaited in the loop before partitions go to another member; returns what is to be committed.
        on_lost: called in the loop with partitions that others may have already.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        options: ConsumerConfig,
        committed: bool,
        on_error: Callable[[KafkaError], None],
        on_broken: Callable[[KafkaError], None],
        on_assigned: Callable[[Mapping[Place, Start]], None],
        on_revoked: Callable[[Sequence[Place]], Coroutine[Any, Any, Mapping[Place, Committed]]],
        on_lost: Callable[[Sequence[Place]], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._options = options
        self._committed = committed
        self._on_broken = on_broken
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._on_lost = on_lost
        self._poller = ThreadPoolExecutor(1, "kafka consumer")
        self._committer = ThreadPoolExecutor(1, "kafka offsets")
        self._paused = False
        self._places: tuple[float, list[Place]] = (0.0, [])
        self._client = Consumer({**settings, "error_cb": lambda error: self._call(on_error, error)})

    # -- partitions ----------------------------------------------------------------------------------------------------

    async def join(self) -> None:
        """Ask for partitions; they come while records are fetched.

        Raises:
            BrokerError
        """
        await self._run(self._poller, self._join)

    async def leave(self) -> None:
        """Give all partitions back."""
        await self._run(self._poller, self._leave)

    def _join(self) -> None:
        if self._options.topics and self._committed:
            self._client.subscribe(
                topic_patterns(self._options), on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose
            )
            return
        places = [TopicPartition(topic, partition) for topic, partition in self._all_places()]
        starts = self._starts(places)
        self._client.assign([TopicPartition(*place, start) for place, (start, _) in starts.items()])
        self._paused = False
        self._call(self._on_assigned, starts)

    def _leave(self) -> None:
        if self._options.topics and self._committed:
            self._client.unsubscribe()
            until = time.monotonic() + _HANDOVER
            while self._client.assignment() and time.monotonic() < until:
                self._client.poll(0.05)
        else:
            places = [(one.topic, one.partition) for one in self._client.assignment()]
            self._hand_over(places)
            self._client.unassign()

    def _assign(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            starts = self._starts(partitions)
        except KafkaException as error:
            self._call(self._on_broken, error.args[0])
            return
        client.incremental_assign([TopicPartition(*place, start) for place, (start, _) in starts.items()])
        self._paused = False
        self._call(self._on_assigned, starts)

    def _revoke(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        self._hand_over([(one.topic, one.partition) for one in partitions])
        client.incremental_unassign(partitions)

    def _hand_over(self, places: Sequence[Place]) -> None:
        """Commit in this thread: a commit of the other one may wait for the end of the rebalance."""
        offsets = asyncio.run_coroutine_threadsafe(self._on_revoked(places), self._loop).result(_HANDOVER)
        if offsets and self._committed:
            try:
                self._client.commit(offsets=_committable(offsets), asynchronous=False)
            except KafkaException as error:
                log.warning("offsets could not be committed", error=error_text(error.args[0]))

    def _lose(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        self._call(self._on_lost, [(one.topic, one.partition) for one in partitions])
        client.incremental_unassign(partitions)

    # -- records -------------------------------------------------------------------------------------------------------

    async def fetch(self, limit: int) -> list[Message]:
        """Wait a moment for records; return up to ``limit``."""
        return await self._run(self._poller, self._fetch, limit)

    async def idle(self) -> list[Message]:
        """Fetch nothing, but answer the group; return what has arrived already."""
        return await self._run(self._poller, self._idle)

    def _fetch(self, limit: int) -> list[Message]:
        if self._paused:
            self._paused = False
            self._client.resume(self._client.assignment())
        first = self._client.poll(_POLL)
        return [] if first is None else [first, *self._client.consume(limit - 1, 0.0)]

    def _idle(self) -> list[Message]:
        if not self._paused:
            self._client.pause(self._client.assignment())
            self._paused = True
        first = self._client.poll(0.0)
        return [] if first is None else [first]

    # -- offsets -------------------------------------------------------------------------------------------------------

    async def commit(self, offsets: Mapping[Place, Committed]) -> None:
        """Commit offsets with their metadata.

        Raises:
            BrokerError
        """
        if self._committed:
            wanted = _committable(offsets)
            await self._run(self._committer, lambda: self._client.commit(offsets=wanted, asynchronous=False))

    async def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """The offsets after the last records."""
        return await self._run(self._committer, self._ends, places)

    async def all_starts(self) -> dict[Place, Start]:
        """Where the group, or a new consumer, begins in each partition of the topics."""
        return await self._run(self._committer, self._all_starts)

    def _ends(self, places: Sequence[Place]) -> dict[Place, int]:
        return self._by_time([(topic, partition, _LATEST) for topic, partition in places])

    def _all_starts(self) -> dict[Place, Start]:
        return self._starts([TopicPartition(*place) for place in self._all_places()])

    def _all_places(self) -> list[Place]:
        """All partitions of the topics."""
        if self._options.consume_partitions:
            chosen = self._options.consume_partitions
            return [(topic, int(partition)) for topic, partitions in chosen.items() for partition in partitions]
        until, places = self._places
        if time.monotonic() >= until:
            names = self._options.topics
            if self._options.consume_regexp:
                assigned = {one.topic for one in self._client.assignment()}
                names = sorted(assigned)
            places = []
            for name in names:
                found = self._client.list_topics(name, timeout=_ANSWER).topics[name]
                places += [(name, partition) for partition in found.partitions]
            if places:
                self._places = (time.monotonic() + _PARTITIONS_FOR, places)
        return places

    def _starts(self, partitions: Sequence[TopicPartition]) -> dict[Place, Start]:
        starts: dict[Place, Start] = {}
        fresh: list[Place] = []
        committed: list[TopicPartition] = []
        if self._committed and partitions:
            committed = self._read_committed(list(partitions))
        for one in committed:
            if one.offset >= 0:
                starts[one.topic, one.partition] = (one.offset, read_metadata(_metadata(one)))
        for one in partitions:
            if (one.topic, one.partition) not in starts:
                fresh.append((one.topic, one.partition))
        return {**starts, **self._configured(fresh)}

    def _read_committed(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """The committed offsets; asked again while their metadata are not readable, which differs from time to time."""
        for _ in range(_MOST_READS):
            found = _insist(lambda: self._client.committed(partitions, timeout=_ANSWER))
            if all(_metadata(one) is not None for one in found):
                break
        return found

    def _configured(self, places: Sequence[Place]) -> dict[Place, Start]:
        """Where the config says to begin."""
        asked: list[tuple[str, int, int]] = []
        for topic, partition in places:
            offset = self._offset_of(topic, partition)
            time_or_end = {"AtEnd": _LATEST, "AfterMilli": offset.value}.get(offset.type, _EARLIEST)
            asked.append((topic, partition, time_or_end))
        found: dict[Place, Start] = {}
        for place, offset_found in self._by_time(asked).items():
            offset = self._offset_of(*place)
            if offset.type == "At":
                offset_found = max(offset_found, offset.value)
            elif offset.type == "Relative":
                offset_found = max(offset_found, offset_found + offset.value)
            found[place] = (offset_found, [])
        return found

    def _offset_of(self, topic: str, partition: int) -> OffsetConfig:
        own = self._options.consume_partitions.get(topic, {}).get(str(partition))
        return own or self._options.consumer_offset

    def _by_time(self, asked: Sequence[tuple[str, int, int]]) -> dict[Place, int]:
        if not asked:
            return {}
        wanted = [TopicPartition(*one) for one in asked]
        answers = _insist(lambda: self._client.offsets_for_times(wanted, timeout=_ANSWER))
        late = [(one.topic, one.partition) for one in answers if one.offset == OFFSET_END]  # no record after a time
        found = {(one.topic, one.partition): one.offset for one in answers if one.offset != OFFSET_END}
        return {**found, **self._ends(late)} if late else found

    # -- the end -------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Leave the group."""
        try:
            await self._run(self._poller, self._client.close)
        finally:
            self._poller.shutdown(wait=False)
            self._committer.shutdown(wait=False)

    async def _run(self, thread: ThreadPoolExecutor, call: Callable[..., T], *arguments: object) -> T:
        try:
            return await self._loop.run_in_executor(thread, call, *arguments)
        except KafkaException as error:
            raise BrokerError(error_text(error.args[0])) from error
        except RuntimeError as error:  # the consumer was closed meanwhile
            raise BrokerError(str(error)) from error

    def _call(self, call: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)


def _committable(offsets: Mapping[Place, Committed]) -> list[TopicPartition]:
    return [TopicPartition(*place, offset, metadata) for place, (offset, metadata) in offsets.items()]


def _metadata(one: TopicPartition) -> str | None:
    """The metadata of a commit. The library does not end them, so the memory behind them may be no text."""
    try:
        return one.metadata or ""
    except UnicodeDecodeError:
        return None


def _insist(ask: Callable[[], list[TopicPartition]]) -> list[TopicPartition]:
    """An answer without errors that pass; they last for moments.

    Raises:
        KafkaException
    """
    until = time.monotonic() + _ANSWER
    while True:
        try:
            found = ask()
            for one in found:
                if one.error is not None:
                    raise KafkaException(one.error)
        except KafkaException as error:
            if error.args[0].code() not in _PASSING or time.monotonic() > until:
                raise
            time.sleep(_AGAIN)
        else:
            return found
