"""A queue of SQS. It knows no connections: "lost" is a call that did not reach the service.

The service counts the deliveries of a message, and it delivers one again when its visibility timeout is over. So a
failed job becomes visible again after its backoff, and one that is held is hidden again and again. A message that is
hidden for a job's delay is no attempt, nor is one that was given back or looked at: those are subtracted as long as the
same server receives it.

A call that waits for messages is not broken off: the service might give it one at that moment, which would then be
hidden for nothing. It ends by itself, and what it brings after ``cancel()`` is given back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import (
    ATTEMPTS,
    BrokerError,
    BrokerStats,
    Delivery,
    Driver,
    Headers,
    Host,
    Job,
    PushRefused,
)
from pyroadrunner.plugins.jobs.drivers.sqs.batches import MOST, Batches, failures
from pyroadrunner.plugins.jobs.drivers.sqs.client import CallFailed, Client
from pyroadrunner.plugins.jobs.drivers.sqs.config import LONGEST_VISIBILITY, SqsConfig, SqsSection
from pyroadrunner.plugins.jobs.drivers.sqs.message import LONGEST_DELAY, decode, encode, size

_VISIBILITY = 30  # seconds, if the queue does not say
_LARGEST_BATCH = 256_000  # bytes of all messages of a call; the service's limit was 262,144 for a long time
_PUSHES = 8  # calls at the same time; the order of a queue that is not FIFO is open anyway
_LAST_POLL = 3.0  # seconds to wait for the end of a call at a stop
_PAUSE = 1.0  # after a failed call
_REMEMBERED = 10_000  # messages whose deliveries were not all attempts
_TOO_LARGE = ("InvalidMessageContents", "InvalidParameterValue", "BatchRequestTooLong", "MissingParameter")

Json = dict[str, Any]
log = Log("jobs")


@dataclass(slots=True, eq=False)
class _Receipt:
    """What settles a delivery.

    Attributes:
        handle: a later delivery of the same message has another one.
        group: of a FIFO queue.
        due: when a job may run whose delay is longer than the service's; 0 = at once.
        kept: whether it is hidden again before its time is over.
        hiding: held while the service is told how long to hide it; calls at the same time have no order.
    """

    id: str
    handle: str
    group: str | None
    due: float
    kept: bool = True
    hiding: asyncio.Lock = field(default_factory=asyncio.Lock)

    def early(self) -> int:
        """Seconds until the job may run, at most those that a message can be hidden."""
        return min(max(0, round(self.due - time.time())), LONGEST_VISIBILITY - 60) if self.due else 0


class SqsDriver(Driver):
    """One queue."""

    receipts_survive = True

    def __init__(self, host: Host, config: SqsConfig, section: SqsSection) -> None:
        self.dead_letters = config.retain_failed_jobs
        self._host = host
        self._config = config
        self._section = section
        self._client: Client | None = None
        self._url = ""
        self._visibility = config.visibility_timeout or _VISIBILITY
        self._held: dict[str, Delivery] = {}
        self._no_attempts: dict[str, int] = {}
        self._deleting = Batches(lambda entries: self._call("DeleteMessageBatch", Entries=entries))
        self._hiding = Batches(lambda entries: self._call("ChangeMessageVisibilityBatch", Entries=entries))
        self._broken = False
        self._consumes = False
        self._wake = asyncio.Event()
        self._feeder: asyncio.Task[None] | None = None
        self._waits_for_room = False
        self._keeper: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"SqsDriver({self._config.queue}, {len(self._held)} held)"

    # -- the connection ------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        self._broken = False
        self._client = client = Client(self._section, self._lost)
        await client.open()
        self._url = await self._declare(client)
        if not self._config.visibility_timeout:
            self._visibility = await self._own_visibility()
        self._keeper = asyncio.create_task(self._keep(), name=f"jobs {self._host.name} visibility")

    async def disconnect(self) -> None:
        await self.cancel()
        feeder, self._feeder = self._feeder, None
        keeper, self._keeper = self._keeper, None
        if feeder is not None and not self._broken:
            await asyncio.wait([feeder], timeout=min(_LAST_POLL, self._config.wait + 1))
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

    async def _declare(self, client: Client) -> str:
        """The URL of the queue, which is created if that is wanted."""
        config = self._config
        body: Json = {"QueueName": config.queue}
        if not config.skip_queue_declaration:
            try:
                wanted = {**body, "Attributes": config.queue_attributes(), "tags": config.queue_tags()}
                answer = await client.call("CreateQueue", {key: value for key, value in wanted.items() if value})
                return str(answer["QueueUrl"])
            except CallFailed as error:
                if not error.code.endswith(("QueueNameExists", "QueueAlreadyExists")):
                    raise  # otherwise it has other attributes, which stay
        return str((await client.call("GetQueueUrl", body))["QueueUrl"])

    async def _own_visibility(self) -> int:
        try:
            answer = await self._call("GetQueueAttributes", AttributeNames=["VisibilityTimeout"])
            return int(answer["Attributes"]["VisibilityTimeout"]) or _VISIBILITY
        except (CallFailed, KeyError, ValueError) as error:
            log.debug("visibility timeout of the queue is unknown", pipeline=self._host.name, error=repr(error))
            return _VISIBILITY

    async def _leave(self) -> None:
        """Give back what is held: otherwise it stays hidden until its time is over."""
        held, self._held = list(self._held.values()), {}
        try:
            await asyncio.gather(*[self._hide(delivery, 0) for delivery in held])
        except BrokerError as error:
            log.warning("pipeline could not give back its jobs", pipeline=self._host.name, error=str(error))

    def _lost(self, why: str) -> None:
        self._broken = True
        self._host.lost(why)

    async def _call(self, action: str, wait: float = 0.0, **body: Any) -> Json:
        client = self._client
        if client is None or self._broken:
            raise BrokerError("SQS is not connected")
        try:
            return await client.call(action, {"QueueUrl": self._url, **body}, wait)
        except CallFailed as error:
            if error.code.endswith(("QueueDoesNotExist", "NonExistentQueue")):
                self._lost(str(error))  # connect() creates it
            raise

    # -- jobs ----------------------------------------------------------------------------------------------------------

    async def push(self, jobs: Sequence[Job]) -> None:
        refused: PushRefused | None = None
        batches: list[list[Json]] = [[]]
        room = _LARGEST_BATCH
        for job in jobs:
            try:
                message = self._message(job)
            except PushRefused as error:
                refused = error
                break
            room -= (length := size(message))
            if batches[-1] and (room < 0 or len(batches[-1]) == MOST):
                batches.append([])
                room = _LARGEST_BATCH - length
            batches[-1].append(message)
        at_once = 1 if self._config.fifo else _PUSHES
        for at in range(0, len(batches), at_once):
            await asyncio.gather(*[self._send(batch) for batch in batches[at : at + at_once] if batch])
        if refused is not None:
            raise refused

    async def ack(self, delivery: Delivery) -> None:
        await self._deleting.add({"ReceiptHandle": delivery.receipt.handle})
        self._forget(delivery)
        self._no_attempts.pop(delivery.receipt.id, None)

    async def nack(self, delivery: Delivery) -> None:
        if not self._config.retain_failed_jobs:
            await self.ack(delivery)
        elif self._config.error_visibility_timeout:
            await self._hide(delivery, self._config.error_visibility_timeout)
        else:
            self._forget(delivery)

    async def redeliver(self, delivery: Delivery, delay: int) -> None:
        await self._hide(delivery, min(delay, LONGEST_VISIBILITY - 60))

    async def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> None:
        await self._send([self._message(delivery.job.copy(headers, delay), delivery.receipt)])
        await self.ack(delivery)

    async def release(self, delivery: Delivery) -> None:
        receipt: _Receipt = delivery.receipt
        self._no_attempts[receipt.id] = self._no_attempts.pop(receipt.id, 0) + 1
        if len(self._no_attempts) > _REMEMBERED:
            del self._no_attempts[next(iter(self._no_attempts))]
        await self._hide(delivery, receipt.early())

    async def _hide(self, delivery: Delivery, seconds: int) -> None:
        """Let the service deliver a message again after some seconds; if the call fails, after its visibility
        timeout."""
        receipt: _Receipt = delivery.receipt
        receipt.kept = False  # a call of the keeper must not come after this one
        self._forget(delivery)  # it may come back before the call returns
        try:
            async with receipt.hiding:
                await self._hiding.add({"ReceiptHandle": receipt.handle, "VisibilityTimeout": seconds})
        except asyncio.CancelledError:
            self._held.setdefault(receipt.id, delivery)  # given back when the connection closes
            raise
        except BrokerError as error:
            if receipt.id in self._held:  # only the reply was lost: the message has been delivered again
                return
            if not (isinstance(error, CallFailed) and error.code.endswith("MessageNotInflight")):
                raise  # otherwise it is visible already

    def _forget(self, delivery: Delivery) -> None:
        """Hide a message no more."""
        if self._held.get(delivery.receipt.id) is delivery:  # otherwise it was delivered again
            del self._held[delivery.receipt.id]

    def _message(self, job: Job, copied: _Receipt | None = None) -> Json:
        if job.delay > LONGEST_DELAY and copied is None:
            raise PushRefused(
                "unable to push, maximum possible delay is "
                f"{LONGEST_DELAY} seconds ({LONGEST_DELAY // 60} minutes), provided: {job.delay}"
            )
        group = self._config.message_group_id if self._config.fifo else None
        if group is not None and copied is not None and copied.group:
            group = copied.group
        return encode(job, group=group, copied=copied is not None)

    async def _send(self, messages: Sequence[Json]) -> None:
        try:
            if len(messages) == 1:
                await self._call("SendMessage", **messages[0])
                return
            entries = [{**message, "Id": str(at)} for at, message in enumerate(messages)]
            for error in failures(await self._call("SendMessageBatch", Entries=entries)).values():
                raise error
        except CallFailed as error:
            if error.code.rpartition(".")[2].startswith(_TOO_LARGE):
                raise PushRefused(str(error)) from error
            raise

    # -- receiving -----------------------------------------------------------------------------------------------------

    async def consume(self) -> None:
        self._consumes = True
        if self._feeder is None or self._feeder.done():
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
            while len(found) < limit and empty < 2:  # a call without a wait asks only some of the service's machines
                messages = await self._receive(min(MOST, limit - len(found)), 0)
                empty = 0 if messages else empty + 1
                found += messages
        except BaseException:
            for delivery in found:
                self._forget(delivery)
            raise
        return found

    async def stat(self) -> BrokerStats:
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed")
        hidden = "ApproximateNumberOfMessagesNotVisible"
        found = (await self._call("GetQueueAttributes", AttributeNames=[*names, hidden])).get("Attributes", {})
        active, delayed, reserved = (int(found.get(name, 0)) for name in (*names, hidden))
        return BrokerStats(queue=self._url, active=active, delayed=delayed, reserved=reserved)

    async def _feed(self) -> None:
        config = self._config
        while self._consumes:
            self._waits_for_room = True
            try:
                room = await self._host.room(config.in_flight)
            finally:
                self._waits_for_room = False
            try:
                deliveries = await self._receive(min(room, config.prefetch), config.wait)
                early: list[Delivery] = []
                for delivery in deliveries:
                    if self._consumes and not delivery.receipt.early():
                        self._host.deliver(delivery)
                    else:
                        early.append(delivery)
                await asyncio.gather(*[self.release(delivery) for delivery in early])
            except BrokerError as error:
                if self._broken:
                    return  # the pipeline connects again and consumes again
                log.error("jobs could not be received; retrying", pipeline=self._host.name, error=str(error))
                await asyncio.sleep(_PAUSE)

    async def _receive(self, limit: int, wait: int) -> list[Delivery]:
        """Messages, held from now on."""
        answer = await self._call(
            "ReceiveMessage",
            wait,
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=wait,
            VisibilityTimeout=self._visibility,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        found = [self._read(message) for message in answer.get("Messages") or ()]
        return [delivery for delivery in found if delivery is not None]

    def _read(self, message: Json) -> Delivery | None:
        """The delivery of a message. None: it is held already."""
        name, handle = message["MessageId"], message["ReceiptHandle"]
        held = self._held.get(name)
        if held is not None:  # the service could not be told in time that it is held
            held.receipt.handle = handle
            return None
        config, system = self._config, message.get("Attributes") or {}
        job = decode(message, pipeline=self._host.name, priority=config.priority)
        group = system.get("MessageGroupId") if config.fifo else None
        due = 0.0
        if job.delay > LONGEST_DELAY or (config.fifo and job.delay):
            due = int(system.get("SentTimestamp", 0)) / 1000 + job.delay
        unknown = 1 if due else 0  # another server has received it too early
        earlier = max(0, int(system.get("ApproximateReceiveCount", 1)) - 1 - self._no_attempts.get(name, unknown))
        if earlier > job.attempts():
            job = replace(job, headers={**job.headers, ATTEMPTS: [str(earlier)]})
        receipt = _Receipt(name, handle, group, due)
        delivery = Delivery(job=job, receipt=receipt, queue=config.queue, earlier=earlier, order_key=group)
        self._held[name] = delivery
        return delivery

    async def _keep(self) -> None:
        """Hide held messages again before they become visible."""
        while True:
            await asyncio.sleep(max(0.5, self._visibility / 3))
            held = [delivery for delivery in self._held.values() if delivery.receipt.kept]
            await asyncio.gather(*[self._keep_one(delivery) for delivery in held])

    async def _keep_one(self, delivery: Delivery) -> None:
        receipt: _Receipt = delivery.receipt
        try:
            async with receipt.hiding:
                if receipt.kept:
                    await self._hiding.add({"ReceiptHandle": receipt.handle, "VisibilityTimeout": self._visibility})
        except BrokerError as error:
            if receipt.id in self._held and not self._broken:
                log.warning("a job could not be kept", pipeline=self._host.name, id=delivery.job.id, error=str(error))
