"""Receives records and commits offsets. A thread of its own makes all calls of the client.

The client admits one call at a time: the others wait, in no order. So none of ours may wait for a broker: commits are
asynchronous, and :class:`Positions` asks with another client.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError
from pyroadrunner.plugins.jobs.drivers.kafka.calls import CallThread
from pyroadrunner.plugins.jobs.drivers.kafka.config import ConsumerConfig
from pyroadrunner.plugins.jobs.drivers.kafka.positions import Committed, Place, Positions, Start, committable, places_of
from pyroadrunner.plugins.jobs.drivers.kafka.producer import error_text
from pyroadrunner.plugins.jobs.drivers.kafka.settings import topic_patterns

T = TypeVar("T")

_HANDOVER = 35.0  # seconds

log = Log("jobs")


class RecordConsumer:
    """A consumer.

    Attributes:
        unanswered: commits without an answer yet.

    Args:
        committed: whether a group keeps the offsets.
        on_error: called in the loop with errors of connections.
        on_broken: called in the loop with what makes the consumer useless.
        on_assigned: called in the loop with new partitions, before their first record.
        on_revoked: awaited in the loop before partitions go to another member; returns what is to be committed.
        on_lost: called in the loop with partitions that others may have already.
        on_committed: called in the loop with the answer to each commit: the partitions, and an error.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        options: ConsumerConfig,
        positions: Positions,
        committed: bool,
        on_error: Callable[[KafkaError], None],
        on_broken: Callable[[str], None],
        on_assigned: Callable[[Mapping[Place, Start]], None],
        on_revoked: Callable[[Sequence[Place]], Coroutine[Any, Any, Mapping[Place, Committed]]],
        on_lost: Callable[[Sequence[Place]], None],
        on_committed: Callable[[Sequence[Place], KafkaError | None], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._options = options
        self._positions = positions
        self._committed = committed
        self._on_broken = on_broken
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._on_lost = on_lost
        self._on_committed = on_committed
        self._thread = CallThread("kafka consumer")
        self._assigning: Future[Any] | None = None  # what the thread waits for in the loop
        self._revoking: Future[Any] | None = None
        self._paused: bool | None = None  # None = some partitions may be, as after an assignment
        self._abandoned = False  # nothing is called any more
        self.unanswered = 0  # commits
        self._client = Consumer(
            {**settings, "error_cb": lambda error: self._call(on_error, error), "on_commit": self._answered}
        )

    # -- partitions ----------------------------------------------------------------------------------------------------

    async def join(self) -> None:
        """Ask for partitions; they come while records are fetched.

        Raises:
            BrokerError
        """
        starts: Mapping[Place, Start] | None = None
        if not self._subscribes:
            starts = await self._positions.starts(await self._positions.places())
        await self._run(self._join, starts)

    async def leave(self) -> None:
        """Give all partitions back."""
        await self._run(self._leave)

    @property
    def _subscribes(self) -> bool:
        """Whether the group assigns the partitions."""
        return bool(self._options.topics) and self._committed

    def _join(self, starts: Mapping[Place, Start] | None) -> None:
        if starts is None:
            self._client.subscribe(
                topic_patterns(self._options), on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose
            )
            return
        self._client.assign([TopicPartition(*place, start) for place, (start, _) in starts.items()])
        self._paused = None
        self._call(self._on_assigned, starts)

    def _leave(self) -> None:
        self._resume()  # a partition that is paused when it goes comes back paused, now and then
        if self._subscribes:
            self._client.unsubscribe()
            until = time.monotonic() + _HANDOVER
            while self._client.assignment() and time.monotonic() < until:
                self._client.poll(0.05)
        else:
            self._hand_over(self._client.assignment())
            self._client.unassign()

    def _assign(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        if self._abandoned:
            return
        try:
            asked = self._positions.starts(places_of(partitions))
            self._assigning = asyncio.run_coroutine_threadsafe(asked, self._loop)
            starts: Mapping[Place, Start] = self._assigning.result()
        except BrokerError as error:
            self._call(self._on_broken, str(error))
            return
        except CancelledError:  # the consumer closes
            return
        client.incremental_assign([TopicPartition(*place, start) for place, (start, _) in starts.items()])
        self._paused = None
        self._call(self._on_assigned, starts)

    def _revoke(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        self._hand_over(partitions)
        client.incremental_unassign(partitions)

    def _hand_over(self, partitions: Sequence[TopicPartition]) -> None:
        """Commit what is done. The request goes out before the one to join the group again, or to leave it."""
        if self._abandoned:
            return
        self._revoking = asyncio.run_coroutine_threadsafe(self._revoked(places_of(partitions)), self._loop)
        try:
            self._commit(self._revoking.result(_HANDOVER))
        except CancelledError:  # the driver closes, and has waited long enough
            pass

    async def _revoked(self, places: Sequence[Place]) -> Mapping[Place, Committed]:
        return {} if self._abandoned else await self._on_revoked(places)

    def _lose(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        if not self._abandoned:
            where = sorted({one.topic for one in partitions})
            log.warning("consumer was silent for too long and lost its partitions; jobs may run twice", topics=where)
        self._call(self._on_lost, places_of(partitions))
        client.incremental_unassign(partitions)

    # -- records -------------------------------------------------------------------------------------------------------

    async def fetch(self, limit: int, seconds: float) -> list[Message]:
        """Wait a moment for records; return up to ``limit``. This and :meth:`idle` bring all calls of the group."""
        return await self._run(self._fetch, limit, seconds)

    async def idle(self) -> list[Message]:
        """Fetch nothing, but answer the group; return what has arrived already."""
        return await self._run(self._idle)

    def _fetch(self, limit: int, seconds: float) -> list[Message]:
        self._resume()
        first = self._client.poll(seconds)
        return [] if first is None else [first, *self._client.consume(limit - 1, 0.0)]

    def _resume(self) -> None:
        if self._paused is not False:
            self._client.resume(self._client.assignment())
            self._paused = False

    def _idle(self) -> list[Message]:
        if self._paused is not True:
            self._client.pause(self._client.assignment())
            self._paused = True
        first = self._client.poll(0.0)
        return [] if first is None else [first]

    # -- offsets -------------------------------------------------------------------------------------------------------

    async def commit(self, offsets: Mapping[Place, Committed]) -> None:
        """Commit offsets with their metadata. The answer comes later, with a fetch.

        Raises:
            BrokerError
        """
        await self._run(self._commit, offsets)

    def _commit(self, offsets: Mapping[Place, Committed]) -> None:
        if offsets and self._committed:
            self._client.commit(offsets=committable(offsets))
            self.unanswered += 1

    def _answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        self.unanswered -= 1
        wrong = [one for one in partitions if one.error is not None]
        if error is None and wrong:
            error = wrong[0].error
        self._call(self._on_committed, places_of(partitions), error)

    # -- the end -------------------------------------------------------------------------------------------------------

    async def close(self, offsets: Mapping[Place, Committed]) -> None:
        """Commit offsets, hand the partitions over, leave the group. This goes on in the background when the caller
        stops waiting; nothing more is called then.

        Raises:
            BrokerError
        """
        done = self._thread.submit(self._close, offsets)
        self._thread.end()
        if self._assigning is not None:
            self._assigning.cancel()
        try:
            await asyncio.shield(asyncio.wrap_future(done))
        except (KafkaException, RuntimeError) as error:
            raise BrokerError(str(error)) from error
        finally:
            self._abandoned = True
            if self._revoking is not None:
                self._revoking.cancel()

    def _close(self, offsets: Mapping[Place, Committed]) -> None:
        try:
            self._commit(offsets)
        finally:
            self._client.close()

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _run(self, call: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.wrap_future(self._thread.submit(call, *arguments))
        except KafkaException as error:
            raise BrokerError(error_text(error.args[0])) from error
        except RuntimeError as error:  # the consumer was closed meanwhile
            raise BrokerError(str(error)) from error

    def _call(self, call: Callable[..., None], *arguments: object) -> None:
        def unless_abandoned() -> None:
            if not self._abandoned:
                call(*arguments)

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(unless_abandoned)
