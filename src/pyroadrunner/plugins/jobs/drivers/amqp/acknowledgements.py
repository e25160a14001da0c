"""Acknowledgements of the messages of one channel. With ``multiple_ack`` those of one turn of the event loop share
frames: all up to the oldest unsettled message are one frame."""

from __future__ import annotations

import asyncio

from pyroadrunner.plugins.jobs.drivers.amqp.client import Channel
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError


class Acknowledgements:
    """Settles deliveries by their tags.

    Args:
        multiple: whether to collect acknowledgements.
    """

    def __init__(self, channel: Channel, *, multiple: bool) -> None:
        self._channel = channel
        self._multiple = multiple
        self._unsettled: dict[int, None] = {}  # in the order of the tags
        self._done: set[int] = set()

    def __len__(self) -> int:
        return len(self._unsettled)

    def __repr__(self) -> str:
        return f"Acknowledgements({len(self)} unsettled)"

    def add(self, tag: int) -> None:
        """A message was delivered."""
        self._unsettled[tag] = None

    def ack(self, tag: int) -> None:
        """Acknowledge it.

        Raises:
            BrokerError: the channel is closed.
        """
        if not self._multiple:
            self._channel.send("basic_ack", delivery_tag=tag)
            self._unsettled.pop(tag, None)
            return
        if self._channel.closed is not None:
            raise self._channel.closed
        if not self._done:
            asyncio.get_running_loop().call_soon(self.flush)
        self._done.add(tag)

    def nack(self, tag: int, *, requeue: bool) -> None:
        """Reject it.

        Raises:
            BrokerError: the channel is closed.
        """
        self._channel.send("basic_nack", delivery_tag=tag, requeue=requeue)
        self._unsettled.pop(tag, None)

    def flush(self) -> None:
        """Send what was collected."""
        done, self._done = self._done, set()
        upto = 0
        for tag in self._unsettled:
            if tag not in done:
                break
            upto = tag
        try:
            if upto:
                self._channel.send("basic_ack", delivery_tag=upto, multiple=True)
            for tag in sorted(done):
                if tag > upto:
                    self._channel.send("basic_ack", delivery_tag=tag)
        except BrokerError:
            return  # the broker delivers them again
        for tag in done:
            self._unsettled.pop(tag, None)
