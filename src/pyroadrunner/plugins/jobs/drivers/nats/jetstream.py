"""The API of JetStream that the driver needs: JSON over requests (NATS' ADR-1, ADR-13, ADR-15)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from nats.aio.msg import Msg

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, PushRefused
from pyroadrunner.plugins.jobs.drivers.nats.client import Connection

SECOND = 1_000_000_000  # the API counts nanoseconds
_NOT_FOUND = 404
_IN_USE = 10058  # stream name already in use with a different configuration
_WINDOW = 500  # messages that wait for their confirmation at the same time

Json = dict[str, Any]


class ApiError(BrokerError):
    """JetStream's own error.

    Attributes:
        status: like HTTP's.
        code: JetStream's number of the error.
    """

    def __init__(self, status: int, code: int, description: str) -> None:
        super().__init__(f"JetStream: {description} ({code})")
        self.status = status
        self.code = code


class NoStream(BrokerError):
    """A message was published to a subject that no stream has."""


class Refused(ApiError, BrokerRefused):
    """The request can't succeed as it is."""


def covers(pattern: str, subject: str) -> bool:
    """Whether a subject with wildcards includes another one, with or without wildcards of its own."""
    have, want = pattern.split("."), subject.split(".")
    for at, token in enumerate(have):
        if token == ">":
            return len(want) > at
        if at >= len(want) or want[at] == ">" or token not in ("*", want[at]):
            return False
    return len(have) == len(want)


class JetStream:
    """The API over one connection."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout

    async def ask(self, what: str, body: Mapping[str, Any] | None = None) -> Json:
        """A call.

        Raises:
            ApiError, BrokerError
        """
        data = msgspec.json.encode(body) if body is not None else b""
        answer = msgspec.json.decode(await self._connection.request(f"$JS.API.{what}", data, self._timeout))
        if error := answer.get("error"):
            status, code = int(error.get("code", 0)), int(error.get("err_code", 0))
            kind = Refused if 400 <= status < 500 else ApiError
            raise kind(status, code, str(error.get("description", "an unknown error")))
        return dict(answer)

    async def declare_stream(self, name: str, subject: str) -> None:
        """Make sure that a stream exists and takes a subject. Its other settings are left as they are."""
        while True:
            try:
                config: Json = (await self.ask(f"STREAM.INFO.{name}"))["config"]
            except ApiError as error:
                if error.status != _NOT_FOUND:
                    raise
                try:
                    await self.ask(f"STREAM.CREATE.{name}", {"name": name, "subjects": [subject]})
                except ApiError as other:
                    if other.code != _IN_USE:  # otherwise another server has just created it
                        raise
                    continue
                return
            subjects = config.get("subjects") or []
            if any(covers(one, subject) for one in subjects):
                return
            kept = [one for one in subjects if not covers(subject, one)]  # subjects of a stream must not overlap
            await self.ask(f"STREAM.UPDATE.{name}", {**config, "subjects": [*kept, subject]})

    async def declare_consumer(self, stream: str, name: str, subject: str, ack_wait: int, *, new: bool) -> None:
        """Make sure that a durable consumer exists. Where it stands in the stream is left as it is.

        Args:
            new: if it is created, it begins with the messages from then on.
        """
        wanted: Json = {"filter_subject": subject, "ack_wait": ack_wait * SECOND, "max_ack_pending": -1}
        config: Json
        try:
            config = (await self.ask(f"CONSUMER.INFO.{stream}.{name}"))["config"]
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            policy = "new" if new else "all"
            config = {"durable_name": name, "ack_policy": "explicit", "deliver_policy": policy}
        if any(config.get(key) != value for key, value in wanted.items()):
            body = {"stream_name": stream, "config": {**config, **wanted}}
            await self.ask(f"CONSUMER.DURABLE.CREATE.{stream}.{name}", body)

    async def delete_message(self, stream: str, sequence: int) -> None:
        """Delete a message, unless it is gone already."""
        try:
            await self.ask(f"STREAM.MSG.DELETE.{stream}", {"seq": sequence, "no_erase": True})
        except Refused:
            pass  # a work queue has deleted it with the acknowledgement


class _Batch:
    """Messages that wait for their confirmations."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._confirmed = 0
        self._sent: int | None = None

    def sent(self, count: int) -> None:
        """So many were sent, and no more will be."""
        self._sent = count
        self._check()

    def confirm(self) -> None:
        self._confirmed += 1
        self._check()

    def fail(self, error: BrokerError) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def _check(self) -> None:
        if self._confirmed == self._sent and not self.done.done():
            self.done.set_result(None)


class Publisher:
    """Publishes messages and waits until the stream has stored them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox = connection.inbox()
        self._numbers = itertools.count()
        self._waiting: dict[str, _Batch] = {}

    async def start(self) -> None:
        """Receive confirmations.

        Raises:
            BrokerError
        """
        await self._connection.subscribe(f"{self._inbox}.*", self._confirmed)

    async def publish(self, subject: str, messages: Sequence[tuple[bytes, Sequence[tuple[str, str]]]]) -> None:
        """Publish data with headers, in order.

        Raises:
            PushRefused: of the first message that can't be sent; those before it were stored.
            BrokerError
        """
        for at in range(0, len(messages), _WINDOW):
            await self._publish(subject, messages[at : at + _WINDOW])

    def fail(self, why: str) -> None:
        """The connection is lost: nothing will be confirmed."""
        waiting, self._waiting = self._waiting, {}
        for batch in waiting.values():
            batch.fail(BrokerError(why))

    async def _publish(self, subject: str, messages: Sequence[tuple[bytes, Sequence[tuple[str, str]]]]) -> None:
        batch = _Batch()
        replies: list[str] = []
        refused: PushRefused | None = None
        try:
            for data, lines in messages:
                reply = f"{self._inbox}.{next(self._numbers)}"
                try:
                    self._waiting[reply] = batch
                    await self._connection.publish(subject, data, reply, lines)
                except PushRefused as error:
                    refused = error
                    break
                finally:
                    replies.append(reply)
            batch.sent(len(replies) - (refused is not None))
            await batch.done
        finally:
            batch.done.cancel()
            for reply in replies:
                self._waiting.pop(reply, None)
        if refused is not None:
            raise refused

    async def _confirmed(self, message: Msg) -> None:
        batch = self._waiting.get(message.subject)
        if batch is None:
            return
        if not message.data:
            batch.fail(NoStream("no stream has the subject"))
            return
        answer = msgspec.json.decode(message.data)
        if error := answer.get("error"):
            batch.fail(BrokerError(f"JetStream: {error.get('description')} ({error.get('err_code')})"))
        else:
            batch.confirm()
