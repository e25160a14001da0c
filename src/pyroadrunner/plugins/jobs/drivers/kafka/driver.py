"""Topics of Kafka.

**Theory of operation.** One producer pushes. A consumer joins the group when jobs are wanted; a task polls it and puts
the records into a buffer, another one delivers from there as the pipeline has room. Jobs end in any order: `Offsets`
keeps account of each partition, and a task commits what has changed, some times a second, always after the jobs.

Before partitions go to another member, their jobs are finished and committed. A paused pipeline stays in its group for
some seconds, so that a short pause moves no partitions.

Kafka has no delays and no attempts: a record that is to run later waits in memory until its time, and a failed job is
pushed again with its count, then the original counts as done.

The client library finds the brokers of its cluster by itself and replaces those that fail. When it has lost all of
them, the connection is lost.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import time
import uuid
from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import (
    BrokerError,
    BrokerRefused,
    BrokerStats,
    Delivery,
    Driver,
    Headers,
    Host,
    Job,
    PushRefused,
)
from pyroadrunner.plugins.jobs.drivers.kafka.config import KafkaConfig, KafkaSection
from pyroadrunner.plugins.jobs.drivers.kafka.consumer import RecordConsumer
from pyroadrunner.plugins.jobs.drivers.kafka.message import Record, headers_of, read_record
from pyroadrunner.plugins.jobs.drivers.kafka.offsets import Offsets
from pyroadrunner.plugins.jobs.drivers.kafka.positions import Place, Positions, Start
from pyroadrunner.plugins.jobs.drivers.kafka.producer import Outgoing, RecordProducer, error_text
from pyroadrunner.plugins.jobs.drivers.kafka.settings import connection_settings, consumer_settings, producer_settings

_BUFFER = 500  # records that wait for room
_MOST_DELAYED = 10_000  # records that wait for their time; then no more are fetched
_LINGER = 5.0  # seconds that a paused pipeline stays in its group
_JOIN = 5.0  # seconds to wait for partitions
_HANDOVER = 30.0  # seconds to finish jobs before their partition goes
_COMMIT_EVERY = 0.05
_NAP = 0.1
_POLL, _IDLE_POLL = 0.05, 0.25  # seconds to wait for records
_TAKE = 5.0
_STAT = 5.0
_SETTLE = 0.5  # seconds for the reason of a lost connection to arrive
_CLOSE = 4.0  # less than the pipeline's limit
_MOST_READS = 10
_PARTITIONS_FOR = 60.0  # seconds for which the number of partitions is remembered

_REFUSED = (
    KafkaError._AUTHENTICATION,
    KafkaError._SSL,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.UNSUPPORTED_SASL_MECHANISM,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
)

log = Log("jobs")


@dataclass(slots=True, eq=False)
class _Received:
    """A record that waits or is held; the receipt of its delivery."""

    record: Record
    place: Place
    offset: int
    account: Offsets


class KafkaDriver(Driver):
    """Topics of Kafka."""

    def __init__(self, host: Host, config: KafkaConfig, section: KafkaSection) -> None:
        self._host = host
        self._config = config
        self._section = section
        self._topic = config.topic or _first_topic(config)
        self._own_group = f"rr-{uuid.uuid4()}"
        self._numbers = itertools.count()
        self._turns = itertools.count(random.randrange(1000))  # of RoundRobin
        self._partitions: dict[str, tuple[float, int]] = {}
        self._reset()

    def _reset(self) -> None:
        self._producer: RecordProducer | None = None
        self._admin: AdminClient | None = None
        self._positions: Positions | None = None
        self._consumer: RecordConsumer | None = None
        self._wrong: asyncio.Future[KafkaError] | None = None  # what makes a connection impossible
        self._refusal: KafkaError | None = None  # why the brokers refuse this client
        self._accounts: dict[Place, Offsets] = {}
        self._buffer: deque[_Received] = deque()
        self._arrived = asyncio.Event()  # records are in the buffer
        self._drained = asyncio.Event()  # the poller may have something to do
        self._delayed: list[tuple[float, int, _Received]] = []  # a heap by due time and arrival
        self._timer: asyncio.TimerHandle | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._poller: asyncio.Task[None] | None = None
        self._committer: asyncio.Task[None] | None = None
        self._joined = asyncio.Event()
        self._settled = asyncio.Event()  # there may be something to commit
        self._handing_over = asyncio.Event()  # a held record was settled
        self._changed: set[Place] = set()  # partitions to commit
        self._committed: dict[Place, tuple[int, str]] = {}
        self._wanted = 0  # records that take() waits for
        self._idle_since = 0.0
        self._closing = False
        self._joining = asyncio.Lock()
        self._taking = asyncio.Lock()
        self._warned: set[str] = set()

    def __repr__(self) -> str:
        return f"KafkaDriver({self._section.brokers}, {len(self._buffer)} waiting, {self._accounts})"

    # -- connection ----------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        config, common = self._config, connection_settings(self._section, self._config)
        self._reset()
        self._wrong = asyncio.get_running_loop().create_future()
        self._refusal = None
        try:
            settings = producer_settings(config.producer_options, self._host.timeout)
            self._producer = RecordProducer({**common, **settings}, self._on_error)
            await self._ping()
            options, group = config.consumer_options, config.group_options
            if options is not None or config.auto_create_topics_enable:
                self._admin = AdminClient(common)
                if config.auto_create_topics_enable:
                    await self._create_topics(self._admin)
            if options is not None and self._admin is not None:
                self._positions = Positions(self._admin, options, group.group_id if group else None)
                self._consumer = RecordConsumer(
                    {**common, **consumer_settings(options, group, self._own_group)},
                    options,
                    self._positions,
                    group is not None,
                    self._on_error,
                    self._host.lost,
                    self._on_assigned,
                    self._on_revoked,
                    self._on_lost,
                    self._on_committed,
                )
        except KafkaException as error:  # a setting that the library does not take, such as an unreadable file
            raise BrokerRefused(error_text(error.args[0])) from error
        self._committer = asyncio.create_task(self._commit_changes(), name=f"jobs {self._host.name} offsets")

    async def disconnect(self) -> None:
        self._closing = True
        self._handing_over.set()
        lost = self._wrong is not None and self._wrong.done()
        tasks = [task for task in (self._feeder, self._poller, self._committer) if task is not None]
        self._feeder = self._poller = self._committer = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        consumer, self._consumer = self._consumer, None
        producer, self._producer = self._producer, None
        self._admin = self._positions = None
        try:
            if consumer is not None:
                await self._close(consumer, lost)
        finally:
            self._accounts.clear()
            if producer is not None:
                await producer.close()

    async def _close(self, consumer: RecordConsumer, lost: bool) -> None:
        """Commit and leave the group, without a broker in the background only."""
        self._changed.update(self._accounts)
        offsets = {} if lost else self._to_commit(self._accounts)
        if lost:
            self._accounts.clear()
        try:
            async with asyncio.timeout(0 if lost else _CLOSE):
                await consumer.close(offsets)
        except (BrokerError, TimeoutError) as error:
            if not lost:
                why = str(error) or f"no answer within {_CLOSE:g} s"
                log.warning("consumer could not leave its group", pipeline=self._host.name, error=why)

    async def _ping(self) -> None:
        """Ask a broker for the topic, until it answers or can't."""
        producer, wrong = self._producer, self._wrong
        assert producer is not None
        assert wrong is not None
        until = time.monotonic() + (self._section.ping.timeout or 10.0)
        while True:
            asked: asyncio.Future[KafkaError | None]
            asked = asyncio.ensure_future(asyncio.to_thread(_answers, producer, self._topic))
            either: set[asyncio.Future[Any]] = {asked, wrong}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if wrong.done():
                await asyncio.wait([asked])
                if self._refusal is None:
                    await asyncio.sleep(_SETTLE)  # the library's threads report the reason and the loss in any order
                self._raise(self._refusal or wrong.result())
            error = asked.result()
            if error is None:
                return
            if error.code() != KafkaError._TRANSPORT and error.code() != KafkaError._TIMED_OUT:
                self._raise(error)
            if time.monotonic() > until:
                raise BrokerError(error_text(error))

    async def _create_topics(self, admin: AdminClient) -> None:
        """Create the topics that are missing."""
        options = self._config.consumer_options
        names = {self._topic} if self._topic else set()
        if options is not None and not options.consume_regexp:
            names |= {*options.topics, *options.consume_partitions}
        if not names:
            return
        for future in admin.create_topics([NewTopic(name) for name in sorted(names)]).values():
            try:
                await asyncio.wrap_future(future)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    self._raise(error.args[0])

    def _on_error(self, error: KafkaError) -> None:
        gone = error.fatal() or error.code() == KafkaError._ALL_BROKERS_DOWN
        if error.code() in _REFUSED:
            self._refusal = error
        elif not gone:
            return  # one of several brokers
        if self._wrong is not None and not self._wrong.done():
            self._wrong.set_result(error)
        self._host.lost(error_text(error))

    def _raise(self, error: KafkaError) -> None:
        raise (BrokerRefused if error.code() in _REFUSED else BrokerError)(error_text(error))

    # -- pushing -------------------------------------------------------------------------------------------------------

    async def push(self, jobs: Sequence[Job]) -> None:
        await self._push([(job, None) for job in jobs])

    async def _push(self, jobs: Sequence[tuple[Job, Record | None]]) -> None:
        producer = self._producer
        if producer is None:
            raise BrokerError("not connected")
        records: list[Outgoing] = []
        refused: PushRefused | None = None
        stuck = random.randrange(1_000_000)  # of Sticky
        for job, received in jobs:
            topic = job.topic or self._topic
            if not topic:
                refused = PushRefused("cannot produce record with no topic and no default topic")
                break
            key = received.key_of_copy() if received else job.id.encode()
            headers = headers_of(job, time.time(), received)
            partition = await self._partition(producer, topic, job, stuck)
            records.append(Outgoing(topic, key, job.payload, headers, partition))
        await producer.push(records)
        if refused is not None:
            raise refused

    async def _partition(self, producer: RecordProducer, topic: str, job: Job, stuck: int) -> int:
        """The partition by the strategy; -1 = by the key."""
        strategy = self._config.producer_options.partitioning_strategy
        if strategy in ("Uniform", ""):
            return -1
        if strategy == "Manual":
            return job.partition
        until, count = self._partitions.get(topic, (0.0, 0))
        if time.monotonic() > until:
            for _ in range(_MOST_READS):  # a new topic has none at first
                try:
                    found = await asyncio.to_thread(producer.client.list_topics, topic, 5.0)
                except KafkaException as error:
                    raise BrokerError(error_text(error.args[0])) from error
                if count := len(found.topics[topic].partitions):
                    self._partitions[topic] = (time.monotonic() + _PARTITIONS_FOR, count)
                    break
                await asyncio.sleep(_NAP)
        if not count:
            return -1
        return (stuck if strategy == "Sticky" else next(self._turns)) % count

    # -- consuming -----------------------------------------------------------------------------------------------------

    async def consume(self) -> None:
        if self._consumer is None:
            if self._config.consumer_options is None:
                log.warning("pipeline has no consumer_options and receives no jobs", pipeline=self._host.name)
            return
        self._feeder = asyncio.create_task(self._feed(), name=f"jobs {self._host.name}")
        self._drained.set()
        await self._join(self._consumer)

    async def cancel(self) -> None:
        feeder, self._feeder = self._feeder, None
        self._idle_since = time.monotonic()
        if feeder is not None:
            feeder.cancel()
            await asyncio.wait([feeder])

    async def _join(self, consumer: RecordConsumer) -> None:
        async with self._joining:
            self._idle_since = time.monotonic()
            if self._poller is None:
                self._joined.clear()
                await consumer.join()
                self._poller = asyncio.create_task(self._poll(consumer), name=f"jobs {self._host.name} poll")
        try:
            async with asyncio.timeout(_JOIN):
                await self._joined.wait()
        except TimeoutError:
            log.warning("pipeline has no partitions yet", pipeline=self._host.name)

    async def _poll(self, consumer: RecordConsumer) -> None:
        """Fetch while records are wanted; otherwise only answer the group, and leave it after a while."""
        try:
            while True:
                self._drained.clear()
                busy = consumer.unanswered > 0 or any(account.held for account in self._accounts.values())
                if self._lacking():
                    self._receive(await consumer.fetch(_BUFFER, _POLL if busy else _IDLE_POLL))
                    continue
                try:
                    async with asyncio.timeout(_NAP if busy or self._feeder is None else 1.0):
                        await self._drained.wait()
                except TimeoutError:
                    self._receive(await consumer.idle())
                    if self._may_leave():
                        async with self._joining:
                            if self._may_leave():
                                await consumer.leave()
                                self._poller = None
                                return
        except BrokerError as error:
            self._host.lost(str(error))
        except Exception as bug:  # a pipeline that receives nothing more must not look healthy
            self._host.lost(repr(bug))
            raise

    def _lacking(self) -> bool:
        """Whether to fetch."""
        if len(self._delayed) >= _MOST_DELAYED:
            return False
        return len(self._buffer) < max(_BUFFER if self._feeder is not None else 0, self._wanted)

    def _may_leave(self) -> bool:
        return (
            self._feeder is None
            and not self._wanted
            and not any(account.held for account in self._accounts.values())
            and time.monotonic() - self._idle_since > _LINGER
        )

    async def _feed(self) -> None:
        """Deliver as many records as the pipeline has room for."""
        while True:
            while not self._buffer:
                self._arrived.clear()
                await self._arrived.wait()
            room = await self._host.room(self._config.prefetch)
            while room and self._buffer:
                room -= 1
                self._host.deliver(self._delivery(self._buffer.popleft()))
            if len(self._buffer) < _BUFFER // 2:
                self._drained.set()

    def _receive(self, messages: Sequence[Message]) -> None:
        now = time.time()
        for message in messages:
            if (error := message.error()) is not None:
                self._report(error)
                continue
            place = (message.topic() or "", message.partition() or 0)
            offset = message.offset() or 0
            account = self._accounts.get(place)
            if account is None:
                continue  # of a partition that has gone
            if not account.receive(offset):
                self._change(place)
                continue
            record = read_record(
                message.key(), message.value(), message.headers(), self._host.name, self._config.priority
            )
            record.job = replace(record.job, topic=place[0], partition=place[1], offset=offset)
            received = _Received(record, place, offset, account)
            if record.due > now:
                self._delay(received, record.due)
            else:
                self._buffer.append(received)
        self._arrived.set()

    def _report(self, error: KafkaError) -> None:
        """An error instead of a record."""
        if error.fatal() or error.code() in _REFUSED:
            self._on_error(error)
        elif error_text(error) not in self._warned:
            self._warned.add(error_text(error))
            log.warning("Kafka reports an error", pipeline=self._host.name, error=error_text(error))

    def _delivery(self, received: _Received) -> Delivery:
        received.account.held += 1
        topic, partition = received.place
        order: Hashable = None
        if self._config.order_key == "partition":
            order = received.place
        elif self._config.order_key == "key" and received.record.key is not None:
            order = (received.place, received.record.key)
        return Delivery(
            job=received.record.job,
            receipt=received,
            queue=topic,
            more={"topic": topic, "partition": partition, "offset": received.offset},
            order_key=order,
        )

    # -- delayed records -----------------------------------------------------------------------------------------------

    def _delay(self, received: _Received, due: float) -> None:
        heapq.heappush(self._delayed, (due, next(self._numbers), received))
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._delayed:
            wait = min(max(0.0, self._delayed[0][0] - time.time()), 60.0)  # the clock may be set meanwhile
            self._timer = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        now = time.time()
        while self._delayed and self._delayed[0][0] <= now:
            self._buffer.append(heapq.heappop(self._delayed)[2])
        self._arrived.set()
        self._drained.set()
        self._set_timer()

    # -- the end of a delivery -----------------------------------------------------------------------------------------

    def ack(self, delivery: Delivery) -> None:
        self._finish(self._held(delivery))

    def nack(self, delivery: Delivery) -> None:
        self._finish(self._held(delivery))

    async def redeliver(self, delivery: Delivery, delay: int) -> None:
        received = self._held(delivery)
        try:
            await self._push([(delivery.failed_copy(delay), received.record)])
        except PushRefused:  # too large with the headers of the attempt: this attempt is not counted
            self._unhold(received)
            self._delay(received, time.time() + delay)
        else:
            self._finish(self._held(delivery))

    async def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> None:
        received = self._held(delivery)
        await self._push([(delivery.job.copy(headers, delay), received.record)])
        self._finish(self._held(delivery))

    def release(self, delivery: Delivery) -> None:
        received: _Received = delivery.receipt
        if self._accounts.get(received.place) is received.account:
            self._unhold(received)
            self._buffer.appendleft(received)
            self._arrived.set()

    def _held(self, delivery: Delivery) -> _Received:
        received: _Received = delivery.receipt
        if self._accounts.get(received.place) is not received.account:
            raise BrokerError("its partition has moved to another consumer")
        return received

    def _unhold(self, received: _Received) -> None:
        received.account.held -= 1
        self._handing_over.set()

    def _finish(self, received: _Received) -> None:
        received.account.finish(received.offset)
        self._unhold(received)
        self._change(received.place)

    # -- offsets and partitions ----------------------------------------------------------------------------------------

    def _change(self, place: Place) -> None:
        self._changed.add(place)
        self._settled.set()

    async def _commit_changes(self) -> None:
        while True:
            await asyncio.sleep(_COMMIT_EVERY)
            if not self._changed:
                self._settled.clear()
                await self._settled.wait()
                continue
            if (consumer := self._consumer) is None:
                return
            if consumer.unanswered:
                continue
            try:
                await self._commit(consumer)
            except BrokerError as error:
                log.debug("offsets could not be committed yet", pipeline=self._host.name, error=str(error))
                await asyncio.sleep(_NAP)

    async def _commit(self, consumer: RecordConsumer) -> None:
        """Commit what has changed.

        Raises:
            BrokerError
        """
        offsets = self._to_commit(self._accounts)
        if not offsets:
            return
        try:
            await consumer.commit(offsets)
        except BrokerError:
            self._changed |= offsets.keys()
            raise
        self._committed |= offsets

    def _on_committed(self, places: Sequence[Place], error: KafkaError | None) -> None:
        if error is None:
            return
        if self._closing:
            log.warning("offsets could not be committed", pipeline=self._host.name, error=error_text(error))
        else:  # while partitions move
            log.debug("offsets could not be committed yet", pipeline=self._host.name, error=error_text(error))
        for place in places:
            self._committed.pop(place, None)
            if place in self._accounts:
                self._change(place)

    def _to_commit(self, places: Iterable[Place]) -> dict[Place, tuple[int, str]]:
        """The offsets of those that have changed."""
        changed = self._changed.intersection(places)
        self._changed -= changed
        found = {place: self._accounts[place].commit() for place in changed if place in self._accounts}
        return {place: offset for place, offset in found.items() if self._committed.get(place) != offset}

    def _on_assigned(self, starts: Mapping[Place, Start]) -> None:
        for place, (offset, done) in starts.items():
            self._accounts[place] = Offsets(offset, done)
            self._committed.pop(place, None)
        self._joined.set()

    async def _on_revoked(self, places: Sequence[Place]) -> dict[Place, tuple[int, str]]:
        """Finish the jobs of partitions; return what is to be committed."""
        self._drop_waiting(places)
        try:
            async with asyncio.timeout(_HANDOVER):
                while not self._closing and any(self._accounts[one].held for one in places if one in self._accounts):
                    self._handing_over.clear()
                    await self._handing_over.wait()
        except TimeoutError:
            log.warning("partitions move while their jobs run", pipeline=self._host.name)
        # A commit that is under way may be refused since the group is changing, and says so only afterwards.
        self._changed.update(place for place in places if place in self._accounts)
        offsets = self._to_commit(places)
        self._on_lost(places)
        return offsets

    def _on_lost(self, places: Sequence[Place]) -> None:
        self._drop_waiting(places)
        for place in places:
            self._accounts.pop(place, None)
            self._changed.discard(place)

    def _drop_waiting(self, places: Sequence[Place]) -> None:
        gone = set(places)
        self._buffer = deque(one for one in self._buffer if one.place not in gone)
        self._delayed = [entry for entry in self._delayed if entry[2].place not in gone]
        heapq.heapify(self._delayed)

    # -- for operators -------------------------------------------------------------------------------------------------

    async def take(self, limit: int) -> Sequence[Delivery]:
        consumer, positions = self._consumer, self._positions
        if consumer is None or positions is None:
            if self._producer is None:
                raise BrokerError("not connected")
            return []
        async with self._taking:
            self._wanted = limit
            try:
                await self._join(consumer)
                ends = await positions.ends(self._accounts)
                until = time.monotonic() + _TAKE
                self._drained.set()
                while len(self._buffer) < limit and time.monotonic() < until:
                    if all(self._received(place) >= end for place, end in ends.items()):
                        break
                    self._arrived.clear()
                    try:
                        async with asyncio.timeout(_NAP):
                            await self._arrived.wait()
                    except TimeoutError:
                        self._drained.set()
                count = min(limit, len(self._buffer))
                return [self._delivery(self._buffer.popleft()) for _ in range(count)]
            finally:
                self._wanted = 0
                self._idle_since = time.monotonic()
                self._arrived.set()

    def _received(self, place: Place) -> int:
        account = self._accounts.get(place)
        return account.received if account else 2**63

    async def stat(self) -> BrokerStats:
        positions, options = self._positions, self._config.consumer_options
        if positions is None or options is None:
            return BrokerStats(queue="NO TOPICS")
        error = ""
        try:
            async with asyncio.timeout(_STAT):
                left = await self._left(positions)
        except (BrokerError, TimeoutError) as wrong:
            why = str(wrong) or f"no answer within {_STAT:g} s"
            error = f"Kafka does not tell its offsets, so only jobs that are here count: {why}"
        held, delayed = sum(account.held for account in self._accounts.values()), len(self._delayed)
        return BrokerStats(
            queue=f"[{' '.join(options.topics or options.consume_partitions)}]",
            active=len(self._buffer) if error else max(0, left - delayed - held),
            delayed=delayed,
            reserved=held,
            error=error,
        )

    async def _left(self, positions: Positions) -> int:
        """How many jobs of all partitions are not done.

        Raises:
            BrokerError
        """
        places = {*await positions.places(), *self._accounts}
        starts = await positions.starts(places - self._accounts.keys())
        left = 0
        for place, end in (await positions.ends(places)).items():
            if (account := self._accounts.get(place)) is not None:
                left += max(0, end - account.position - account.finished_ahead())
            elif place in starts:  # otherwise it has moved meanwhile
                start, done = starts[place]
                left += max(0, end - start - sum(last - first + 1 for first, last in done))
        return left


def _first_topic(config: KafkaConfig) -> str:
    options = config.consumer_options
    if options is None or options.consume_regexp:
        return ""
    return next(iter(options.topics or options.consume_partitions), "")


def _answers(producer: RecordProducer, topic: str) -> KafkaError | None:
    """Whether a broker answers within half a second; otherwise why not."""
    try:
        producer.client.list_topics(topic or None, timeout=0.5)
    except KafkaException as error:
        found: KafkaError = error.args[0]
        return found
    return None
