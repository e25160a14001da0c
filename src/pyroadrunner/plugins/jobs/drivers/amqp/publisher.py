"""Publishing with confirms: a batch of messages is accepted when the broker has confirmed each of them.

Theory of operation. Messages are numbered from 1 on; the broker confirms numbers, single or up to one. All messages are
mandatory: one that no queue takes comes back (``basic.return``) before its confirm, without a number. Its ``rr_id``
finds it among the unconfirmed: the broker returns messages in the order of their publication, so the first with the id
is the right one.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any

from pyroadrunner.plugins.jobs.drivers.amqp.client import Channel, ChannelClosed, Connection, Properties, encoded_size
from pyroadrunner.plugins.jobs.drivers.amqp.message import Message
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, PushRefused

_CONTENT_TYPE, _PERSISTENT = "application/octet-stream", 2
_FRAME_OVERHEAD = 64  # bytes of a content header frame besides the properties, rounded up
_TOO_LARGE = re.compile(r"message size (\d+) .* max size (\d+)")  # RabbitMQ 3.8 to 4


class NotRouted(BrokerError):
    """No queue took the message."""


class Batch:
    """Messages that were published together.

    Attributes:
        accepted: done when all are confirmed; otherwise an error.
        left: those that were not accepted; after an error they can be published again.
    """

    __slots__ = ("accepted", "error", "left", "pending")

    def __init__(self, messages: Sequence[Message]) -> None:
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.error: BrokerError | PushRefused | None = None
        self.left: list[Message] = []
        self.pending = len(messages)
        if not messages:
            self.accepted.set_result(None)

    def settle(self, message: Message, error: BrokerError | PushRefused | None) -> None:
        """One message was accepted, or not."""
        self.pending -= 1
        if error is not None:
            self.left.append(message)
            # What can't be pushed at all is said first.
            self.error = error if self.error is None or isinstance(error, PushRefused) else self.error
        if not self.pending and not self.accepted.done():
            if self.error is None:
                self.accepted.set_result(None)
            else:
                self.accepted.set_exception(self.error)


class Publisher:
    """Publishes on a channel of its own.

    Attributes:
        channel: which ends with an error, such as a missing exchange, without the connection.
    """

    def __init__(self, largest_frame: int) -> None:
        self.channel: Channel
        self._largest_headers = largest_frame - _FRAME_OVERHEAD if largest_frame else 0
        self._number = 0
        self._unconfirmed: dict[int, tuple[Message, Batch]] = {}
        self._returned: dict[int, BrokerError] = {}

    @classmethod
    async def open(cls, connection: Connection) -> Publisher:
        """Open a channel with confirms.

        Raises:
            BrokerError
        """
        made = cls(connection.largest_frame)
        made.channel = await connection.channel(made._on_closed)
        made.channel.raw.add_on_return_callback(made._on_return)
        await made.channel.call("confirm_delivery", ack_nack_callback=made._on_confirm)
        return made

    def __repr__(self) -> str:
        return f"Publisher({self._number} published, {len(self._unconfirmed)} unconfirmed)"

    @property
    def usable(self) -> bool:
        return self.channel.closed is None

    def publish(self, messages: Sequence[Message]) -> Batch:
        """Send messages. Those after one that can't be sent are not sent."""
        batch = Batch(messages)
        now = int(time.time())
        declared: set[str] = set()
        for at, message in enumerate(messages):
            try:
                self._send(message, now, declared)
            except (BrokerError, PushRefused) as error:
                for unsent in messages[at:]:
                    batch.settle(unsent, error)
                break
            self._number += 1
            self._unconfirmed[self._number] = message, batch
        return batch

    def _send(self, message: Message, now: int, declared: set[str]) -> None:
        properties = Properties(
            content_type=_CONTENT_TYPE, delivery_mode=_PERSISTENT, timestamp=now, headers=message.headers
        )
        self._check_size(message, properties)
        delayed = message.delayed_by
        if delayed is not None and delayed.name not in declared:
            # Each time, and in the same write as the message: the queue expires, with what it holds, when it was not
            # declared for twice its delay.
            self.channel.declare_in_line(delayed.name, delayed.arguments)
            declared.add(delayed.name)
        self.channel.send(
            "basic_publish",
            exchange=message.exchange,
            routing_key=message.routing_key,
            body=message.body,
            properties=properties,
            mandatory=True,
        )

    def _check_size(self, message: Message, properties: Any) -> None:
        """Headers have to fit into one frame: for larger ones the broker would close the connection."""
        texts = sum(len(message.headers[name]) for name in ("rr_headers", "rr_id", "rr_job", "rr_pipeline"))
        if not self._largest_headers or texts < self._largest_headers // 8:  # a character has up to 4 bytes
            return
        size = encoded_size(properties)
        if size > self._largest_headers:
            raise PushRefused(f"the headers have {size} bytes; the broker takes {self._largest_headers}")

    # callbacks

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        error = None if method.NAME == "Basic.Ack" else BrokerError("the broker did not take the message (basic.nack)")
        if not method.multiple:
            self._confirmed(method.delivery_tag, error)
            return
        for number in list(self._unconfirmed):
            if number > method.delivery_tag:
                break
            self._confirmed(number, error)

    def _confirmed(self, number: int, error: BrokerError | None) -> None:
        found = self._unconfirmed.pop(number, None)
        if found is not None:
            message, batch = found
            batch.settle(message, self._returned.pop(number, None) or error)

    def _on_return(self, _raw: Any, method: Any, properties: Any, _body: bytes) -> None:
        name = (properties.headers or {}).get("rr_id")
        for number, (message, _) in self._unconfirmed.items():
            if number not in self._returned and message.headers["rr_id"] == name:
                where = f"exchange {method.exchange!r}, routing key {method.routing_key!r}"
                self._returned[number] = NotRouted(f"no queue took the job: {method.reply_text}, {where}")
                return

    def _on_closed(self, error: BrokerError) -> None:
        """Settle what was not confirmed. If one message was the reason, only that one can't be pushed."""
        large = _TOO_LARGE.search(str(error)) if isinstance(error, ChannelClosed) else None
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        for message, batch in unconfirmed.values():
            refused = large is not None and len(message.body) == int(large[1])
            batch.settle(message, PushRefused(str(error)) if refused else error)
