"""A topic, and a subscription to it. The driver knows no connections: "lost" is a call that did not reach the service.

Messages are pulled, as many as the pipeline has room for; that is the only way to receive no more. Each has a deadline:
the service delivers it again if it is not acknowledged by then. So the deadline of a held message is extended
again and again, and one that must wait (a delay) gets a deadline at its time. The service counts deliveries only for
subscriptions with a dead letter topic; for others, a failed job is copied, with its attempts in a header.

A call that waits for messages is not broken off by a pause: the service might give it one at that moment, which would
then be hidden until its deadline. What it brings after ``cancel()`` is given back.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from grpc import StatusCode  # type: ignore[import-untyped]

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import (
    ATTEMPTS,
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
from pyroadrunner.plugins.jobs.drivers.google_pub_sub.batches import MOST, Batches
from pyroadrunner.plugins.jobs.drivers.google_pub_sub.client import (
    ACKNOWLEDGE,
    CREATE_SUBSCRIPTION,
    CREATE_TOPIC,
    GET_SUBSCRIPTION,
    LIST_SUBSCRIPTIONS,
    MODIFY_DEADLINE,
    PUBLISH,
    UPDATE_SUBSCRIPTION,
    A,
    CallFailed,
    CallRefused,
    Client,
    Method,
)
from pyroadrunner.plugins.jobs.drivers.google_pub_sub.config import LONGEST_DEADLINE, PubSubConfig, PubSubSection
from pyroadrunner.plugins.jobs.drivers.google_pub_sub.message import decode, encode
from pyroadrunner.proto.pubsub.v1 import pubsub_pb2 as pb

_LARGEST_CALL = 1_000_000  # bytes of messages; the service takes ten times as much
_LAST_PULL = 0.3  # seconds to wait for the end of a call at a stop
_PAUSE = 1.0  # after a failed call
_SHORT_PULL = 0.1  # a call that waits for messages takes longer
_REMEMBERED = 10_000  # messages whose deliveries were not all attempts

log = Log("jobs")


@dataclass(slots=True, eq=False)
class _Receipt:
    """What settles a delivery.

    Attributes:
        id: of the message.
        ack_id: a later delivery of the same message has another one.
        counted: whether the service counts the deliveries of this message.
        due: when the job may run; 0 = at once.
        extending: the call that extends its deadline.
    """

    id: str
    ack_id: str
    counted: bool
    due: float
    extending: asyncio.Future[None] | None = None

    def early(self) -> int:
        """Seconds until the job may run, at most those that a message can be hidden."""
        return min(max(0, math.ceil(self.due - time.time())), LONGEST_DEADLINE) if self.due else 0


class PubSubDriver(Driver):
    """One topic with one subscription."""

    receipts_survive = True

    def __init__(self, host: Host, config: PubSubConfig, section: PubSubSection | None) -> None:
        self.dead_letters = bool(config.dead_letter_topic)
        self._host = host
        self._config = config
        self._section = section or PubSubSection()
        self._topic = config.topic_name(config.topic)
        self._subscription = config.subscription_name(host.name)
        self._client: Client | None = None
        self._held: dict[str, Delivery] = {}
        self._no_attempts: dict[str, int] = {}
        self._acknowledging = Batches(self._acknowledge)
        self._deadlines: dict[int, Batches] = {}
        self._broken = False
        self._consumes = False
        self._feeder: asyncio.Task[None] | None = None
        self._waits_for_room = False
        self._keeper: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"PubSubDriver({self._subscription}, {len(self._held)} held)"

    # -- the connection ------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        self._broken = False
        self._client = client = Client(self._section, self._lost)
        await client.open()
        await self._declare()
        self._keeper = asyncio.create_task(self._keep(), name=f"jobs {self._host.name} deadlines")

    async def disconnect(self) -> None:
        await self.cancel()
        feeder, self._feeder = self._feeder, None
        keeper, self._keeper = self._keeper, None
        if feeder is not None and not self._broken:
            await asyncio.wait([feeder], timeout=_LAST_PULL)
        tasks = [task for task in (feeder, keeper) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._client is not None and not self._broken:
            await self._leave()
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _declare(self) -> None:
        """Create what does not exist."""
        config = self._config
        await self._create_topic(self._topic)
        wanted = pb.Subscription(name=self._subscription, topic=self._topic, ack_deadline_seconds=config.ack_deadline)
        if config.dead_letter_topic:
            dead = config.topic_name(config.dead_letter_topic)
            await self._create_topic(dead)
            wanted.dead_letter_policy.dead_letter_topic = dead
            wanted.dead_letter_policy.max_delivery_attempts = config.max_delivery_attempts
            await self._keep_dead_letters(dead)
        if not await self._created(CREATE_SUBSCRIPTION, wanted):
            await self._compare(wanted)

    async def _create_topic(self, name: str) -> None:
        await self._created(CREATE_TOPIC, pb.Topic(name=name))

    async def _created(self, method: Method[A], wanted: Message) -> bool:
        """Create something. False: it exists, or others create it."""
        try:
            await self._call(method, wanted)
        except CallFailed as error:
            if error.code is StatusCode.PERMISSION_DENIED:
                log.debug("nothing can be created, only used", pipeline=self._host.name, error=str(error))
            elif error.code is not StatusCode.ALREADY_EXISTS:
                raise
            return False
        return True

    async def _keep_dead_letters(self, topic: str) -> None:
        """Give the dead letter topic a subscription: the service drops what it moves to a topic without one."""
        try:
            answer = await self._call(LIST_SUBSCRIPTIONS, pb.ListTopicSubscriptionsRequest(topic=topic, page_size=1))
        except CallRefused as error:
            log.debug("subscriptions are unknown", pipeline=self._host.name, topic=topic, error=str(error))
            return
        if not answer.subscriptions:
            name = self._config.subscription_name(self._config.dead_letter_topic)
            wanted = pb.Subscription(name=name, topic=topic, ack_deadline_seconds=self._config.ack_deadline)
            if await self._created(CREATE_SUBSCRIPTION, wanted):
                log.info("created a subscription for dead letters", pipeline=self._host.name, subscription=name)

    async def _compare(self, wanted: pb.Subscription) -> None:
        """Check the subscription that exists. A topic that was deleted and created again does not get its subscriptions
        back: what is published to it would be lost."""
        try:
            found = await self._call(GET_SUBSCRIPTION, pb.GetSubscriptionRequest(subscription=wanted.name))
        except CallRefused as error:
            log.debug("subscription is unknown", pipeline=self._host.name, error=str(error))
            return
        if found.topic != wanted.topic:
            raise BrokerRefused(
                f"the subscription {wanted.name} belongs to the topic {found.topic}, not to {wanted.topic}; "
                "delete it, or rename the pipeline"
            )
        if self.dead_letters and found.dead_letter_policy != wanted.dead_letter_policy:
            mask = FieldMask(paths=["dead_letter_policy"])
            await self._call(UPDATE_SUBSCRIPTION, pb.UpdateSubscriptionRequest(subscription=wanted, update_mask=mask))
            log.info("subscription has another dead letter policy now", pipeline=self._host.name)

    async def _leave(self) -> None:
        """Give back what is held: otherwise it stays hidden until its deadline."""
        try:
            await asyncio.gather(*[self._hide(delivery, 0) for delivery in list(self._held.values())])
        except BrokerError as error:
            log.warning("pipeline could not give back its jobs", pipeline=self._host.name, error=str(error))
        self._held.clear()

    def _lost(self, why: str) -> None:
        self._broken = True
        self._host.lost(why)

    def _connected(self) -> Client:
        if self._client is None or self._broken:
            raise BrokerError("Pub/Sub is not connected")
        return self._client

    async def _call(self, method: Method[A], request: Message) -> A:
        try:
            return await self._connected().call(method, request)
        except CallFailed as error:
            if error.code is StatusCode.NOT_FOUND:
                self._lost(str(error))  # connect() creates it
            raise

    # -- jobs ----------------------------------------------------------------------------------------------------------

    async def push(self, jobs: Sequence[Job]) -> None:
        refused: PushRefused | None = None
        messages: list[pb.Message] = []
        for job in jobs:
            try:
                messages.append(encode(job))
            except PushRefused as error:
                refused = error
                break
        for batch in _batches(messages):
            await self._publish(batch)
        if refused is not None:
            raise refused

    async def _publish(self, messages: Sequence[pb.Message]) -> None:
        try:
            await self._call(PUBLISH, pb.PublishRequest(topic=self._topic, messages=messages))
        except CallFailed as error:
            if error.code is not StatusCode.INVALID_ARGUMENT:
                raise
            if len(messages) == 1:
                raise PushRefused(str(error)) from error
            for message in messages:  # one of them is wrong, and none was stored
                await self._publish([message])

    async def ack(self, delivery: Delivery) -> None:
        receipt: _Receipt = delivery.receipt
        await self._acknowledging.add(receipt.ack_id)
        self._forget(delivery)
        self._no_attempts.pop(receipt.id, None)

    async def nack(self, delivery: Delivery) -> None:
        if self.dead_letters:
            await self._hide(delivery, 0)
        else:
            await self.ack(delivery)

    async def redeliver(self, delivery: Delivery, delay: int) -> None:
        if delivery.receipt.counted:
            await self._hide(delivery, min(delay, LONGEST_DEADLINE))
        else:
            await self._publish([encode(delivery.failed_copy(delay))])
            await self.ack(delivery)

    async def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> None:
        await self._publish([encode(delivery.job.copy(headers, delay))])
        await self.ack(delivery)

    async def release(self, delivery: Delivery) -> None:
        receipt: _Receipt = delivery.receipt
        if receipt.counted:
            self._no_attempts[receipt.id] = self._no_attempts.pop(receipt.id, 0) + 1
            if len(self._no_attempts) > _REMEMBERED:
                del self._no_attempts[next(iter(self._no_attempts))]
        await self._hide(delivery, receipt.early())

    async def _hide(self, delivery: Delivery, seconds: int) -> None:
        """Let the service deliver a message again after some seconds; if the call fails, after its deadline."""
        receipt: _Receipt = delivery.receipt
        self._forget(delivery)  # it may come back before the call returns
        if receipt.extending is not None and not receipt.extending.done():
            await asyncio.wait([receipt.extending])  # it must not come after this one
        await self._deadline(receipt, seconds)

    def _forget(self, delivery: Delivery) -> None:
        """Extend the deadline of a message no more."""
        if self._held.get(delivery.receipt.id) is delivery:  # otherwise it was delivered again
            del self._held[delivery.receipt.id]

    def _deadline(self, receipt: _Receipt, seconds: int) -> asyncio.Future[None]:
        """Set the deadline of a message, counted from now on. 0: deliver it again now."""
        batches = self._deadlines.get(seconds)
        if batches is None:

            async def send(ack_ids: Sequence[str]) -> None:
                request = pb.ModifyAckDeadlineRequest(
                    subscription=self._subscription, ack_deadline_seconds=seconds, ack_ids=ack_ids
                )
                await self._call(MODIFY_DEADLINE, request)

            batches = self._deadlines[seconds] = Batches(send)
        return batches.add(receipt.ack_id)

    async def _acknowledge(self, ack_ids: Sequence[str]) -> None:
        await self._call(ACKNOWLEDGE, pb.AcknowledgeRequest(subscription=self._subscription, ack_ids=ack_ids))

    # -- receiving -----------------------------------------------------------------------------------------------------

    async def consume(self) -> None:
        self._consumes = True
        if self._feeder is None or self._feeder.done():
            if len(self._held) < self._config.prefetch:  # the first call may be refused, and that must be seen
                await self._hand_over(await self._receive(1, wait=False))
            self._feeder = asyncio.create_task(self._feed(), name=f"jobs {self._host.name}")

    async def cancel(self) -> None:
        self._consumes = False
        feeder = self._feeder
        if feeder is not None and self._waits_for_room:
            feeder.cancel()
            await asyncio.wait([feeder])

    async def take(self, limit: int) -> Sequence[Delivery]:
        found: list[Delivery] = []
        empty = 0
        try:
            while len(found) < limit and empty < 2:  # a call that does not wait may overlook some
                deliveries = await self._receive(limit - len(found), wait=False)
                empty = 0 if deliveries else empty + 1
                found += deliveries
        except BaseException:
            for delivery in found:
                self._forget(delivery)
            raise
        return found

    async def stat(self) -> BrokerStats:
        return BrokerStats(queue=self._subscription, reserved=len(self._held))

    async def _feed(self) -> None:
        while self._consumes:
            self._waits_for_room = True
            try:
                room = await self._host.room(self._config.prefetch)
            finally:
                self._waits_for_room = False
            try:
                began = time.monotonic()
                deliveries = await self._receive(room, wait=True)
                await self._hand_over(deliveries)
                if not deliveries and time.monotonic() - began < _SHORT_PULL:
                    await asyncio.sleep(_SHORT_PULL)
            except BrokerError as error:
                if isinstance(error, CallRefused):
                    self._lost(str(error))
                if self._broken:
                    return  # the pipeline connects again and consumes again
                log.error("jobs could not be received; retrying", pipeline=self._host.name, error=str(error))
                await asyncio.sleep(_PAUSE)

    async def _hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Deliver what may run now, and give back the rest."""
        early: list[Delivery] = []
        for delivery in deliveries:
            if self._consumes and not delivery.receipt.early():
                self._host.deliver(delivery)
            else:
                early.append(delivery)
        await asyncio.gather(*[self.release(delivery) for delivery in early])

    async def _receive(self, limit: int, *, wait: bool) -> list[Delivery]:
        """Messages, held from now on."""
        request = pb.PullRequest(
            subscription=self._subscription, max_messages=min(limit, MOST), return_immediately=not wait
        )
        try:
            messages = await self._connected().pull(request)
        except CallFailed as error:
            if error.code is StatusCode.NOT_FOUND:
                self._lost(str(error))
            raise
        found = [self._read(message) for message in messages]
        return [delivery for delivery in found if delivery is not None]

    def _read(self, received: pb.ReceivedMessage) -> Delivery | None:
        """The delivery of a message. None: it is held already."""
        message = received.message
        name = message.message_id
        held = self._held.get(name)
        if held is not None:  # its deadline could not be extended in time
            held.receipt.ack_id = received.ack_id
            self._extend(held)
            return None
        job = decode(message, pipeline=self._host.name, priority=self._config.priority)
        counted = received.delivery_attempt > 0
        earlier = max(0, received.delivery_attempt - 1 - self._no_attempts.get(name, 0))
        if earlier > job.attempts():
            job = replace(job, headers={**job.headers, ATTEMPTS: [str(earlier)]})
        due = message.publish_time.ToNanoseconds() / 1e9 + job.delay if job.delay else 0.0
        receipt = _Receipt(name, received.ack_id, counted, due)
        delivery = Delivery(job=job, receipt=receipt, queue="", earlier=earlier)
        self._held[name] = delivery
        if not receipt.early():
            self._extend(delivery)  # the subscription may have another deadline
        return delivery

    async def _keep(self) -> None:
        """Extend the deadlines of held messages before they are over."""
        while True:
            await asyncio.sleep(self._config.ack_deadline / 3)
            for delivery in self._held.values():
                self._extend(delivery)

    def _extend(self, delivery: Delivery) -> None:
        receipt: _Receipt = delivery.receipt
        receipt.extending = self._deadline(receipt, self._config.ack_deadline)
        receipt.extending.add_done_callback(self._extended)

    def _extended(self, call: asyncio.Future[None]) -> None:
        error = None if call.cancelled() else call.exception()
        if error is not None and not self._broken:
            log.warning("deadlines of jobs could not be extended", pipeline=self._host.name, error=str(error))


def _batches(messages: Sequence[pb.Message]) -> Iterator[list[pb.Message]]:
    """Messages in calls that are not too large."""
    batch: list[pb.Message] = []
    size = 0
    for message in messages:
        size += (length := message.ByteSize())
        if batch and (size > _LARGEST_CALL or len(batch) == MOST):
            yield batch
            batch, size = [], length
        batch.append(message)
    if batch:
        yield batch
