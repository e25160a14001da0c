"""Settings of the driver ``kafka``, with RoadRunner's keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pyroadrunner.config.values import Duration, StringList
from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig, Prefetch

MECHANISMS = {"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"}

Partition = Annotated[str, Meta(pattern="^[0-9]+$")]
Size = Annotated[int, Meta(ge=1, le=2_147_483_135)]


class TlsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """TLS to the brokers; on when `root_ca`, or `cert` and `key` are set."""

    timeout: Duration = 10.0
    """Time limit for connecting to a broker, including the handshake."""
    root_ca: str = ""
    """Certificates that the brokers are verified against; empty: those of the system."""
    cert: str = ""
    """The client's certificate."""
    key: str = ""
    """The key of `cert`."""
    client_auth_type: str = ""
    """Accepted and ignored: it is an option of servers."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if bool(self.cert) != bool(self.key):
            yield ("key" if self.cert else "cert"), "is missing: cert and key belong together"


class SaslConfig(msgspec.Struct, kw_only=True, frozen=True):
    """The login at the brokers."""

    mechanism: str
    """`plain`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."""
    username: str = ""
    password: str = ""
    nonce: str = ""
    """Accepted and ignored: each login has a nonce of its own."""
    zid: str = ""
    is_token: bool = False
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    user_agent: str = ""

    def faults(self) -> Iterable[tuple[str, str]]:
        if self.mechanism.lower() == "aws_msk_iam":
            yield "mechanism", "aws_msk_iam is not supported; use SCRAM-SHA-512, which Amazon MSK has, too"
        elif self.mechanism.lower() not in MECHANISMS:
            yield "mechanism", "is not one of plain, SCRAM-SHA-256, SCRAM-SHA-512"
        elif not self.username:
            yield "username", "is missing"
        if self.zid:
            yield "zid", "is not supported"
        if self.is_token:
            yield "is_token", "delegation tokens are not supported"


class PingConfig(msgspec.Struct, kw_only=True, frozen=True):
    """The check of a new connection."""

    timeout: Duration = 10.0
    """How long a broker may take to answer it."""


class KafkaSection(msgspec.Struct, kw_only=True, frozen=True):
    """``kafka``: the cluster of all pipelines with this driver."""

    brokers: StringList
    """Addresses of some brokers, `host:port`; the others are found through them."""
    tls: TlsConfig | None = None
    sasl: SaslConfig | None = None
    ping: PingConfig = PingConfig()

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.brokers:
            yield "brokers", "is empty"


class OffsetConfig(msgspec.Struct, kw_only=True, frozen=True):
    """Where to begin in a partition."""

    type: Literal["At", "AfterMilli", "AtEnd", "AtStart", "Relative", "WithEpoch"] = "AtStart"
    """`AtStart`, `AtEnd`; `At`: the offset `value`; `Relative`: `value` records after the start; `AfterMilli`: the
    first record from the time `value` on (milliseconds since 1970); `WithEpoch`: as `AtStart`."""
    value: int = 0


class ProducerConfig(msgspec.Struct, kw_only=True, frozen=True):
    """How jobs are pushed."""

    disable_idempotent: bool = False
    """Allow duplicates when a broker fails while a job is pushed."""
    required_acks: Literal["NoAck", "LeaderAck", "AllISRAck", ""] = "AllISRAck"
    """Who must have a job before its push returns: no broker, the leader, all replicas in sync. The first two need
    `disable_idempotent`."""
    max_message_bytes: Size = 1_000_012
    """Largest job; a larger one is refused."""
    request_timeout: Duration = 10.0
    """How long a broker may take to answer a push."""
    delivery_timeout: Duration = 0.0
    """How long a push may take with all its repetitions. 0: `jobs.timeout`."""
    transaction_timeout: Duration = 40.0
    """Accepted and ignored: jobs are not pushed in transactions."""
    compression_codec: Literal["none", "gzip", "snappy", "lz4", "zstd", ""] = "snappy"
    partitioning_strategy: Literal["Uniform", "RoundRobin", "LeastBackup", "Sticky", "Manual", ""] = "Uniform"
    """The partition of a job: `Uniform` by its id, as the Java client; `RoundRobin` and `LeastBackup` one after
    another; `Sticky` one for each push; `Manual` the `partition` of its options."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.disable_idempotent and self.required_acks in ("NoAck", "LeaderAck"):
            yield "required_acks", f"{self.required_acks} needs disable_idempotent: true"


