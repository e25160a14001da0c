"""A queue of RabbitMQ. (jobs.md, section 5.3)

Four channels: one publishes, one consumes, one takes messages for operators, one asks for the number of messages. The
broker ends a channel when it refuses something; only the end of the consuming one ends the connection, since its
deliveries can then not be settled.

Delays are queues whose messages the broker moves to the exchange when their time is over (``message.delay_queue``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from pyroadrunner.plugins.jobs.drivers.amqp.acknowledgements import Acknowledgements
from pyroadrunner.plugins.jobs.drivers.amqp.client import Channel, ChannelClosed, Connection, parameters_of
from pyroadrunner.plugins.jobs.drivers.amqp.config import AmqpConfig, AmqpSection
from pyroadrunner.plugins.jobs.drivers.amqp.delays import Delays
from pyroadrunner.plugins.jobs.drivers.amqp.message import Message, Route, job_of, message_of
from pyroadrunner.plugins.jobs.drivers.amqp.publisher import Batch, NotRouted, Publisher
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

_NO_CONNECTION = "there is no connection"
_DELETE_TIMEOUT = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Receipt:
    """What settles a delivery.

    Attributes:
        added: headers that are not the job's own.
    """

    settling: Acknowledgements
    tag: int
    added: Headers


class AmqpDriver(Driver):
    """A pipeline with an exchange and a queue."""

    def __init__(self, host: Host, config: AmqpConfig, section: AmqpSection) -> None:
        self.dead_letters = "x-dead-letter-exchange" in config.queue_headers and not config.requeue_on_fail
        self._host = host
        self._config = config
        self._section = section
        self._route = Route(
            exchange=config.exchange, routing_key=config.routing_key, queue=config.queue, keyless=config.keyless
        )
        self._arguments = {name: _argument(value) for name, value in config.queue_headers.items()}
        self._tag = config.consumer_id or f"roadrunner-{uuid4()}"
        self._delays = Delays()
        self._consuming = False
        self._reset()

    def __repr__(self) -> str:
        return f"AmqpDriver({self._config.exchange!r} -> {self._config.queue!r}, consuming={self._consuming})"

    def _reset(self) -> None:
        self._connection: Connection | None = None
        self._publisher: Publisher | None = None
        self._reopening: asyncio.Lock = asyncio.Lock()
        self._receiving: tuple[Channel, Acknowledgements] | None = None
        self._taking: tuple[Channel, Acknowledgements] | None = None
        self._looking: Channel | None = None
        self._take_lock, self._look_lock = asyncio.Lock(), asyncio.Lock()
        self._consuming = False
        self._sound = False  # whether connect() and consume() succeeded, and the connection was not lost

    # -- the connection ------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        parameters = parameters_of(self._section, f"jobs.{self._host.name}")
        self._connection = await Connection.open(parameters, self._lost)
        try:
            self._publisher = await self._open_publisher(self._connection)
        except ChannelClosed as refused:
            raise refused.as_refusal() from refused
        self._sound = True

    async def disconnect(self) -> None:
        connection, sound = self._connection, self._sound
        for settling in [held[1] for held in (self._receiving, self._taking) if held is not None]:
            settling.flush()
        if connection is not None and sound and self._config.queue and self._config.delete_queue_on_stop:
            await self._delete_queue(connection)
        self._reset()
        if connection is not None:
            await connection.close()

    def _lost(self, why: str) -> None:
        self._sound = False
        self._host.lost(why)

    async def _open_publisher(self, connection: Connection) -> Publisher:
        """A channel to publish on, with exchange and queue declared."""
        publisher = await Publisher.open(connection)
        await self._declare(publisher.channel)
        return publisher

    async def _declare(self, channel: Channel) -> None:
        config = self._config
        await channel.call(
            "exchange_declare",
            exchange=config.exchange,
            exchange_type=config.exchange_type,
            durable=config.exchange_durable,
            auto_delete=config.exchange_auto_delete,
        )
        if config.queue:
            await channel.call(
                "queue_declare",
                queue=config.queue,
                durable=config.durable,
                exclusive=config.exclusive,
                auto_delete=config.queue_auto_delete,
                arguments=self._arguments,
            )
            await channel.call(
                "queue_bind", queue=config.queue, exchange=config.exchange, routing_key=config.routing_key
            )

    async def _delete_queue(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(_DELETE_TIMEOUT):
                channel = await connection.channel()
                await channel.call("queue_delete", queue=self._config.queue)
        except (BrokerError, TimeoutError):
            pass  # it stays on the broker

    # -- pushing -------------------------------------------------------------------------------------------------------

    def push(self, jobs: Sequence[Job]) -> Awaitable[None]:
        messages: list[Message] = []
        refused: PushRefused | None = None
        for job in jobs:
            try:
                messages.append(message_of(job, self._route))
            except PushRefused as error:
                refused = error
                break
            if job.delay > 0:
                self._delays.add(job.delay)
        publisher = self._publisher
        batch = publisher.publish(messages) if publisher is not None and publisher.usable else None
        return self._accepted(messages, batch, publisher, refused)

    async def _accepted(
        self, messages: Sequence[Message], batch: Batch | None, publisher: Publisher | None, refused: PushRefused | None
    ) -> None:
        """Wait until the broker has confirmed a batch. If an exchange or queue is missing, declare them once more."""
        again = batch is None
        if batch is None:
            publisher = await self._working_publisher(publisher)
            batch = publisher.publish(messages)
        try:
            await batch.accepted
        except (ChannelClosed, NotRouted):
            if again or self._connection is None:
                raise
            publisher = await self._working_publisher(publisher)
            batch = publisher.publish(batch.left)
            await batch.accepted
        if refused is not None:
            raise refused

    async def _working_publisher(self, broken: Publisher | None) -> Publisher:
        """A publisher, after one that did not do it; exchange and queue are declared again."""
        async with self._reopening:
            connection = self._connection
            if connection is None:
                raise BrokerError(_NO_CONNECTION)
            publisher = self._publisher
            if publisher is None or not publisher.usable:
                self._publisher = publisher = await self._open_publisher(connection)
            elif publisher is broken:
                await self._declare(publisher.channel)
            return publisher

    # -- receiving -----------------------------------------------------------------------------------------------------

    async def consume(self) -> None:
        config, connection = self._config, self._connection
        if not config.queue:
            raise BrokerRefused("empty queue name, consider adding the queue name to the AMQP configuration")
        if connection is None:
            raise BrokerError(_NO_CONNECTION)
        self._sound = False
        try:
            if self._receiving is None:
                channel = await connection.channel(self._on_receiving_closed)
                channel.raw.add_on_cancel_callback(self._on_cancelled)
                self._receiving = channel, Acknowledgements(channel, multiple=config.multiple_ack)
                await channel.call("basic_qos", prefetch_count=config.prefetch)
            else:
                channel = self._receiving[0]
            await self._declare(channel)  # a queue that deletes itself has gone with the last consumer
            await channel.call(
                "basic_consume", queue=config.queue, on_message_callback=self._on_message, consumer_tag=self._tag
            )
        except ChannelClosed as refused:
            raise refused.as_refusal() from refused
        self._consuming = self._sound = True

    async def cancel(self) -> None:
        if not self._consuming or self._receiving is None:
            return
        self._consuming = False
        await self._receiving[0].call("basic_cancel", consumer_tag=self._tag)  # pika rejects what arrives meanwhile

    def _on_message(self, _raw: Any, method: Any, properties: Any, body: bytes) -> None:
        if self._receiving is not None:
            self._host.deliver(self._delivery(self._receiving[1], method, properties, body))

    def _delivery(self, settling: Acknowledgements, method: Any, properties: Any, body: bytes) -> Delivery:
        job, added = job_of(properties.headers, body, self._host.name, self._config.priority)
        settling.add(method.delivery_tag)
        return Delivery(job=job, receipt=Receipt(settling, method.delivery_tag, added), queue=self._config.queue)

    def _on_cancelled(self, _frame: Any) -> None:
        self._lost(f"the broker ended the consumer: the queue {self._config.queue} was deleted, or its node stopped")

    def _on_receiving_closed(self, error: BrokerError) -> None:
        if isinstance(error, ChannelClosed):  # otherwise the connection says it
            self._lost(str(error))

    # -- the end of a delivery -----------------------------------------------------------------------------------------

    def ack(self, delivery: Delivery) -> None:
        receipt: Receipt = delivery.receipt
        receipt.settling.ack(receipt.tag)

    def nack(self, delivery: Delivery) -> None:
        receipt: Receipt = delivery.receipt
        receipt.settling.nack(receipt.tag, requeue=False)

    def release(self, delivery: Delivery) -> None:
        receipt: Receipt = delivery.receipt
        receipt.settling.nack(receipt.tag, requeue=True)

    def redeliver(self, delivery: Delivery, delay: int) -> Awaitable[None]:
        return self._replace(delivery, delivery.failed_copy(delay))

    def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> Awaitable[None]:
        return self._replace(delivery, delivery.job.copy(headers, delay))

    async def _replace(self, delivery: Delivery, job: Job) -> None:
        """Push a copy without the headers that the broker has added to the original; then delete the original."""
        receipt: Receipt = delivery.receipt
        added = receipt.added
        headers = {name: values for name, values in job.headers.items() if added.get(name) != list(values)}
        await self.push([replace(job, headers=headers)])
        receipt.settling.ack(receipt.tag)

    # -- for operators -------------------------------------------------------------------------------------------------

    async def take(self, limit: int) -> Sequence[Delivery]:
        if not self._config.queue:
            return []
        taken: list[Delivery] = []
        async with self._take_lock:
            channel, settling = await self._take_channel()
            while len(taken) < limit and (found := await channel.get(self._config.queue)) is not None:
                taken.append(self._delivery(settling, *found))
        return taken

    async def _take_channel(self) -> tuple[Channel, Acknowledgements]:
        if self._connection is None:
            raise BrokerError(_NO_CONNECTION)
        if self._taking is None or self._taking[0].closed is not None:
            channel = await self._connection.channel()
            self._taking = channel, Acknowledgements(channel, multiple=False)
        return self._taking

    async def stat(self) -> BrokerStats:
        config = self._config
        if not config.queue:
            return BrokerStats(delayed=self._delays.count())
        async with self._look_lock:
            if self._connection is None:
                raise BrokerError(_NO_CONNECTION)
            if self._looking is None or self._looking.closed is not None:
                self._looking = await self._connection.channel()
            found = await self._looking.call("queue_declare", queue=config.queue, passive=True)
        held = sum(len(one[1]) for one in (self._receiving, self._taking) if one is not None)
        return BrokerStats(queue=config.queue, active=found.message_count, delayed=self._delays.count(), reserved=held)


def _argument(value: Any) -> Any:
    """An argument as it can be sent: JSON and YAML may have whole numbers as floats."""
    if isinstance(value, float):
        return int(value)
    if isinstance(value, list):
        return [_argument(one) for one in value]
    return {name: _argument(one) for name, one in value.items()} if isinstance(value, dict) else value
