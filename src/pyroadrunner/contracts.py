"""The Protocols that connect plugins. No plugin imports another: its constructor names one of these Protocols, and the
container supplies the plugin that implements it.

A plugin class is found by entry point (group ``pyroadrunner.plugins``, name = its section of ``.rr.yaml``). The
annotations of its constructor decide what it receives:

- a ``msgspec.Struct`` type: the plugin's own checked section (the entry point of the same name in
  ``pyroadrunner.sections``),
- a Protocol of this module: the one plugin that implements it (``ServerPlugin`` is a ``PoolFactory``),
- ``Sequence[SomeProtocol]``: a live view of every constructed plugin that implements it (``rpc`` gets all ``HasRpc``),
- ``RunningConfig``: the whole checked config.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import msgspec

from pyroadrunner.metric import MetricFamily, Sample
from pyroadrunner.workers.contract import PoolFactory, WorkerPool
from pyroadrunner.workers.info import WorkerInfo


@runtime_checkable
class Plugin(Protocol):
    """A plugin: one section of ``.rr.yaml``, running between ``start`` and ``stop``.

    A plugin starts after the plugins that its constructor received. Where that leaves the order open, a higher class
    attribute ``weight: int`` (RoadRunner's word; default 0) starts first. Plugins stop in reverse order."""

    name: str

    async def start(self) -> None:
        """Start; return when ready. To refuse, raise :class:`pyroadrunner.errors.RoadRunnerError` with a clear message:
        `rr serve` then stops the started plugins, prints the message and exits with code 1."""

    async def stop(self, grace: float) -> None:
        """Accept no more work, finish running work within ``grace`` seconds, release all resources. Errors of a peer
        must not raise."""


@runtime_checkable
class HasTask(Protocol):
    """A plugin with a background task between ``start`` and ``stop``."""

    async def run(self) -> None:
        """Work until :meth:`Plugin.stop` is called, then return. Called after every plugin has started. An exception
        stops the whole server in order, with the text on stderr and exit code 1."""


@runtime_checkable
class HasPools(Protocol):
    """A plugin with pools of workers; ``informer`` lists the workers, ``resetter`` resets them."""

    name: str

    def pools(self) -> Mapping[str, WorkerPool]:
        """Its pools by name; the first is the default pool."""


@runtime_checkable
class HasProcesses(Protocol):
    """A plugin with its own processes outside a pool: ``informer`` lists and ``resetter`` restarts them like workers,
    but their number is fixed."""

    name: str

    async def workers(self) -> list[WorkerInfo]:
        """The running processes."""

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


@runtime_checkable
class HasRpc(Protocol):
    """A plugin with RPC methods."""

    name: str

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        """Maps each method name (without the service prefix) to its handler; read once, with the first call."""


@runtime_checkable
class HasMetrics(Protocol):
    """A plugin with metrics; ``metrics`` requests them at each scrape."""

    name: str

    async def metrics(self) -> Sequence[MetricFamily]: ...


@runtime_checkable
class HasStatus(Protocol):
    """A plugin with health checks for ``status``. Both checks must be cheap: probes come every second."""

    name: str

    async def healthy(self) -> bool:
        """Whether the plugin works: at least one worker serves (ready or working)."""

    async def ready(self) -> bool:
        """Whether the plugin accepts more work now: at least one worker is free."""


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


@runtime_checkable
class Tracing(Protocol):
    """A plugin that records traces for other plugins. Its methods do no I/O."""

    def begin_trace(
        self, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Mapping[str, str | int]
    ) -> Span:
        """Begin the span of an incoming request.

        Args:
            headers: of the request, names in lower case; they may name the trace to continue.
        """

    @property
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


@runtime_checkable
class HasConnections(Protocol):
    """A plugin with persistent connections. When another process has taken over the addresses (SIGUSR2), the plugin
    must close each connection gracefully before the stop: simply closing an idle connection may lose a request in
    flight."""

    def close_after_response(self) -> None:
        """Close each connection after its current or next response; keep serving until ``stop``."""


@runtime_checkable
class HasStopHook(Protocol):
    """A plugin that is notified when the stop of the server begins, long before its own ``stop``."""

    def on_stopping(self) -> None:
        """Called before the first plugin is stopped. Must not fail."""


@runtime_checkable
class Reloadable(Protocol):
    """A plugin that can apply parts of a changed config while it runs (``rr reload``, SIGHUP)."""

    name: str

    def reloadable_keys(self) -> Collection[str]:
        """Keys of its section that it can apply: ``pool.num_workers``. A key covers those below it, and the empty key
        the whole section. A change of any other key is refused: it needs a restart."""

    async def prepare_reload(self, section: Any, whole: Mapping[str, Any]) -> PreparedReload:
        """Prepare for a changed config without changing anything yet.

        Args:
            section: its new typed section; only reloadable keys differ from the current one.
            whole: the whole new config, in the form of :class:`RunningConfig`.

        Raises:
            pyroadrunner.errors.RoadRunnerError: the change can't be applied; the whole reload is then discarded.
        """


@runtime_checkable
class HasCertificates(Protocol):
    """A plugin that serves TLS."""

    async def reload_certificates(self) -> None:
        """Check the certificate files now (``rr reload``, SIGHUP), and use changed certificates for new connections.
        Never raises: invalid files are logged, and the old certificate stays in use."""


class EffectiveConfig(Protocol):
    """The current configuration of the server: for plugins that show it (``rpc.Config``), and for plugins with settings
    in more than one section."""

    def as_dict(self) -> dict[str, Any]: ...

    def section(self, name: str) -> msgspec.Struct | None:
        """A checked section; ``None`` if it is absent. A section without a model is checked only if the model of
        another section names it (``elsewhere``, see ``config/check.py``)."""

    @property
    def experimental(self) -> bool:
        """Whether ``-e`` was given: experimental features are enabled."""


__all__ = [
    "EffectiveConfig",
    "HasCertificates",
    "HasConnections",
    "HasMetrics",
    "HasPools",
    "HasProcesses",
    "HasRpc",
    "HasStatus",
    "HasStopHook",
    "HasTask",
    "MetricFamily",
    "Plugin",
    "PoolFactory",
    "PreparedReload",
    "Reloadable",
    "RpcMethod",
    "Sample",
    "Sequence",
    "Span",
    "Tracing",
    "WorkerPool",
]
