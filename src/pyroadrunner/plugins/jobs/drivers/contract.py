"""The contract of a driver: one pipeline on one kind of broker. Stable for packages outside this one.

A package adds a driver with two entry points:

    [project.entry-points."pyroadrunner.jobs_drivers"]
    mybroker = "my_package.config:DRIVER"                 # a DriverInfo; its module must not import the client library

    [project.entry-points."pyroadrunner.sections"]        # only if the broker has a global section
    mybroker = "my_package.config:MyBrokerSection"

**Theory of operation.** The pipeline owns the driver and calls it in this order, over and over:

    connect() -> consume() -> cancel() -> ... -> disconnect()
                 push(), ack(), nack(), redeliver(), requeue(), release(), take(), stat() at any time in between

*Connection.* The driver connects once per ``connect()`` and never reconnects by itself. When the connection breaks, it
calls ``host.lost(why)``. The pipeline then calls ``disconnect()``, waits (backoff with jitter, for ever), and calls
``connect()`` again, then ``consume()`` if the pipeline is not paused. Publishers wait meanwhile. A client library that
reconnects by itself is used with that feature switched off.

*Deliveries.* Between ``consume()`` and ``cancel()`` the driver passes messages to ``host.deliver()``. Each delivery is
settled at most once: by ``ack``, ``nack``, ``redeliver``, ``requeue`` or ``release``. Until then the driver keeps it
alive on the broker (extends its visibility, touches it). A delivery may be settled long after ``cancel()``. When its
connection has gone it is not settled at all, since the broker delivers the message again, unless the driver sets
``receipts_survive``: then it is settled on the next connection.

*Back-pressure.* A driver whose broker pushes messages limits them there (``basic.qos``). One that fetches messages
awaits ``host.room(prefetch)`` first and fetches at most as many.

*Errors.* A driver raises :class:`BrokerError` with a text for operators. If the connection broke, it has called
``host.lost()`` before: the pipeline then pushes again on the next connection. A setting that can't work (a queue that
exists with other arguments, a refused login) is :class:`BrokerRefused`: the pipeline's state is then ``failed``, and
the next attempt comes later. A job that can't be pushed is :class:`PushRefused`. No other exception leaves a driver.

Methods that the broker answers are ``async``. A driver that needs no I/O may return ``None`` immediately instead: the
pipeline awaits only what is awaitable.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Annotated, Any, Protocol, TypeAlias

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from pyroadrunner.errors import RoadRunnerError

FOREIGN = "deduced_by_rr"  # name of a job that another program has put on the broker (RoadRunner's)
ATTEMPTS = "rr_attempts"  # header: failed attempts so far; absent = none
FIRST_FAILED = "rr_first_failed"  # header: time of the first failed attempt
DEFAULT_PRIORITY = 10

Headers: TypeAlias = Mapping[str, Sequence[str]]
Done: TypeAlias = Awaitable[None] | None


class BrokerError(RoadRunnerError):
    """The broker did not do it, or is not reachable; a later try may succeed."""


class BrokerRefused(BrokerError):
    """The broker refuses the settings; trying again only helps after a change of the settings or of the broker."""


class PushRefused(RoadRunnerError):
    """The job itself can't be pushed (too large, a delay that the broker does not know); trying again does not help.
    The connection is fine."""


class PipelineConfig(msgspec.Struct, kw_only=True, frozen=True):
    """Settings that every driver has; a driver's own settings inherit it."""

    priority: int = DEFAULT_PRIORITY
    """Priority of jobs without one; lower numbers run first. 0: 10."""

    def __post_init__(self) -> None:
        if not self.priority:
            force_setattr(self, "priority", DEFAULT_PRIORITY)


Prefetch = Annotated[int, Meta(ge=1)]


