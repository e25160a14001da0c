"""Settings of the driver ``amqp``: the section ``amqp`` and those of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from pyroadrunner.certificates import Problem, look_at
from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig

_EXCHANGE, _EXCHANGE_TYPE, _PREFETCH = "amqp.default", "direct", 10
_EXCHANGE_TYPES = ("direct", "fanout", "topic", "headers")
_LONGEST_NAME = 255  # bytes of a short string of AMQP


class AmqpTls(msgspec.Struct, kw_only=True, frozen=True):
    """TLS (1.2 or newer) to the broker."""

    root_ca: str = ""
    """File with certificate authorities to trust besides those of the system."""
    cert: str = ""
    """File with the client's certificate (with `key`), if the broker requires one."""
    key: str = ""
    """File with the private key of `cert`."""
    client_auth_type: str = ""
    """Accepted and ignored: it only makes sense for servers. RoadRunner has it here, too."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if bool(self.cert) != bool(self.key):
            yield ("key" if self.cert else "cert"), "is missing: a certificate needs its key, and a key its certificate"

    def problems(self) -> list[Problem]:
        """The problems of the files."""
        return look_at(cert=self.cert, key=self.key, root_ca=self.root_ca)


class AmqpSection(msgspec.Struct, kw_only=True, frozen=True):
    """``amqp``: the broker of all pipelines with this driver."""

    addr: str = "amqp://guest:guest@127.0.0.1:5672/"
    """`amqp://user:password@host:port/vhost`, or `amqps://` for TLS; `?heartbeat=30` sets the seconds between two
    heartbeats (10)."""
    tls: AmqpTls | None = None
    """If present, connect with TLS."""

    def faults(self) -> Iterable[tuple[str, str]]:
        """An address that can't be used."""
        url = urlsplit(self.addr)
        if url.scheme not in ("amqp", "amqps"):
            yield "addr", "has to begin with amqp:// or amqps://"
            return
        try:
            known = url.hostname, url.port
        except ValueError as wrong:
            yield "addr", f"is no address: {wrong}"
            return
        if not known[0]:
            yield "addr", "names no host"

    def absent(self) -> Iterable[tuple[str, str]]:
        """TLS files that can't be used."""
        yield from self._tls_problems(fatal=True)

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """A certificate that is expired or not yet valid."""
        yield from self._tls_problems(fatal=False)

    def _tls_problems(self, *, fatal: bool) -> Iterable[tuple[str, str]]:
        for problem in self.tls.problems() if self.tls is not None else ():
            if problem.fatal is fatal:
                yield f"tls.{problem.key}", problem.message


class AmqpConfig(PipelineConfig, kw_only=True, frozen=True):
    """A pipeline with an exchange and a queue of a broker."""

    queue: str = ""
    """The queue. Empty: the pipeline only pushes."""
    exchange: str = _EXCHANGE
    """Jobs are published to this exchange; it is declared."""
    exchange_type: str = _EXCHANGE_TYPE
    """`direct`, `fanout`, `topic`, `headers`, or a type of a plugin of the broker (`x-...`)."""
    routing_key: str = ""
    """Jobs are published with this key, and the queue is bound with it. Required for pushes, unless `exchange_type` is
    `fanout` or `headers`."""
    durable: bool = False
    """The queue survives a restart of the broker."""
    exclusive: bool = False
    """The queue belongs to this connection and is deleted with it."""
    queue_auto_delete: bool = False
    """The broker deletes the queue after its last consumer has gone, also on pause."""
    queue_headers: dict[str, Any] = msgspec.field(default_factory=dict)
    """Arguments of the queue, such as `x-queue-type: quorum`."""
    exchange_durable: bool = False
    """The exchange survives a restart of the broker."""
    exchange_auto_delete: bool = False
    """The broker deletes the exchange after its last queue has gone."""
    prefetch: Annotated[int, Meta(ge=0, le=65_535)] = _PREFETCH
    """Jobs that may wait for a worker or run; the others stay in the queue. 0: 10."""
    multiple_ack: bool = False
    """Acknowledge jobs that finish at the same time in one frame. Jobs that still run are never included, other than in
    RoadRunner."""
    requeue_on_fail: bool = False
    """Failed jobs run again even if the queue has an `x-dead-letter-exchange`."""
    delete_queue_on_stop: bool = False
    """Delete the queue, with its jobs, when the pipeline or the server stops."""
    consumer_id: str = ""
    """Name of the consumer. Empty: `roadrunner-` and a random UUID."""
    redial_timeout: Any = None
    """Accepted and ignored: a lost connection is tried again for ever."""
    consume_all: Any = None
    """Accepted and ignored, as in RoadRunner: jobs of other programs are always accepted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, default in (("exchange", _EXCHANGE), ("exchange_type", _EXCHANGE_TYPE), ("prefetch", _PREFETCH)):
            if not getattr(self, key):
                force_setattr(self, key, default)

    @property
    def keyless(self) -> bool:
        """Whether the exchange does not look at routing keys."""
        return self.exchange_type in ("fanout", "headers")

    def faults(self) -> Iterable[tuple[str, str]]:
        if self.exchange_type not in _EXCHANGE_TYPES and not self.exchange_type.startswith("x-"):
            yield "exchange_type", f"is none of {', '.join(_EXCHANGE_TYPES)}, x-..."
        for key in ("queue", "exchange", "routing_key", "consumer_id"):
            if len(getattr(self, key).encode()) > _LONGEST_NAME:
                yield key, f"is longer than {_LONGEST_NAME} bytes"
        for name, value in self.queue_headers.items():
            if not _fits(value):
                yield f"queue_headers.{name}", "can't be sent: AMQP has whole numbers, strings, booleans, lists, maps"


def _fits(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _fits(one) for name, one in value.items())
    if isinstance(value, list):
        return all(_fits(one) for one in value)
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, str | bool) or (isinstance(value, int) and -(2**63) <= value < 2**63)


def _declared(values: Mapping[str, str]) -> Mapping[str, Any]:
    """PHP writes an empty map as an empty list."""
    return {**values, "queue_headers": "{}"} if values.get("queue_headers") in ("[]", "null", "") else values


DRIVER = DriverInfo(
    config=AmqpConfig,
    make="pyroadrunner.plugins.jobs.drivers.amqp.driver:AmqpDriver",
    section="amqp",
    section_config=AmqpSection,
    extra="amqp",
    modules=("pika",),
    declared=_declared,
)
