"""The application's collectors by their RPC names, and the operations on them. Pure, except for the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Any

from pyroadrunner.contracts import MetricFamily
from pyroadrunner.plugins.metrics.collectors import Collector, Counter, Declared, Gauge, Histogram, Summary, full_name
from pyroadrunner.plugins.metrics.config import CollectorConfig
from pyroadrunner.plugins.metrics.errors import BadCollector, BadSample, Refused

MAX_COLLECTORS = 10_000

_CLASSES: Mapping[str, type[Collector[Any]]] = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}


class Registry:
    """Collectors by name. They exist until they are unregistered or the server exits.

    Args:
        max_series: maximum number of label combinations per collector; 0 = no limit.
        clock: returns seconds, for summaries.
    """

    def __init__(self, max_series: int = 0, clock: Callable[[], float] = monotonic) -> None:
        self._max_series = max_series
        self._clock = clock
        self._collectors: dict[str, Collector[Any]] = {}
        self._shown: set[str] = set()

    def __repr__(self) -> str:
        return f"Registry({list(self._collectors.values())})"

    def __contains__(self, name: str) -> bool:
        return name in self._collectors

    def families(self) -> Iterator[MetricFamily]:
        """All current families."""
        for collector in self._collectors.values():
            yield collector.family()

    def declare(self, name: str, config: CollectorConfig) -> None:
        """Create a collector.

        Raises:
            BadCollector: the declaration is invalid, or its exposed name is taken.
        """
        if len(self._collectors) >= MAX_COLLECTORS:
            raise BadCollector(f"the limit of {MAX_COLLECTORS} collectors is reached")
        declared = Declared(
            kind=config.type,
            full_name=full_name(config.namespace, config.subsystem, name),
            help=config.help,
            labels=config.labels,
            buckets=config.buckets,
            objectives=[float(quantile) for quantile in config.objectives],
            max_series=self._max_series,
        )
        if not name:
            raise BadCollector("a collector needs a name")
        if declared.full_name in self._shown:
            raise BadCollector(f"tried to register existing collector: {declared.full_name}")
        self._collectors[name] = self._made(declared)
        self._shown.add(declared.full_name)

    def _made(self, declared: Declared) -> Collector[Any]:
        if declared.kind == "summary":
            return Summary(declared, self._clock)
        if declared.kind not in _CLASSES:
            raise BadCollector(f"unknown collector type {declared.kind}")
        return _CLASSES[declared.kind](declared)

    def unregister(self, name: str) -> None:
        """Remove a collector and its values.

        Raises:
            Refused: the collector does not exist.
        """
        if name not in self._collectors:
            raise Refused("unregister", f"undefined collector {name}")
        self._shown.discard(self._collectors.pop(name).name)

    def call(self, method: str, name: str, value: float, labels: Sequence[str]) -> None:
        """``Add``, ``Sub``, ``Set`` or ``Observe``.

        Raises:
            Refused: the collector does not exist, its kind lacks the method, or the value or labels are invalid.
        """
        operation = method.lower()
        collector = self._collectors.get(name)
        if collector is None:
            hint = ", try first Declare the desired collector" if method == "Add" else ""
            raise Refused(operation, f"undefined collector {name}{hint}")
        act = getattr(collector, operation, None)
        if act is None:
            raise Refused(operation, f"collector `{name}` does not support method `{method}`")
        if collector.labelled and not labels:
            raise Refused(operation, f"required labels for collector {name}")
        try:
            act(value, labels)
        except BadSample as wrong:
            raise Refused(operation, str(wrong)) from wrong