@dataclass(slots=True, kw_only=True)
class Job:
    """A job, as pushed and as received. Not changed after its creation: copy it with :meth:`copy`.

    Attributes:
        id: chosen by the caller; not necessarily unique.
        name: RoadRunner's ``job``: the class that handles it.
        payload: opaque bytes.
        headers: names keep their case; values are lists.
        pipeline: name of the pipeline.
        priority: lower numbers run first; for a push never 0.
        delay: whole seconds before the job may run.
        auto_ack: the job is acknowledged before it runs. The pipeline does that: a driver only carries the flag.
        topic, metadata, offset, partition: of Kafka.
    """

    id: str
    name: str
    payload: bytes
    headers: Headers = field(default_factory=dict)
    pipeline: str = ""
    priority: int = DEFAULT_PRIORITY
    delay: int = 0
    auto_ack: bool = False
    topic: str = ""
    metadata: str = ""
    offset: int = 0
    partition: int = 0

    def copy(self, headers: Headers, delay: int) -> Job:
        """The job with headers merged over its own (the same name is replaced) and another delay."""
        return replace(self, headers={**self.headers, **headers}, delay=delay)

    def attempts(self) -> int:
        """Failed attempts, by the header."""
        values = self.headers.get(ATTEMPTS)
        return int(values[0]) if values and values[0].isascii() and values[0].isdigit() else 0


@dataclass(slots=True, kw_only=True, eq=False)
class Delivery:
    """A job received from the broker, to be settled exactly once.

    Attributes:
        receipt: the driver's own handle.
        queue: shown to the worker; ``None`` = the key is left out.
        more: further keys for the worker (Kafka: ``topic``, ``partition``, ``offset``).
        earlier: how often the broker has delivered the message before, if it counts; otherwise 0.
        order_key: deliveries of a pipeline with the same key run one at a time, in the order of arrival.
        received, epoch, failed_at, acknowledged: set by the pipeline: the time of the loop, the connection, the time of
            this failure, whether it was acknowledged before its run (``auto_ack``).
    """

    job: Job
    receipt: Any = None
    queue: str | None = None
    more: Mapping[str, str | int] = field(default_factory=dict)
    earlier: int = 0
    order_key: Hashable = None
    received: float = 0.0
    epoch: int = 0
    failed_at: str = ""
    acknowledged: bool = False

    def failed_attempts(self) -> int:
        """Failed attempts, by the header or by the broker, whichever is more."""
        return max(self.job.attempts(), self.earlier)

    def failed_copy(self, delay: int) -> Job:
        """A copy to push when the broker does not count deliveries: one more failed attempt in the headers."""
        headers = {ATTEMPTS: [str(self.failed_attempts() + 1)]}
        if FIRST_FAILED not in self.job.headers:
            headers[FIRST_FAILED] = [self.failed_at]
        return self.job.copy(headers, delay)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerStats:
    """What the broker says. RoadRunner's words; a figure that it does not tell is 0.

    Attributes:
        queue: the broker's name of the queue.
        active: jobs that could run now.
        delayed: jobs whose delay is not over.
        reserved: jobs that a consumer holds.
        error: why figures are incomplete; empty = they are complete.
    """

    queue: str = ""
    active: int = 0
    delayed: int = 0
    reserved: int = 0
    error: str = ""


class Host(Protocol):
    """The pipeline, as its driver sees it."""

    @property
    def name(self) -> str:
        """Name of the pipeline."""

    @property
    def timeout(self) -> float:
        """``jobs.timeout``: seconds an operation on the broker may take."""

    def deliver(self, delivery: Delivery) -> None:
        """Pass a message on. Never blocks, never raises."""

    async def room(self, prefetch: int) -> int:
        """Wait until fewer than ``prefetch`` deliveries of the pipeline are unsettled and the server's queue accepts
        jobs; return how many deliveries are welcome now, at least 1. Safe to cancel."""

    def lost(self, why: str) -> None:
        """The connection is lost. May be called more than once, from any task."""


