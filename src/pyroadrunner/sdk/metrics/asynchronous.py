"""The asyncio client of the service ``metrics``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType

from pyroadrunner.sdk.metrics import messages
from pyroadrunner.sdk.metrics.messages import Kind
from pyroadrunner.sdk.rpc import AsyncRpcClient


class AsyncMetrics:
    """Metrics of the application.

    Args:
        rpc: the connection; ``None`` = a new one.

    Like :class:`~pyroadrunner.sdk.metrics.Metrics`, with coroutines. Use it from one event loop.
    """

    def __init__(self, rpc: AsyncRpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else AsyncRpcClient()

    def __repr__(self) -> str:
        return f"AsyncMetrics({self._rpc!r})"

    async def __aenter__(self) -> AsyncMetrics:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        await self._rpc.close()

    async def declare(
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
        await self._rpc.call("metrics.Declare", asked)

    async def unregister(self, name: str) -> None:
        """Remove a metric and its values."""
        await self._rpc.call("metrics.Unregister", name)

    async def add(self, name: str, value: float = 1, labels: Sequence[str] = ()) -> None:
        """Add to a counter (0 or more) or a gauge."""
        await self._rpc.call("metrics.Add", messages.change(name, value, labels))

    async def sub(self, name: str, value: float = 1, labels: Sequence[str] = ()) -> None:
        """Subtract from a gauge."""
        await self._rpc.call("metrics.Sub", messages.change(name, value, labels))

    async def set(self, name: str, value: float, labels: Sequence[str] = ()) -> None:
        """Set a gauge."""
        await self._rpc.call("metrics.Set", messages.change(name, value, labels))

    async def observe(self, name: str, value: float, labels: Sequence[str] = ()) -> None:
        """Add an observation to a histogram or a summary."""
        await self._rpc.call("metrics.Observe", messages.change(name, value, labels))