class ConsumerConfig(msgspec.Struct, kw_only=True, frozen=True):
    """What is consumed."""

    topics: StringList = msgspec.field(default_factory=list)
    consume_regexp: bool = False
    """`topics` are regular expressions (POSIX, extended)."""
    min_fetch_message_size: Size = 1
    """Bytes that a broker collects before it answers a fetch, for at most half a second."""
    max_fetch_message_size: Size = 52_428_800
    """Most bytes of one fetch; a larger record is fetched alone."""
    consumer_offset: OffsetConfig = OffsetConfig()
    """Where to begin in partitions without a committed offset."""
    consume_partitions: dict[str, dict[Partition, OffsetConfig]] = msgspec.field(default_factory=dict)
    """Partitions by topic that this server alone consumes, without the coordination of a group."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.topics and not self.consume_partitions:
            yield "topics", "is empty, and so is consume_partitions: one of them is needed"
        elif self.topics and self.consume_partitions:
            yield "consume_partitions", "can't be combined with topics; put it into another pipeline"


class GroupConfig(msgspec.Struct, kw_only=True, frozen=True):
    """The consumer group."""

    group_id: str
    """Name of the group: its members share the partitions, and each job runs in one of them."""
    instance_id: str = ""
    """Name of this member, unique in the group: a restart within the session timeout then moves no partitions."""
    session_timeout: Duration = 10.0
    """How long a member may be silent before the others take its partitions; within the limits of the brokers (6 s to
    30 min unless changed). Not in RoadRunner, where it is 45 s."""
    block_rebalance_on_poll: bool = False
    """Accepted and ignored: partitions are always handed over when their jobs are done, for up to 30 s."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.group_id:
            yield "group_id", "is empty"


class KafkaConfig(PipelineConfig, kw_only=True, frozen=True):
    """Topics of Kafka."""

    topic: str = ""
    """Topic of pushed jobs whose options name none; empty: the first of `consumer_options.topics`. Not in
    RoadRunner."""
    prefetch: Prefetch = 100
    """Jobs that may wait for a worker or run; the others stay on Kafka. Not in RoadRunner, which has no limit."""
    order_key: Literal["none", "partition", "key"] = "none"
    """Which jobs run one after another, in the order of their records: those of a `partition`, or of a partition with
    the same `key`. Not in RoadRunner."""
    auto_create_topics_enable: bool = False
    """Create missing topics, with the broker's number of partitions."""
    producer_options: ProducerConfig = ProducerConfig()
    consumer_options: ConsumerConfig | None = None
    """Absent: the pipeline only pushes."""
    group_options: GroupConfig | None = None
    """Absent: no offset is committed, and each start begins at `consumer_offset`."""


_DURATIONS = ("request_timeout", "delivery_timeout", "transaction_timeout")


def _declared(values: Mapping[str, str]) -> Mapping[str, Any]:
    """In the JSON of ``jobs.Declare``, durations are nanoseconds or texts such as ``10s``, and PHP sends an empty map
    as an empty list."""
    found: dict[str, Any] = dict(values)
    for key in ("producer_options", "consumer_options", "group_options"):
        try:
            options = json.loads(found.get(key, "null"))
        except ValueError:
            continue  # the reader says what is wrong
        if options in (None, []):
            found.pop(key, None)
        elif isinstance(options, dict):
            for name in _DURATIONS:
                if isinstance(options.get(name), int):
                    options[name] = f"{options[name]}ns"
            found[key] = json.dumps(_without_empty_lists(options))
    return found


def _without_empty_lists(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value != [] and value is not None}


DRIVER = DriverInfo(
    config=KafkaConfig,
    make="pyroadrunner.plugins.jobs.drivers.kafka.driver:KafkaDriver",
    section="kafka",
    section_config=KafkaSection,
    modules=("confluent_kafka",),
    extra="kafka",
    declared=_declared,
)
