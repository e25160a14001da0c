"""The blocking client of the service ``metrics``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType

from pyroadrunner.sdk.metrics import messages
from pyroadrunner.sdk.metrics.messages import Kind
from pyroadrunner.sdk.rpc import RpcClient


class Metrics:
    """Metrics of the application.

    Args:
        rpc: the connection; ``None`` = a new one.

    Names are without namespace and subsystem. ``labels`` are values in the order of the declaration; each label should
    have few distinct values. Every method raises :class:`~pyroadrunner.sdk.rpc.CallFailed` with the server's message,
    and :class:`~pyroadrunner.sdk.rpc.Unreachable`.
    """

    def __init__(self, rpc: RpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else RpcClient()

    def __repr__(self) -> str:
        return f"Metrics({self._rpc!r})"

    def __enter__(self) -> Metrics:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        self._rpc.close()

    def declare(
        self,
        name: str,
        kind: Kind,
        help: str = "",  # noqa: A002  RoadRunner's word
        *,
        namespace: str = "",
        subsystem: str = "",
        labels: Sequence[str] = (),
        buckets: Sequence[float] = (),
        objectives: Mapping[float, float] | None = None,
    ) -> None:
        """Declare a metric. An existing one is not changed: every worker may declare it when it boots.

        Args:
            labels: names of the labels.
            buckets: upper bounds of a histogram; empty = Prometheus' defaults.
            objectives: quantiles of a summary and their allowed errors, ``{0.95: 0.01}``.
        """
        asked = messages.declaration(name, kind, help, namespace, subsystem, labels, buckets, objectives or {})
        self._rpc.call("metrics.Declare", asked)

    def unregister(self, name: str) -> None:
        """Remove a metric and its values."""
        self._rpc.call("metrics.Unregister", name)

    def add(self, name: str, value: float = 1, labels: Sequence[str] = ()) -> None:
        """Add to a counter (0 or more) or a gauge."""
        self._rpc.call("metrics.Add", messages.change(name, value, labels))

    def sub(self, name: str, value: float = 1, labels: Sequence[str] = ()) -> None:
        """Subtract from a gauge."""
        self._rpc.call("metrics.Sub", messages.change(name, value, labels))

    def set(self, name: str, value: float, labels: Sequence[str] = ()) -> None:
        """Set a gauge."""
        self._rpc.call("metrics.Set", messages.change(name, value, labels))

    def observe(self, name: str, value: float, labels: Sequence[str] = ()) -> None:
        """Add an observation to a histogram or a summary."""
        self._rpc.call("metrics.Observe", messages.change(name, value, labels))