class Driver(Protocol):
    """One pipeline on one broker. Constructed with ``(host, config, section)``; see :class:`DriverInfo`.

    Attributes:
        receipts_survive: deliveries of a lost connection can be settled on the next one.
        dead_letters: the broker moves nacked messages to a place for failed ones, as its configuration says. Failed
            jobs of a pipeline without ``max_attempts`` are then nacked at once, as in RoadRunner.
    """

    receipts_survive: bool = False
    dead_letters: bool = False

    @abstractmethod
    async def connect(self) -> None:
        """Connect and declare what is configured. Safe to cancel: a time limit does so.

        Raises:
            BrokerError, BrokerRefused
        """

    @abstractmethod
    async def disconnect(self) -> None:
        """Close the connection and end all tasks. Idempotent; called also after a failed ``connect()`` and after
        ``host.lost()``. Unsettled deliveries go back to the broker. Never raises."""

    @abstractmethod
    def push(self, jobs: Sequence[Job]) -> Done:
        """Put jobs on the broker, in order; return when the broker has confirmed all of them.

        Raises:
            PushRefused: a job can't be pushed; those before it were.
            BrokerError: the connection broke or the broker refused; some may have been pushed.
        """

    @abstractmethod
    async def consume(self) -> None:
        """Begin to deliver, and return when the broker has agreed. The pipeline is connected and does not consume."""

    @abstractmethod
    async def cancel(self) -> None:
        """Deliver nothing more; unsettled deliveries stay held. Messages that arrive after the return are released by
        the driver. Idempotent."""

    @abstractmethod
    def ack(self, delivery: Delivery) -> Done:
        """The job is done: delete it."""

    @abstractmethod
    def nack(self, delivery: Delivery) -> Done:
        """The job has failed for good: delete it, or let the broker dead-letter it."""

    @abstractmethod
    def redeliver(self, delivery: Delivery, delay: int) -> Done:
        """The job has failed: deliver it again after ``delay`` seconds, as one more attempt. A broker that counts
        deliveries does it natively; for others push ``delivery.failed_copy(delay)``, then delete the original. A broker
        without delays delivers it earlier."""

    @abstractmethod
    def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> Done:
        """The worker asks for it again: push ``delivery.job.copy(headers, delay)``, then delete the original."""

    @abstractmethod
    def release(self, delivery: Delivery) -> Done:
        """Give back a job that was not run: it is delivered again, here or elsewhere, with no attempt more where the
        broker allows that."""

    @abstractmethod
    async def take(self, limit: int) -> Sequence[Delivery]:
        """Up to ``limit`` messages that are on the broker now, without waiting for more, each to be settled like any
        delivery. For operators (``rr jobs peek``, ``retry``, ``purge``); works while the pipeline consumes and while it
        is paused."""

    @abstractmethod
    async def stat(self) -> BrokerStats:
        """Current figures.

        Raises:
            BrokerError
        """


MakeDriver: TypeAlias = Callable[[Host, Any, Any], Driver]


def _as_declared(values: Mapping[str, str]) -> Mapping[str, Any]:
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverInfo:
    """What the plugin must know of a driver before it is imported; the object behind the entry point.

    Attributes:
        config: model of ``jobs.pipelines.<name>.config``.
        make: ``module:Class``, called with the host, the config and the section (``None`` without one).
        section: name of the global section, such as ``amqp``; empty = none.
        section_config: model of that section.
        modules: of the client library, for ``rr doctor``.
        extra: the extra of ``pyroadrunner`` that installs them; empty for a driver of another package.
        declared: converts the string values of ``jobs.Declare`` to what ``config`` reads (another unit, an older
            spelling). Numbers, ``true``/``false``, and JSON texts for maps and lists need no conversion.
    """

    config: type[PipelineConfig]
    make: str
    section: str = ""
    section_config: type[msgspec.Struct] | None = None
    modules: tuple[str, ...] = ()
    extra: str = ""
    declared: Callable[[Mapping[str, str]], Mapping[str, Any]] = _as_declared

    def load(self) -> MakeDriver:
        """Import the driver.

        Raises:
            ModuleNotFoundError: its client library is not installed.
        """
        module, _, name = self.make.partition(":")
        make: MakeDriver = getattr(import_module(module), name)
        return make
