"""Pushes records. The library works in threads of its own; one more calls back what it has confirmed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, PushRefused
from pyroadrunner.plugins.jobs.drivers.kafka.message import RawHeaders

_POLL = 0.1  # seconds; so long the end of the thread may take
_FULL_WAIT = 0.01
_OF_THE_JOB = (
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_RECORD,
    KafkaError._UNKNOWN_PARTITION,
)


@dataclass(slots=True)
class Outgoing:
    """A record to push; partition -1 = by its key."""

    topic: str
    key: bytes
    value: bytes
    headers: RawHeaders
    partition: int = -1


class RecordProducer:
    """A producer.

    Args:
        on_error: called in the loop with errors that concern the connection.
    """

    def __init__(self, settings: Mapping[str, Any], on_error: Callable[[KafkaError], None]) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self.client = Producer({**settings, "error_cb": lambda error: _in_loop(loop, on_error, error)})
        self._pending: set[_Batch] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._poll, name="kafka producer", daemon=True)
        self._thread.start()

    async def push(self, records: Sequence[Outgoing]) -> None:
        """Push in order; return when all are confirmed.

        Raises:
            PushRefused, BrokerError
        """
        batch = _Batch(self._loop)
        self._pending.add(batch)
        refused: KafkaError | None = None
        try:
            for record in records:
                try:
                    await self._produce(record, batch)
                except KafkaException as error:
                    refused = error.args[0]
                    break
            batch.all_are_out()
            await batch.done
        finally:
            self._pending.discard(batch)
        if (wrong := batch.error or refused) is not None:
            raise (PushRefused if wrong.code() in _OF_THE_JOB else BrokerError)(error_text(wrong))

    async def close(self) -> None:
        """What is not confirmed fails now."""
        self._closed = True
        for batch in list(self._pending):
            batch.fail()
        self.client.purge()
        await asyncio.to_thread(self._thread.join)

    # inside

    async def _produce(self, record: Outgoing, batch: _Batch) -> None:
        while not self._closed:
            try:
                self.client.produce(
                    record.topic,
                    value=record.value,
                    key=record.key,
                    partition=record.partition,
                    headers=list(record.headers),
                    on_delivery=batch.delivered,
                )
            except BufferError:  # 100,000 records wait for a broker
                await asyncio.sleep(_FULL_WAIT)
            else:
                batch.out += 1
                return
        raise BrokerError("the connection was closed")

    def _poll(self) -> None:
        while not self._closed:
            self.client.poll(_POLL)
        self.client.poll(0)


class _Batch:
    """The records of one push. The thread counts what is confirmed, the loop what was handed over; whichever is last
    ends the wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[None] = loop.create_future()
        self.error: KafkaError | None = None
        self.out = 0
        self._loop = loop
        self._expected = -1
        self._seen = 0

    def delivered(self, error: KafkaError | None, _message: object) -> None:
        """Called in the thread."""
        if error is not None and self.error is None:
            self.error = error
        self._seen += 1
        if self._seen == self._expected:
            _in_loop(self._loop, self._finish)

    def all_are_out(self) -> None:
        self._expected = self.out
        if self._seen == self._expected:
            self._finish()

    def fail(self) -> None:
        if not self.done.done():
            self.done.set_exception(BrokerError("the connection was lost before Kafka confirmed the jobs"))

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def error_text(error: KafkaError) -> str:
    """Kafka's name of an error and the library's explanation."""
    if error.code() == KafkaError._ALL_BROKERS_DOWN:
        return "ALL_BROKERS_DOWN: no broker is reachable"  # the library's figures differ from time to time
    return f"{error.name().removeprefix('_')}: {error.str()}"


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call, *arguments)
