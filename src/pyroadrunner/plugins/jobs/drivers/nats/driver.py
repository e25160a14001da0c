"""A subject of a stream of JetStream, with a durable pull consumer.

Unlike RoadRunner's, the consumer outlives the pipeline and is shared by all servers with the same name: each job runs
once, and a restart or a resume does not begin again with the oldest one. Nothing is ever purged.

A delay: NATS has none for publishing, so the message carries it, and the server that receives it too early gives it
back for the rest of the time (a NAK with a delay).

The broker counts the deliveries of a message. Those that were no attempt (given back, looked at, received too early)
are subtracted as long as the same server receives it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import (
    ATTEMPTS,
    BrokerError,
    BrokerStats,
    Delivery,
    Done,
    Driver,
    Headers,
    Host,
    Job,
)
from pyroadrunner.plugins.jobs.drivers.nats.client import Connection, lines_of
from pyroadrunner.plugins.jobs.drivers.nats.config import NatsConfig, NatsSection, durable_name
from pyroadrunner.plugins.jobs.drivers.nats.jetstream import SECOND, ApiError, JetStream, NoStream, Publisher
from pyroadrunner.plugins.jobs.drivers.nats.message import Position, decode, encode, header_lines

_EXPIRES = 2  # seconds for which a request for messages stands, also after a pause
_LATE = 3.0  # seconds more, for the reply
_LOOK = 0.25  # seconds for which a look at the stream waits for more messages
_PAUSE = 0.5  # after a request that the broker did not accept
_MOMENT = 0.001  # seconds
_EARLY = 0.02  # seconds before its time at which a delayed job may run
_REMEMBERED = 10_000  # messages whose deliveries were not all attempts

log = Log("jobs")
_declaring: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


@dataclass(slots=True)
class _Receipt:
    """What settles a delivery.

    Attributes:
        reply: the subject for acknowledgements; a later delivery of the same message has another one.
        due: when a delayed job may run; 0 = at once.
    """

    reply: str
    sequence: int
    stored: float
    due: float

    @property
    def key(self) -> tuple[int, float]:
        """Identifies a message, also if its stream is deleted and made again."""
        return self.sequence, self.stored

    def early(self) -> float:
        """Seconds until the job may run."""
        return max(0.0, self.due - time.time()) if self.due else 0.0


class _Pull:
    """A request for messages that stands.

    Attributes:
        ends: when the broker ends it, by the clock of the loop.
        pause: seconds to wait before the next one.
    """

    def __init__(self, inbox: str, wanted: int, seconds: float) -> None:
        self.inbox = inbox
        self.ends = asyncio.get_running_loop().time() + seconds
        self.pause = 0.0
        self.over = asyncio.Event()
        self._left = wanted

    def count(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self.over.set()

    async def wait(self) -> None:
        """Wait for the last message, or the end."""
        try:
            async with asyncio.timeout_at(self.ends + _LATE):
                await self.over.wait()
        except TimeoutError:
            pass


class NatsDriver(Driver):
    """One subject of one stream."""

    receipts_survive = True  # the broker knows no connection of a delivery

    def __init__(self, host: Host, config: NatsConfig, section: NatsSection) -> None:
        self._host = host
        self._config = config
        self._section = section
        self._consumer = config.consumer or durable_name(host.name)
        self._held: dict[tuple[int, float], Delivery] = {}
        self._no_attempts: dict[tuple[int, float], int] = {}
        self._numbers = itertools.count()
        self._connection: Connection | None = None
        self._api: JetStream | None = None
        self._publisher: Publisher | None = None
        self._has_consumer = False
        self._works = False  # since connect() and consume() have succeeded
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._pull: _Pull | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._late: list[Delivery] = []  # arrived after cancel()
        self._giver: asyncio.Task[None] | None = None
        self._acknowledged: deque[str] = deque()  # subjects of acknowledgements that are not sent yet
        self._sender: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"NatsDriver({self._config.stream}/{self._config.subject}, {len(self._held)} held)"

    # -- the connection ------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        self._works = False
        self._connection = connection = Connection(self._section, self._host.name, self._lost)
        await connection.open()
        self._api = JetStream(connection, self._host.timeout)
        self._publisher = Publisher(connection)
        await self._publisher.start()
        lock = _declaring.setdefault(asyncio.get_running_loop(), asyncio.Lock())  # pipelines share a stream
        async with lock:
            await self._api.declare_stream(self._config.stream, self._config.subject)
        self._has_consumer = False
        try:
            await self._declare_consumer()  # here, so that it also gets what is pushed before the first consume()
        except ApiError as error:
            log.debug("pipeline has no consumer yet", pipeline=self._host.name, error=str(error))
        self._keeper = asyncio.create_task(self._keep(), name=f"jobs {self._host.name} ack_wait")
        await self._send()
        self._works = True

    async def disconnect(self) -> None:
        if self._sender is not None:
            await asyncio.wait([self._sender])
        connection, self._connection = self._connection, None
        tasks = [task for task in (self._feeder, self._keeper, self._giver) if task is not None]
        subscription, self._subscription = self._subscription, None
        self._feeder = self._keeper = self._giver = self._sender = self._pull = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if connection is None:
            return
        if self._works and not connection.lost:  # the pipeline stops
            await self._leave(connection, subscription)
        for delivery in self._take_late():  # the pipeline does not know them
            self._held.pop(delivery.receipt.key, None)
        self._fail("the pipeline is disconnected")
        await connection.close()

    def _lost(self, why: str) -> None:
        self._fail(why)
        self._host.lost(why)

    def _fail(self, why: str) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.fail(why)

    async def _leave(self, connection: Connection, subscription: Subscription | None) -> None:
        """Give back what is held: the broker would wait for it until `ack_wait` is over. First end the request, which
        would bring it again."""
        try:
            if subscription is not None:
                await connection.unsubscribe(subscription)
            for delivery in list(self._held.values()):
                await connection.publish(delivery.receipt.reply, b"-NAK")
            self._held.clear()
            if self._config.delete_stream_on_stop and self._api is not None:
                await self._api.ask(f"STREAM.DELETE.{self._config.stream}")
        except BrokerError as error:
            log.warning("pipeline could not clean up", pipeline=self._host.name, error=str(error))

    async def _declare_consumer(self) -> None:
        if not self._has_consumer:
            config, (_, api, _) = self._config, self._live()
            await api.declare_consumer(
                config.stream, self._consumer, config.subject, config.ack_wait, new=config.deliver_new
            )
            self._has_consumer = True

    def _live(self) -> tuple[Connection, JetStream, Publisher]:
        connection, api, publisher = self._connection, self._api, self._publisher
        if connection is None or connection.lost or api is None or publisher is None:
            raise BrokerError("NATS is not connected")
        return connection, api, publisher

    # -- jobs ----------------------------------------------------------------------------------------------------------

    async def push(self, jobs: Sequence[Job]) -> None:
        _, _, publisher = self._live()
        messages = [(encode(job), header_lines(job.headers)) for job in jobs]
        try:
            await publisher.publish(self._config.subject, messages)
        except NoStream as error:
            self._begin_again(str(error))  # connect() makes the stream, or gives it the subject
            raise

    def ack(self, delivery: Delivery) -> Done:
        if delivery.job.auto_ack or self._config.delete_after_ack:
            return self._ack(delivery)
        self._live()
        self._forget(delivery)
        self._acknowledged.append(delivery.receipt.reply)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send(), name=f"jobs {self._host.name} acknowledgements")
        return None

    async def _send(self) -> None:
        """Send acknowledgements: one task for those of a moment."""
        try:
            while self._acknowledged:
                connection, _, _ = self._live()
                await connection.publish(self._acknowledged[0], b"+ACK")
                self._acknowledged.popleft()
        except BrokerError:
            pass  # the next connection sends the rest

    async def _ack(self, delivery: Delivery) -> None:
        connection, _, _ = self._live()
        if delivery.job.auto_ack:  # it runs only now: the broker must know that for certain
            await connection.request(delivery.receipt.reply, b"+ACK", self._host.timeout)
            self._forget(delivery)
        else:
            await self._say(delivery, b"+ACK")
        if self._config.delete_after_ack:
            await self._delete(delivery)

    async def nack(self, delivery: Delivery) -> None:
        await self._say(delivery, b"+TERM")

    async def redeliver(self, delivery: Delivery, delay: int) -> None:
        await self._say(delivery, _nak(delay), forget=False)

    async def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> None:
        await self.push([delivery.job.copy(headers, delay)])
        await self._say(delivery, b"+ACK")
        await self._delete(delivery)

    async def release(self, delivery: Delivery) -> None:
        self._count_no_attempt(delivery.receipt.key)
        await self._say(delivery, _nak(delivery.receipt.early()), forget=False)

    async def _say(self, delivery: Delivery, word: bytes, *, forget: bool = True) -> None:
        """Settle a delivery; messages of a connection are handled in their order."""
        connection, _, _ = self._live()
        key = delivery.receipt.key
        self._held.pop(key, None)  # before: the next delivery may come at once
        try:
            await connection.publish(delivery.receipt.reply, word)
        except BaseException:
            self._held.setdefault(key, delivery)
            raise
        if forget:
            self._no_attempts.pop(key, None)

    def _forget(self, delivery: Delivery) -> None:
        self._held.pop(delivery.receipt.key, None)
        self._no_attempts.pop(delivery.receipt.key, None)

    async def _delete(self, delivery: Delivery) -> None:
        _, api, _ = self._live()
        await api.delete_message(self._config.stream, delivery.receipt.sequence)

    def _count_no_attempt(self, key: tuple[int, float]) -> None:
        self._no_attempts[key] = self._no_attempts.pop(key, 0) + 1
        if len(self._no_attempts) > _REMEMBERED:
            del self._no_attempts[next(iter(self._no_attempts))]

    # -- receiving -----------------------------------------------------------------------------------------------------

    async def consume(self) -> None:
        try:
            connection, _, _ = self._live()
            await self._declare_consumer()
            if self._subscription is None:
                self._inbox = connection.inbox()
                self._subscription = await connection.subscribe(f"{self._inbox}.*", self._received)
        except BaseException:
            self._works = False
            raise
        self._feeder = asyncio.create_task(self._feed(), name=f"jobs {self._host.name}")
        for delivery in self._take_late():
            self._host.deliver(delivery)

    async def cancel(self) -> None:
        """The request that stands ends by itself, and what it has brought is then given back: before, it would bring
        that again. Without the subscription the broker would drop what is on its way, and deliver it only after
        `ack_wait`."""
        feeder, self._feeder = self._feeder, None
        if feeder is not None:
            feeder.cancel()
            await asyncio.wait([feeder])

    def _take_late(self, limit: int | None = None) -> list[Delivery]:
        found, self._late = self._late[:limit], self._late[len(self._late) if limit is None else limit :]
        return found

    async def _give_back(self) -> None:
        """Give back what has arrived after `cancel()`, when no request stands any more."""
        if self._pull is not None:
            await self._pull.wait()
        try:
            for delivery in self._take_late():
                await self.release(delivery)
        except BrokerError:
            pass  # reported as lost

    async def take(self, limit: int) -> Sequence[Delivery]:
        connection, _, _ = self._live()
        await self._declare_consumer()
        found = self._take_late(limit)
        if len(found) == limit:
            return found
        limit -= len(found)
        pull = _Pull(connection.inbox(), limit, _LOOK)

        async def receive(message: Msg) -> None:
            if (delivery := await self._read(message, pull)) is not None:
                found.append(delivery)

        subscription = await connection.subscribe(pull.inbox, receive)
        try:
            # Not `no_wait`: the broker may still be handling what was given back a moment ago.
            await self._request(connection, pull.inbox, {"batch": limit, "expires": int(_LOOK * SECOND)})
            await pull.wait()
        finally:
            await connection.unsubscribe(subscription)
        return found

    async def stat(self) -> BrokerStats:
        config, (_, api, _) = self._config, self._live()
        if not self._has_consumer:
            return BrokerStats(queue=config.subject)
        info = await api.ask(f"CONSUMER.INFO.{config.stream}.{self._consumer}")
        return BrokerStats(queue=config.subject, active=int(info["num_ack_pending"]), reserved=int(info["num_pending"]))

    async def _feed(self) -> None:
        """Request as many messages as the pipeline wants."""
        prefetch = self._config.prefetch
        try:
            while True:
                if self._pull is None:  # otherwise one stands from before a cancel()
                    room = await self._host.room(prefetch)
                    if room < prefetch // 4:  # there are jobs enough for a moment: then ask for more of them at once
                        await asyncio.sleep(_MOMENT)
                        room = await self._host.room(prefetch)
                    connection, _, _ = self._live()
                    self._pull = _Pull(f"{self._inbox}.{next(self._numbers)}", room, _EXPIRES)
                    await self._request(connection, self._pull.inbox, {"batch": room, "expires": _EXPIRES * SECOND})
                pull = self._pull
                await pull.wait()
                self._pull = None
                if pull.pause:
                    await asyncio.sleep(pull.pause)
        except BrokerError:
            pass  # reported as lost; the pipeline connects again and consumes again

    async def _request(self, connection: Connection, inbox: str, body: dict[str, object]) -> None:
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._config.stream}.{self._consumer}"
        await connection.publish(subject, msgspec.json.encode(body), inbox)

    async def _received(self, message: Msg) -> None:
        delivery = await self._read(message, self._pull)
        if delivery is None:
            return
        receipt: _Receipt = delivery.receipt
        if self._feeder is None:
            self._late.append(delivery)
            if self._giver is None or self._giver.done():
                self._giver = asyncio.create_task(self._give_back(), name=f"jobs {self._host.name} late")
        elif receipt.early() > _EARLY:
            await self.release(delivery)
        else:
            self._host.deliver(delivery)

    async def _read(self, message: Msg, pull: _Pull | None) -> Delivery | None:
        """The delivery of a message, held from now on. None: the message ends the request, or is held already."""
        position = Position.of(message.reply) if message.reply else None
        if position is None:
            if pull is not None and message.subject == pull.inbox:
                self._ended(message, pull)
            return None
        if pull is not None:
            pull.count()
        receipt = _Receipt(message.reply, position.sequence, position.time, 0.0)
        held = self._held.get(receipt.key)
        if held is not None:  # the broker could not be told in time that it is held
            held.receipt.reply = message.reply
            connection, _, _ = self._live()
            await connection.publish(message.reply, b"+WPI")
            return None
        config = self._config
        job = decode(
            message.data, lines_of(message), message.subject, pipeline=self._host.name, priority=config.priority
        )
        if job.delay:
            receipt.due = receipt.stored + job.delay
        earlier = self._earlier(receipt, position.deliveries)
        if earlier > job.attempts():
            job = replace(job, headers={**job.headers, ATTEMPTS: [str(earlier)]})
        delivery = Delivery(job=job, receipt=receipt, queue=config.stream, earlier=earlier)
        self._held[receipt.key] = delivery
        return delivery

    def _earlier(self, receipt: _Receipt, deliveries: int) -> int:
        """Earlier deliveries that were attempts."""
        unknown = 1 if receipt.due else 0  # another server has received it too early
        return max(0, deliveries - 1 - self._no_attempts.get(receipt.key, unknown))

    def _ended(self, message: Msg, pull: _Pull) -> None:
        """The broker says that no more messages come for a request (NATS' ADR-9, ADR-13)."""
        headers = message.headers or {}
        status, why = headers.get("Status", ""), headers.get("Description", "")
        if status == "100":
            return  # a heartbeat
        if status == "503" or (status == "409" and "deleted" in why.lower()):
            self._begin_again(f"the consumer {self._consumer} of the stream {self._config.stream} has gone")
        elif status not in ("404", "408"):
            pull.pause = _PAUSE
        pull.over.set()

    def _begin_again(self, why: str) -> None:
        """What this driver has declared has gone: the pipeline connects again, which declares it."""
        connection = self._connection
        if connection is not None and not connection.lost:
            connection.broken(BrokerError(why))

    async def _keep(self) -> None:
        """Tell the broker that held messages are worked on."""
        try:
            while True:
                await asyncio.sleep(self._config.ack_wait / 3)
                connection, _, _ = self._live()
                for delivery in list(self._held.values()):
                    if delivery.receipt.key in self._held:
                        await connection.publish(delivery.receipt.reply, b"+WPI")
        except BrokerError:
            pass  # reported as lost


def _nak(delay: float) -> bytes:
    """Deliver it again after so many seconds."""
    return b"-NAK %s" % msgspec.json.encode({"delay": int(delay * SECOND)}) if delay > 0 else b"-NAK"
