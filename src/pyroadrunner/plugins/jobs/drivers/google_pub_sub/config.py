"""Settings of the driver ``google_pub_sub``: the section ``google_pub_sub`` and those of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig, Prefetch

EMULATOR = "PUBSUB_EMULATOR_HOST"  # variable of Google's tools
LONGEST_DEADLINE = 600  # seconds; the service's limit
_ADDRESS = "127.0.0.1:8085"
_ATTEMPTS = 10


class PubSubSection(msgspec.Struct, kw_only=True, frozen=True):
    """``google_pub_sub``: the service of all pipelines with this driver."""

    endpoint: str = ""
    """`host:port` of the service: `pubsub.googleapis.com:443` for Google's. Empty: that of the variable
    `PUBSUB_EMULATOR_HOST`, or `127.0.0.1:8085`."""
    insecure: bool = False
    """Connect without TLS and credentials, as emulators expect; so does `PUBSUB_EMULATOR_HOST`."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if self.endpoint and not self.endpoint.rpartition(":")[2].isdecimal():
            yield "endpoint", "has to be `host:port`, such as pubsub.googleapis.com:443"
        elif "://" in self.endpoint:
            yield "endpoint", "has to be `host:port`, without a scheme"

    def address(self, env: Mapping[str, str]) -> tuple[str, bool]:
        """``host:port`` of the service, and whether to connect with TLS and credentials.

        Args:
            env: environment of the server.
        """
        emulator = env.get(EMULATOR, "")
        return self.endpoint or emulator or _ADDRESS, not (self.insecure or emulator)


class PubSubConfig(PipelineConfig, kw_only=True, frozen=True):
    """A pipeline with a topic, and a subscription to it with the name of the pipeline. What does not exist is
    created."""

    project_id: str
    """Google's id of the project."""
    topic: str
    """Jobs are published to this topic."""
    dead_letter_topic: str = ""
    """Topic to which Pub/Sub moves jobs that have failed `max_delivery_attempts` times. Empty: the pipeline decides
    (`max_attempts`, `backoff`, `dead_letter`)."""
    max_delivery_attempts: Annotated[int, Meta(ge=0, le=100)] = _ATTEMPTS
    """How often Pub/Sub delivers a job before it goes to `dead_letter_topic`; Google's takes 5 to 100. 0: 10."""
    prefetch: Prefetch = 100
    """Jobs that may wait for a worker or run; the others stay in the subscription. Not in RoadRunner."""
    ack_deadline: Annotated[int, Meta(ge=10, le=LONGEST_DEADLINE)] = 60
    """Seconds after which Pub/Sub delivers a job again whose server has gone. A server that lives extends them while it
    holds the job. Not in RoadRunner."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.max_delivery_attempts:
            force_setattr(self, "max_delivery_attempts", _ATTEMPTS)

    def faults(self) -> Iterable[tuple[str, str]]:
        for key in ("project_id", "topic"):
            if not getattr(self, key):
                yield key, "is empty"
        for key in ("project_id", "topic", "dead_letter_topic"):
            if "/" in getattr(self, key):
                yield key, "has a slash: the short name is wanted"

    def topic_name(self, topic: str) -> str:
        """The full name of a topic."""
        return f"projects/{self.project_id}/topics/{topic}"

    def subscription_name(self, subscription: str) -> str:
        """The full name of a subscription."""
        return f"projects/{self.project_id}/subscriptions/{subscription}"


DRIVER = DriverInfo(
    config=PubSubConfig,
    make="pyroadrunner.plugins.jobs.drivers.google_pub_sub.driver:PubSubDriver",
    section="google_pub_sub",
    section_config=PubSubSection,
    modules=("grpc", "google.auth", "requests"),
    extra="google-pub-sub",
)
