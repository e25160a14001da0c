"""Settings of the driver ``sqs``: the section ``sqs`` and those of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig

LONGEST_VISIBILITY = 43_200  # seconds
_QUEUE, _PREFETCH = "default", 1
_ATTRIBUTES = (
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
)
_NAMES = {name.lower(): name for name in _ATTRIBUTES}
_VALUES = {  # of which case matters
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
    "DeduplicationScope": ("messageGroup", "queue"),
}


class SqsSection(msgspec.Struct, kw_only=True, frozen=True):
    """``sqs``: the account of all pipelines with this driver. What is empty comes from AWS' usual places: environment,
    profiles, roles."""

    key: str = ""
    """Access key id."""
    secret: str = ""
    """Secret access key."""
    session_token: str = ""
    """Token of temporary credentials."""
    region: str = ""
    """Region, such as `eu-central-1`."""
    endpoint: str = ""
    """URL of the service, for other servers than Amazon's."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if bool(self.key) != bool(self.secret):
            yield ("secret" if self.key else "key"), "is missing: `key` and `secret` belong together"
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            yield "endpoint", "has to begin with http:// or https://"


class SqsConfig(PipelineConfig, kw_only=True, frozen=True):
    """A pipeline with a queue of SQS."""

    queue: str = _QUEUE
    """Name of the queue. A FIFO queue's ends with `.fifo`."""
    prefetch: Annotated[int, Meta(ge=0, le=10)] = _PREFETCH
    """Messages that one call receives. 0: 1."""
    max_messages_in_flight: Annotated[int, Meta(ge=0)] = 0
    """Jobs that may wait for a worker or run; the others stay in the queue. 0: as many as `prefetch`."""
    visibility_timeout: Annotated[int, Meta(ge=0, le=LONGEST_VISIBILITY)] = 0
    """Seconds after which the queue delivers a job again whose server has gone. A server that lives extends it while it
    holds the job. 0: the queue's own (`VisibilityTimeout`)."""
    wait_time_seconds: Annotated[int, Meta(ge=0, le=20)] = 0
    """Seconds for which a call waits for messages. 0: 1. `wait_time` is the same."""
    wait_time: Annotated[int, Meta(ge=0, le=20)] = 0
    """RoadRunner's name of `wait_time_seconds` in `jobs.Declare`."""
    retain_failed_jobs: bool = False
    """Leave failed jobs in the queue, for `error_visibility_timeout` and the queue's `RedrivePolicy`. Otherwise the
    pipeline decides (`max_attempts`, `backoff`, `dead_letter`)."""
    error_visibility_timeout: Annotated[int, Meta(ge=0, le=LONGEST_VISIBILITY)] = 0
    """Seconds after which a failed job of `retain_failed_jobs` is delivered again. 0: when its visibility timeout is
    over."""
    message_group_id: str = ""
    """Group of pushed jobs. Required for pushes to a FIFO queue."""
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    """Attributes of the queue when it is created, by AWS' names in any case. Others are ignored."""
    tags: dict[str, Any] = msgspec.field(default_factory=dict)
    """Tags of the queue when it is created."""
    skip_queue_declaration: bool = False
    """Do not create the queue; it must exist."""
    consume_all: Any = None
    """Accepted and ignored, as in RoadRunner: jobs of other programs are always accepted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, default in (("queue", _QUEUE), ("prefetch", _PREFETCH)):
            if not getattr(self, key):
                force_setattr(self, key, default)

    @property
    def fifo(self) -> bool:
        return self.queue.endswith(".fifo")

    @property
    def in_flight(self) -> int:
        """Unsettled jobs at the same time."""
        return self.max_messages_in_flight or self.prefetch

    @property
    def wait(self) -> int:
        """Seconds for which a call waits for messages. RoadRunner's 0 is a call after the other without a pause."""
        return self.wait_time_seconds or self.wait_time or 1

    def queue_attributes(self) -> dict[str, str]:
        """For the creation of the queue."""
        found = {}
        for key, value in self.attributes.items():
            if (name := _NAMES.get(key.lower())) is not None:
                text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
                spellings = {one.lower(): one for one in _VALUES.get(name, ())}
                found[name] = spellings.get(text.lower(), text)
        if self.fifo:
            found["FifoQueue"] = "true"
        return found

    def queue_tags(self) -> dict[str, str]:
        """For the creation of the queue."""
        return {key: str(value) for key, value in self.tags.items()}


def _declared(values: Mapping[str, str]) -> Mapping[str, Any]:
    """PHP writes an empty map as an empty list."""
    empty = {key: "{}" for key in ("attributes", "tags") if values.get(key) in ("[]", "null", "")}
    return {**values, **empty}


DRIVER = DriverInfo(
    config=SqsConfig,
    make="pyroadrunner.plugins.jobs.drivers.sqs.driver:SqsDriver",
    section="sqs",
    section_config=SqsSection,
    modules=("aiohttp", "botocore"),
    extra="sqs",
    declared=_declared,
)
