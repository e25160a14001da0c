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
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from pyroadrunner.config.partial import Partial
from pyroadrunner.config.values import NAMED, Command, Duration, StringList, StringMap
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log
from pyroadrunner.metric import MetricFamily, Sample
from pyroadrunner.workers.call import OnCancel
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.config import Count, DynamicAllocatorConfig, PoolConfig, SupervisorConfig
from pyroadrunner.workers.contract import PoolFactory, WorkerPool
from pyroadrunner.workers.errors import (
    BadReply,
    EmptyPayload,
    ExecTimeout,
    LeaseEnded,
    NoFreeWorker,
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

    Plugins start after those they were given in their constructor; among the free ones a higher class attribute
    ``weight: int`` (RoadRunner's word; absent = 0) goes first. They stop in reverse."""

    name: str

    @abstractmethod
    async def start(self) -> None:
        """Return once ready. Raise :class:`pyroadrunner.errors.RoadRunnerError` to refuse in words: `rr serve` then
        stops what was started, prints the text and exits 1."""

    @abstractmethod
    async def stop(self, grace: float) -> None:
        """Stop taking work, finish what runs within ``grace`` seconds, let go of everything. Never raises for a
        peer's fault."""


class HasTask(Protocol):
    """A plugin with work of its own between ``start`` and ``stop``."""

    @abstractmethod
    async def run(self) -> None:
        """Work until :meth:`Plugin.stop` is called, then return. Started after every plugin has started; an exception
        ends the whole server: an ordered stop, the text on stderr, exit code 1."""


class HasPools(Protocol):
    """A plugin whose work is done by workers; ``informer`` lists them, ``resetter`` resets them."""

    name: str

    @abstractmethod
    def pools(self) -> Mapping[str, WorkerPool]:
        """Its pools by name; the first is the default one."""


class HasProcesses(Protocol):
    """A plugin whose processes are its own and no pool's: they are listed and restarted like workers, but nobody adds
    or removes one."""

    name: str

    @abstractmethod
    async def workers(self) -> list[WorkerInfo]:
        """Those that run now."""

    @abstractmethod
    async def reset(self) -> None:
        """Restart all. What can't be started again is told by an error, once the others were."""


@dataclass(frozen=True, slots=True)
class RpcMethod:
    """One method of a plugin's RPC service, called as ``<plugin name>.<Method>``.

    Attributes:
        call: gets the decoded argument, returns what is encoded as the answer: an async function, or a plain one that
            answers at once (it is called without a task, at half the cost). A
            :class:`~pyroadrunner.errors.RoadRunnerError` becomes an error frame with its text.
        argument: type (msgspec) of the argument for JSON and msgpack. An empty body gives ``argument()``.
        message: protobuf class of the request where the method is protobuf-typed, else ``None``; then ``argument`` is
            not used: every codec is decoded into the message.
        cancel_on_disconnect: whether a call that runs is cancelled when its client hangs up; others run to their end.
    """

    call: Callable[[Any], Any]
    argument: type = bool
    message: type | None = None
    cancel_on_disconnect: bool = False


class HasRpc(Protocol):
    """A plugin that answers RPC calls."""

    name: str

    @abstractmethod
    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        """Method name (without the service prefix) to its handler; read once, with the first call."""


class HasMetrics(Protocol):
    """A plugin with figures of its own; ``metrics`` asks for them when it is scraped."""

    name: str

    @abstractmethod
    async def metrics(self) -> Sequence[MetricFamily]: ...


class HasStatus(Protocol):
    """A plugin that ``status`` asks how it is. Both answers are cheap: probes come every second."""

    name: str

    @abstractmethod
    async def healthy(self) -> bool:
        """Whether it works: at least one worker serves (ready or working)."""

    @abstractmethod
    async def ready(self) -> bool:
        """Whether it takes more work right now: at least one worker is free."""


class Span(Protocol):
    """One piece of work in a trace, from its making to :meth:`end`. Cheap where the trace is not recorded."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; empty = tracing is switched off."""

    @property
    def recording(self) -> bool:
        """Whether what is told to it will be seen by anybody."""

    def child(self, name: str) -> Span:
        """A span for what is done inside."""

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """What tells a peer to go on with this trace; names in lower case, all of
        :attr:`Tracing.propagated_headers`."""

    def set_attributes(self, attributes: Mapping[str, str | int]) -> None:
        """Set attributes."""

    def event(self, name: str, attributes: Mapping[str, str | int]) -> None:
        """Something has happened now."""

    def fail(self, why: str = "") -> None:
        """The status is Error."""

    def end(self) -> None:
        """The work is over. Nothing may be told to it afterwards."""


class Tracing(Protocol):
    """A plugin that traces what others do. Its calls do no I/O."""

    @abstractmethod
    def begin_trace(
        self, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Mapping[str, str | int]
    ) -> Span:
        """The span of a request that has come in.

        Args:
            headers: of the request, names in lower case: they may say which trace it belongs to.
        """

    @property
    @abstractmethod
    def propagated_headers(self) -> Collection[bytes]:
        """Names of headers that carry a trace; those of a client are to be taken out where :meth:`Span.headers` are put
        in."""


@dataclass(frozen=True, slots=True)
class PreparedReload:
    """A change of the config that is ready to be taken over: all that can fail has been done.

    Attributes:
        apply: takes it over, at once; must not fail.
        discard: lets go of what was made for it; called in place of ``apply`` when another plugin refuses.
    """

    apply: Callable[[], None]
    discard: Callable[[], None] = lambda: None


class HasConnections(Protocol):
    """A plugin with connections that outlive a request. When another process of ours has taken over the addresses
    (SIGUSR2), each is to be closed in good order before the stop: an idle one that is simply closed may lose the
    request that is on its way."""

    @abstractmethod
    def close_after_response(self) -> None:
        """Close connections as they come to rest; go on serving until ``stop``."""


class HasStopHook(Protocol):
    """A plugin that wants to know when the stop of the server begins, long before its own turn."""

    @abstractmethod
    def on_stopping(self) -> None:
        """The first plugin is about to be stopped. Must not fail."""


class Reloadable(Protocol):
    """A plugin that can take over parts of a changed config while it runs (``rr reload``, SIGHUP)."""

    name: str

    @abstractmethod
    def reloadable_keys(self) -> Collection[str]:
        """Keys of its section that it can take over: ``pool.num_workers``; a key covers those below it, and the empty
        key the whole section. A change of any other is refused: it needs a restart."""

    @abstractmethod
    async def prepare_reload(self, section: Any, whole: Mapping[str, Any]) -> PreparedReload:
        """Get ready for a changed config; nothing changes yet.

        Args:
            section: its typed section, where only live keys differ from the one it runs with.
            whole: the whole config as it will be, as from :class:`RunningConfig`.

        Raises:
            pyroadrunner.errors.RoadRunnerError: it can't be taken over; nothing of the reload happens then.
        """


class HasCertificates(Protocol):
    """A plugin that serves TLS."""

    @abstractmethod
    async def reload_certificates(self) -> None:
        """Look at the files of its certificates now (``rr reload``, SIGHUP), and serve new connections with what has
        changed. Never raises: a file that is not good is logged, and the old certificate stays."""


class EffectiveConfig(Protocol):
    """The configuration the server runs with: for those who show it (``rpc.Config``), and for those whose settings
    stand in more than one section."""

    def as_dict(self) -> dict[str, Any]: ...

    def section(self, name: str) -> msgspec.Struct | None:
        """A checked section; one without a model only where another's model has named it (``elsewhere``, see
        ``config/check.py``). ``None`` when it is absent."""

    @property
    def experimental(self) -> bool:
        """Whether ``-e`` was given: what is not ready for everybody may run."""


__all__ = [
    "BOUNDS",
    "NAMED",
    "POOL_KEYS",
    "BadReply",
    "Chunk",
    "Codec",
    "Command",
    "Count",
    "Duration",
    "DynamicAllocatorConfig",
    "EffectiveConfig",
    "EmptyPayload",
    "ExecTimeout",
    "HasCertificates",
    "HasConnections",
    "HasMetrics",
    "HasPools",
    "HasProcesses",
    "HasRpc",
    "HasStatus",
    "HasStopHook",
    "HasTask",
    "Lease",
    "LeaseEnded",
    "Log",
    "MetricFamily",
    "NoFreeWorker",
    "OnCancel",
    "Partial",
    "PartialDynamicAllocatorConfig",
    "PartialPoolConfig",
    "PartialSupervisorConfig",
    "Payload",
    "Plugin",
    "PoolClosed",
    "PoolConfig",
    "PoolError",
    "PoolEvent",
    "PoolFactory",
    "PoolStats",
    "PreparedReload",
    "QueueFull",
    "QueuePolicy",
    "Reloadable",
    "Reply",
    "ReplyStream",
    "ResetBegan",
    "ResetEnded",
    "RoadRunnerError",
    "RpcMethod",
    "Sample",
    "Span",
    "State",
    "StringList",
    "StringMap",
    "SupervisorConfig",
    "TooManyWorkers",
    "Tracing",
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
    "has_free_worker",
    "queue_metrics",
    "start_pools",
]
