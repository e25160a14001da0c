"""The module for authors of plugins: the Protocols plugins meet through, and all else a plugin needs.

**Stable.** What ``__all__`` names is kept. A change that breaks plugins comes at the earliest one minor release after
the use of the old form began to give a ``DeprecationWarning``, and the changelog says what to use instead. Names may be
added at any time; a new method of a Protocol that plugins inherit has a default. Other modules may change with every
release.

No plugin imports another: it names a Protocol in its constructor, and the container supplies the plugin whose class
inherits it.

A plugin class is found by entry point (group ``pyroadrunner.plugins``, name = its section of ``.rr.yaml``). It inherits
:class:`Plugin` and the Protocols whose promises it keeps; the container checks that it has their methods. Its
constructor is read by annotation:

- a ``msgspec.Struct`` type: the plugin's own checked section (the entry point of the same name in
  ``pyroadrunner.sections``); with ``| None``: ``None`` when the section is absent,
- a Protocol: the one plugin that keeps it (``ServerPlugin`` is a ``PoolFactory``); with ``| None``: ``None`` when no
  plugin of this config does,
- ``Sequence[SomeProtocol]``: a live view on every constructed plugin that keeps it (``rpc`` gets all ``HasRpc``),
- ``EffectiveConfig``: the whole checked config.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import msgspec

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.config.effective import Leaf
from pyroadrunner.config.partial import Partial
from pyroadrunner.config.values import NAMED, Command, Duration, StringList, StringMap
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log
from pyroadrunner.metric import MetricFamily, Sample
from pyroadrunner.page import Action, Cell, Column, Figure, Figures, Page, PageInfo, Row, Table, excerpt
from pyroadrunner.workers.call import OnCancel, ReplyRule, Submission
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.config import Count, DynamicAllocatorConfig, PoolConfig, SupervisorConfig
from pyroadrunner.workers.contract import PoolFactory, WorkerPool
from pyroadrunner.workers.errors import (
    BadReply,
    EmptyPayload,
    ExecTimeout,
    LeaseEnded,
    NoFreeWorker,
    NoSuchWorker,
    PoolClosed,
    PoolError,
    QueueFull,
    TooManyWorkers,
    WorkerCrashed,
    WorkerError,
    WorkerFailed,
    WorkerRefused,
    WorkerStartError,
)
from pyroadrunner.workers.events import PoolEvent, ResetBegan, ResetEnded, WorkerGone, WorkerReady
from pyroadrunner.workers.health import all_serve, has_free_worker
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.lease import Lease
from pyroadrunner.workers.metrics import queue_metrics
from pyroadrunner.workers.partial_config import (
    PartialDynamicAllocatorConfig,
    PartialPoolConfig,
    PartialSupervisorConfig,
)
from pyroadrunner.workers.payload import Chunk, Codec, Payload, Reply, ReplyStream
from pyroadrunner.workers.pools import destroy_pools, start_pools
from pyroadrunner.workers.reloadable import POOL_KEYS
from pyroadrunner.workers.state import State
from pyroadrunner.workers.stats import BOUNDS, PoolStats


class Plugin(Protocol):
    """One section of ``.rr.yaml``, alive between ``start`` and ``stop``. Every plugin inherits it.

    A plugin starts after the plugins that its constructor received. Where that leaves the order open, a higher class
    attribute ``weight: int`` (RoadRunner's word; default 0) starts first. Plugins stop in reverse order."""

    name: str

    @abstractmethod
    async def start(self) -> None:
        """Start; return when ready. To refuse, raise :class:`pyroadrunner.errors.RoadRunnerError` with a clear message:
        `rr serve` then stops the started plugins, prints the message and exits with code 1."""

    @abstractmethod
    async def stop(self, grace: float) -> None:
        """Accept no more work, finish running work within ``grace`` seconds, release all resources. Errors of a peer
        must not raise."""


class HasTask(Protocol):
    """A plugin with a background task between ``start`` and ``stop``."""

    @abstractmethod
    async def run(self) -> None:
        """Work until :meth:`Plugin.stop` is called, then return. Called after every plugin has started. An exception
        stops the whole server in order, with the text on stderr and exit code 1."""


class HasPools(Protocol):
    """A plugin with pools of workers; ``informer`` lists the workers, ``resetter`` resets them."""

    name: str

    @abstractmethod
    def pools(self) -> Mapping[str, WorkerPool]:
        """Its pools by name; the first is the default pool."""


class HasProcesses(Protocol):
    """A plugin with its own processes outside a pool: ``informer`` lists and ``resetter`` restarts them like workers,
    but their number is fixed."""

    name: str

    @abstractmethod
    async def workers(self) -> list[WorkerInfo]:
        """The running processes."""

    @abstractmethod
    async def reset(self) -> None:
        """Restart all processes. If some fail to start, raise an error after the others were restarted."""


@dataclass(frozen=True, slots=True)
class RpcMethod:
    """One method of a plugin's RPC service, called as ``<plugin name>.<Method>``.

    Attributes:
        call: receives the decoded argument and returns the reply to encode: an async function, or a plain function that
            returns immediately (called without a task, at half the cost). A
            :class:`~pyroadrunner.errors.RoadRunnerError` becomes an error frame with its text.
        argument: type (msgspec) of the argument for JSON and msgpack. An empty body gives ``argument()``.
        message: protobuf class of the request if the method is protobuf-typed, otherwise ``None``. With it,
            ``argument`` is not used: every codec is decoded into the message.
        cancel_on_disconnect: whether a running call is cancelled when its client disconnects; otherwise it completes.
    """

    call: Callable[[Any], Any]
    argument: type = bool
    message: type | None = None
    cancel_on_disconnect: bool = False


class HasRpc(Protocol):
    """A plugin with RPC methods."""

    name: str

    @abstractmethod
    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        """Maps each method name (without the service prefix) to its handler; read once, with the first call."""


class HasMetrics(Protocol):
    """A plugin with metrics; ``metrics`` requests them at each scrape."""

    name: str

    @abstractmethod
    async def metrics(self) -> Sequence[MetricFamily]: ...


class HasStatus(Protocol):
    """A plugin with health checks for ``status``. Both checks must be cheap: probes come every second."""

    name: str

    @abstractmethod
    async def healthy(self) -> bool:
        """Whether the plugin works: at least one worker serves (ready or working)."""

    @abstractmethod
    async def ready(self) -> bool:
        """Whether the plugin accepts more work now: at least one worker is free."""


class HasStatusMessage(Protocol):
    """A plugin with a status whose probes say in words what is wrong, such as a server that is away."""

    name: str

    @abstractmethod
    def status_message(self) -> str:
        """What is wrong now; empty = nothing. Without secrets: probes have no password."""


class HasPages(Protocol):
    """A plugin with pages of the dashboard. They are asked for only while a browser shows them."""

    name: str

    @abstractmethod
    def pages(self) -> Sequence[PageInfo]:
        """Its pages, in the order of the menu; cheap. A page may come and go."""

    @abstractmethod
    async def page(self, name: str) -> Page:
        """The current contents of a page. All text is shown as text, never as HTML.

        Raises:
            pyroadrunner.errors.RoadRunnerError: there is nothing to show; the text is.
        """

    @abstractmethod
    async def run_action(self, page: str, action: str, row: str) -> str:
        """Run an action of a page. The dashboard has checked that the user may.

        Args:
            row: id of the row; empty = the action is one of the page. Both names come from the browser: check them.

        Returns:
            What was done, as a sentence for the user.

        Raises:
            UnknownAction: the page has no such action.
            pyroadrunner.errors.RoadRunnerError: why it was not done.
        """


class UnknownAction(RoadRunnerError):
    """The page has no such action."""

    def __init__(self, page: str, action: str) -> None:
        super().__init__(f"the page {page} has no action {action!r}")


class WatchesRequests(Protocol):
    """A plugin that hears of each request that the workers of ``http`` have answered, or failed to."""

    @abstractmethod
    def request_watcher(self) -> Callable[[int, float], None]:
        """The function to call after each request, on the hot path: it must be cheap and must not fail. Its arguments:
        the status of the response (499 if the client left before it), and the seconds from the head of the request to
        the end of its handling. Asked for when ``http`` starts or is reloaded."""


class LogLine(NamedTuple):
    """A line of the log.

    Attributes:
        time: Unix time, nanoseconds.
        level: of Python's ``logging``.
    """

    time: int
    level: int
    channel: str
    message: str
    fields: Mapping[str, Any]


class LogSource(Protocol):
    """The plugin that writes the log, for plugins that show it."""

    @abstractmethod
    def listen(self, listener: Callable[[LogLine], None]) -> Callable[[], None]:
        """Call ``listener`` with each line that is logged from now on, from any thread. It must be cheap, and must not
        log.

        Returns:
            a function that ends it; idempotent.
        """


class PipelineState(msgspec.Struct, kw_only=True, frozen=True):
    """A queue of a plugin, as probes and operators see it.

    Attributes:
        queue: the broker's name of it.
        active, delayed, reserved: numbers of jobs, as the broker counts them.
        ready: whether its jobs are being received.
        state: ``connecting``, ``ready``, ``paused`` or ``failed``.
        error_message: what is wrong; empty = nothing.
        running: jobs that workers run now.
        done, failed: jobs since the start whose worker has answered properly, and not.
    """

    pipeline: str
    driver: str
    queue: str = ""
    active: int = 0
    delayed: int = 0
    reserved: int = 0
    ready: bool = False
    priority: int = 0
    state: str = ""
    error_message: str = ""
    running: int = 0
    done: int = 0
    failed: int = 0


class HasPipelines(Protocol):
    """A plugin with queues; ``informer`` and ``status`` show them."""

    name: str

    @abstractmethod
    async def pipelines(self) -> Sequence[PipelineState]:
        """All queues; a broker that does not answer is an ``error_message``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to push.

    Attributes:
        id: chosen by the caller.
        name: of the job, for its handler.
        priority: 0 = that of the pipeline.
        delay: whole seconds before the job may run.
    """

    id: str
    name: str
    pipeline: str
    payload: bytes = b""
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    priority: int = 0
    delay: int = 0


class PushesJobs(Protocol):
    """A plugin with job queues, for plugins that push."""

    @abstractmethod
    async def push_job(self, job: NewJob) -> None:
        """Push a job; return when the broker has it.

        Raises:
            pyroadrunner.errors.RoadRunnerError: it was not pushed, or the broker did not say so.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRequest:
    """A request of the server itself to the application.

    Attributes:
        path: with the query; percent-encoded.
        headers: names in lower case.
        attributes: request attributes for the worker; no client can set them.
    """

    path: str
    method: str = "GET"
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppResponse:
    """A response of the application.

    Attributes:
        body: its beginning.
        complete: whether the response has ended properly.
    """

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalCall:
    """An activity, or a task of a workflow, that a PHP worker is about to run.

    Attributes:
        kind: ``activity``, ``local activity`` or ``workflow task``.
        type: of the activity or the workflow.
        workflow_type: of the run.
        attempt: of the activity, from 1; 0 for a workflow task.
        replaying: whether a workflow task repeats what has happened before.
        header: encoded payloads (``temporal.api.common.v1.Payload``) by name.
    """

    kind: str
    type: str
    task_queue: str
    workflow_id: str
    run_id: str
    workflow_type: str = ""
    attempt: int = 0
    replaying: bool = False
    header: Mapping[str, Any] = field(default_factory=dict)


class InterceptsTemporal(Protocol):
    """A plugin that wraps the calls of Temporal's workers. ``temporal.interceptors`` names it, or has no names."""

    name: str

    @abstractmethod
    async def intercept_temporal(self, call: TemporalCall, proceed: Callable[[], Awaitable[str]]) -> str:
        """Run a call: ``return await proceed()``, once.

        Returns:
            why the call failed; empty if it did not. For other interceptors and the log: PHP's answer stays as it is.

        Raises:
            Exception: the activity, or the task, fails with it (and is tried again).
        """


class HandlesRequests(Protocol):
    """A plugin with an HTTP application, for plugins that send it requests."""

    @abstractmethod
    async def handle_request(self, request: AppRequest) -> AppResponse:
        """Handle a request without a connection, in the pool of its route. Middleware does not see it. Errors are
        responses, as they are for clients: 503 without a free worker, 500 if the worker fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpMount:
    """A part of the HTTP port that a plugin serves itself.

    Attributes:
        path: the decoded path, compared case-sensitively; ``/app/*`` = all below ``/app/``.
        app: an ASGI application for the scopes ``http`` and ``websocket``.
    """

    path: str
    app: ASGIApp


class MountsOnHttp(Protocol):
    """A plugin that serves paths of the HTTP port, behind its middleware, before the workers."""

    @abstractmethod
    def http_mounts(self) -> Sequence[HttpMount]:
        """Its paths; asked for once, when the HTTP port starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedAddress:
    """An address at which this server accepts connections.

    Attributes:
        kind: ``http``, ``https``, ``grpc``, ``tcp``, ``metrics``, ...
        address: ``host:port`` with the port in use (an empty host = all interfaces), or ``unix://path``; empty = the
            addresses of the HTTP port.
        key: config key of the address, for messages.
        name: of one of several of this kind.
        path: on the HTTP port.
    """

    kind: str
    address: str
    key: str
    name: str = ""
    path: str = ""


class HasAddresses(Protocol):
    """A plugin that listens; ``discovery`` announces its addresses to other machines."""

    name: str

    @abstractmethod
    def addresses(self) -> Sequence[ServedAddress]:
        """Its addresses; asked for after the start of all plugins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringPage:
    """A response of the ports ``metrics`` and ``status``."""

    status: int
    body: bytes
    content_type: str = "application/json"


class HasMonitoringPages(Protocol):
    """A plugin with pages of its own on the ports ``metrics`` and ``status``."""

    name: str

    @abstractmethod
    def monitoring_pages(self) -> Mapping[str, Callable[[Mapping[str, Sequence[str]]], Awaitable[MonitoringPage]]]:
        """Maps each path (``/sd``) to an async function that gets the parameters of the query."""


class PublishesToTopics(Protocol):
    """A plugin whose clients follow topics, for plugins that publish."""

    @abstractmethod
    async def publish_to_topics(self, topics: Sequence[str], payload: bytes) -> None:
        """Publish a message to each topic, for the clients of all servers.

        Raises:
            pyroadrunner.errors.RoadRunnerError: it was not published, or not to all topics.
        """


class Span(Protocol):
    """One operation in a trace, from its creation to :meth:`end`. Cheap if the trace is not recorded."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; empty = tracing is switched off."""

    @property
    def recording(self) -> bool:
        """Whether the span is recorded."""

    def child(self, name: str) -> Span:
        """Begin a child span."""

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Headers that make a peer continue this trace; names in lower case, all of
        :attr:`Tracing.propagated_headers`."""

    def set_attributes(self, attributes: Mapping[str, str | int]) -> None:
        """Set attributes."""

    def event(self, name: str, attributes: Mapping[str, str | int]) -> None:
        """Add an event with the current time."""

    def fail(self, why: str = "") -> None:
        """Set the status to Error."""

    def end(self) -> None:
        """End the span. It must not be used afterwards."""


class Tracing(Protocol):
    """A plugin that records traces for other plugins. Its methods do no I/O."""

    @abstractmethod
    def begin_trace(
        self, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Mapping[str, str | int]
    ) -> Span:
        """Begin the span of an incoming request.

        Args:
            headers: of the request, names in lower case; they may name the trace to continue.
        """

    @property
    @abstractmethod
    def propagated_headers(self) -> Collection[bytes]:
        """Names of headers that carry a trace; remove the client's before you add :meth:`Span.headers`."""


@dataclass(frozen=True, slots=True)
class PreparedReload:
    """A prepared change of the config: everything that can fail has been done.

    Attributes:
        apply: applies the change immediately; must not fail.
        discard: releases the prepared resources; called instead of ``apply`` if another plugin refuses.
    """

    apply: Callable[[], None]
    discard: Callable[[], None] = lambda: None


class HasConnections(Protocol):
    """A plugin with persistent connections. When another process has taken over the addresses (SIGUSR2), the plugin
    must close each connection gracefully before the stop: simply closing an idle connection may lose a request in
    flight."""

    @abstractmethod
    def close_after_response(self) -> None:
        """Close each connection after its current or next response; keep serving until ``stop``."""


class HasStopHook(Protocol):
    """A plugin that is notified when the stop of the server begins, long before its own ``stop``."""

    @abstractmethod
    def on_stopping(self) -> None:
        """Called before the first plugin is stopped. Must not fail."""


class Reloadable(Protocol):
    """A plugin that can apply parts of a changed config while it runs (``rr reload``, SIGHUP)."""

    name: str

    @abstractmethod
    def reloadable_keys(self) -> Collection[str]:
        """Keys of its section that it can apply: ``pool.num_workers``. A key covers those below it, and the empty key
        the whole section. A change of any other key is refused: it needs a restart.

        Where it is a static method, ``rr config explain`` names these keys, too."""

    @abstractmethod
    async def prepare_reload(self, section: Any, whole: Mapping[str, Any]) -> PreparedReload:
        """Prepare for a changed config without changing anything yet.

        Args:
            section: its new typed section; only reloadable keys differ from the current one.
            whole: the whole new config, in the form of :class:`RunningConfig`.

        Raises:
            pyroadrunner.errors.RoadRunnerError: the change can't be applied; the whole reload is then discarded.
        """


class HasCertificates(Protocol):
    """A plugin that serves TLS."""

    @abstractmethod
    async def reload_certificates(self) -> None:
        """Check the certificate files now (``rr reload``, SIGHUP), and use changed certificates for new connections.
        Never raises: invalid files are logged, and the old certificate stays in use."""


class EffectiveConfig(Protocol):
    """The current configuration of the server: for plugins that show it (``rpc.Config``), and for plugins with settings
    in more than one section."""

    def as_dict(self) -> dict[str, Any]: ...

    def leaves(self) -> Sequence[Leaf]:
        """Every value with its source and its default; secrets are masked."""

    def section(self, name: str) -> msgspec.Struct | None:
        """A checked section; ``None`` if it is absent. A section without a model is checked only if the model of
        another section names it (``elsewhere``, see ``config/check.py``)."""

    @property
    def experimental(self) -> bool:
        """Whether ``-e`` was given: experimental features are enabled."""


__all__ = [
    "BOUNDS",
    "NAMED",
    "POOL_KEYS",
    "Action",
    "AppRequest",
    "AppResponse",
    "BadReply",
    "Cell",
    "Chunk",
    "Codec",
    "Column",
    "Command",
    "Count",
    "Duration",
    "DynamicAllocatorConfig",
    "EffectiveConfig",
    "EmptyPayload",
    "ExecTimeout",
    "Figure",
    "Figures",
    "HandlesRequests",
    "HasAddresses",
    "HasCertificates",
    "HasConnections",
    "HasMetrics",
    "HasMonitoringPages",
    "HasPages",
    "HasPipelines",
    "HasPools",
    "HasProcesses",
    "HasRpc",
    "HasStatus",
    "HasStatusMessage",
    "HasStopHook",
    "HasTask",
    "HttpMount",
    "InterceptsTemporal",
    "Leaf",
    "Lease",
    "LeaseEnded",
    "Log",
    "LogLine",
    "LogSource",
    "MetricFamily",
    "MonitoringPage",
    "MountsOnHttp",
    "NewJob",
    "NoFreeWorker",
    "NoSuchWorker",
    "OnCancel",
    "Page",
    "PageInfo",
    "Partial",
    "PartialDynamicAllocatorConfig",
    "PartialPoolConfig",
    "PartialSupervisorConfig",
    "Payload",
    "PipelineState",
    "Plugin",
    "PoolClosed",
    "PoolConfig",
    "PoolError",
    "PoolEvent",
    "PoolFactory",
    "PoolStats",
    "PreparedReload",
    "PublishesToTopics",
    "PushesJobs",
    "QueueFull",
    "QueuePolicy",
    "Reloadable",
    "Reply",
    "ReplyRule",
    "ReplyStream",
    "ResetBegan",
    "ResetEnded",
    "RoadRunnerError",
    "Row",
    "RpcMethod",
    "Sample",
    "ServedAddress",
    "Span",
    "State",
    "StringList",
    "StringMap",
    "Submission",
    "SupervisorConfig",
    "Table",
    "TemporalCall",
    "TooManyWorkers",
    "Tracing",
    "UnknownAction",
    "WatchesRequests",
    "WorkerCrashed",
    "WorkerError",
    "WorkerFailed",
    "WorkerGone",
    "WorkerInfo",
    "WorkerPool",
    "WorkerReady",
    "WorkerRefused",
    "WorkerStartError",
    "all_serve",
    "destroy_pools",
    "excerpt",
    "has_free_worker",
    "queue_metrics",
    "start_pools",
]
