"""Google's fake of Pub/Sub (``tests/support/pstest``), and Google's own client as the foreign one.

The fake keeps everything in memory, so it is never stopped; tests cut the network instead.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.pubsub_v1 import PublisherClient, PubsubMessage, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from grpc import insecure_channel  # type: ignore[import-untyped]

from support.go_tools import require_go_tool
from support.ports import free_port
from support.programs import running_program, wait_for_port


@contextmanager
def shared_pubsub(folder: Path) -> Iterator[dict[str, Any]]:
    """A running fake."""
    port = free_port()
    command = [require_go_tool("pstest", optional=True), f"127.0.0.1:{port}"]
    with running_program(command, folder / "pubsub.log") as program:
        wait_for_port(port, program)
        yield {"port": port}


class Foreign:
    """A project as Google's own client sees it.

    Attributes:
        project: its id.
    """

    project = "project"

    def __init__(self, port: int) -> None:
        self._channel = insecure_channel(f"127.0.0.1:{port}")
        self.publisher = PublisherClient(transport=PublisherGrpcTransport(channel=self._channel))
        self.subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel))

    def __enter__(self) -> Foreign:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def topic(self, name: str) -> str:
        return f"projects/{self.project}/topics/{name}"

    def subscription(self, name: str) -> str:
        return f"projects/{self.project}/subscriptions/{name}"

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> None:
        message = PubsubMessage(data=data, attributes=attributes or {})
        self.publisher.publish(topic=self.topic(topic), messages=[message])

    def receive(self, subscription: str) -> list[PubsubMessage]:
        """All messages that are there; they are acknowledged."""
        found: list[PubsubMessage] = []
        name = self.subscription(subscription)
        empty = 0
        while empty < 2:  # a call that does not wait may overlook some
            request = {"subscription": name, "max_messages": 1000, "return_immediately": True}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of return_immediately
                received = self.subscriber.pull(request=request).received_messages
            empty = 0 if received else empty + 1
            if received:
                self.subscriber.acknowledge(subscription=name, ack_ids=[one.ack_id for one in received])
                found += [one.message for one in received]
        return found
