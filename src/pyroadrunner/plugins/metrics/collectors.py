"""Collectors of an application: counter, gauge, histogram, summary. Pure; the clock is an argument.

A collector has one series per combination of label values. Their number is limited: a label with user ids or paths
would otherwise fill the memory, and that of Prometheus.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from pyroadrunner.contracts import MetricFamily, Sample
from pyroadrunner.plugins.metrics.errors import BadCollector, BadSample
from pyroadrunner.plugins.metrics.exposition import shortest

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # the defaults of Prometheus
WINDOW = 600.0  # seconds that quantiles of a summary cover, as in Prometheus' client
WINDOW_VALUES = 2048  # latest values kept per series

_FOREIGN = re.compile(r"[^a-zA-Z0-9_:]")
_FOREIGN_LABEL = re.compile(r"[^a-zA-Z0-9_]")

Key = tuple[str, ...]
S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The declaration of a collector.

    Attributes:
        kind: ``counter``, ``gauge``, ``histogram``, ``summary``.
        full_name: the exposed name.
        labels: names of the labels.
        buckets: upper bounds; empty = :data:`BUCKETS`.
        objectives: quantiles of a summary.
        max_series: maximum number of combinations of label values; 0 = no limit.
    """

    kind: str
    full_name: str
    help: str = ""
    labels: Sequence[str] = ()
    buckets: Sequence[float] = ()
    objectives: Sequence[float] = ()
    max_series: int = 0


def full_name(namespace: str, subsystem: str, name: str) -> str:
    """Join the parts as Prometheus does; illegal characters become ``_``."""
    return _legal("_".join(part for part in (namespace, subsystem, name) if part), _FOREIGN)


def _legal(name: str, foreign: re.Pattern[str]) -> str:
    name = foreign.sub("_", name)
    return f"_{name}" if name[:1].isdigit() else name


class Collector(ABC, Generic[S]):
    """Series by label values. Subclasses add the methods of their kind.

    Raises:
        BadCollector: invalid names or settings.
    """

    reserved: ClassVar[str] = ""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        self._labels = [_legal(label, _FOREIGN_LABEL) for label in declared.labels]
        if len({*self._labels}) < len(self._labels):
            raise BadCollector("duplicate label names in constant and variable labels for metric " + self.name)
        for label in self._labels:
            if not label or label.startswith("__") or label == self.reserved:
                raise BadCollector(f'"{label}" is not a valid label name for metric "{self.name}"')
        self._series: dict[Key, S] = {}
        if not self._labels:
            self._series[()] = self.new()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, series={len(self._series)})"

    @property
    def name(self) -> str:
        return self.declared.full_name

    @property
    def labelled(self) -> bool:
        return bool(self._labels)

    @abstractmethod
    def new(self) -> S:
        """A new, empty series."""

    @abstractmethod
    def samples(self, labels: Mapping[str, str], series: S) -> Iterator[Sample]:
        """The samples of a series."""

    def family(self) -> MetricFamily:
        """All current samples."""
        samples = [
            sample
            for key, series in self._series.items()
            for sample in self.samples(dict(zip(self._labels, key, strict=True)), series)
        ]
        return MetricFamily(self.name, self.declared.kind, self.declared.help, samples)

    def _key(self, values: Sequence[str]) -> Key:
        """The key of the series with these label values; creates the series if needed.

        Raises:
            BadSample: the number of values is wrong, or the limit of series is reached.
        """
        key = tuple(values) if self._labels else ()  # values for an unlabelled collector are ignored, as in RoadRunner
        if len(key) != len(self._labels):
            raise BadSample(
                f"inconsistent label cardinality: expected {len(self._labels)} label values but got {len(key)} in"
                f" [{' '.join(key)}]"
            )
        if key not in self._series:
            limit = self.declared.max_series
            if limit and len(self._series) >= limit:
                raise BadSample(
                    f"metric {self.name} has {limit} combinations of label values already; a label should have few"
                    " values, or raise metrics.max_series"
                )
            self._series[key] = self.new()
        return key


class Counter(Collector[float]):
    """A counter: only increases."""

    def new(self) -> float:
        return 0.0

    def samples(self, labels: Mapping[str, str], series: float) -> Iterator[Sample]:
        yield Sample(labels, series)

    def add(self, value: float, labels: Sequence[str] = ()) -> None:
        if not value >= 0:  # also rejects NaN
            raise BadSample(f"counter {self.name} cannot decrease in value")
        self._series[self._key(labels)] += value


class Gauge(Collector[float]):
    """A gauge: increases and decreases."""

    def new(self) -> float:
        return 0.0

    def samples(self, labels: Mapping[str, str], series: float) -> Iterator[Sample]:
        yield Sample(labels, series)

    def add(self, value: float, labels: Sequence[str] = ()) -> None:
        self._series[self._key(labels)] += value

    def sub(self, value: float, labels: Sequence[str] = ()) -> None:
        self._series[self._key(labels)] -= value

    def set(self, value: float, labels: Sequence[str] = ()) -> None:
        self._series[self._key(labels)] = value


@dataclass(slots=True)
class Buckets:
    """A histogram's series: counts per bucket (not cumulative), and the sum."""

    counts: list[int]
    total: float = 0.0


class Histogram(Collector[Buckets]):
    """A histogram: counts values by size."""

    reserved = "le"

    def __init__(self, declared: Declared) -> None:
        bounds = [bound for bound in declared.buckets if bound != math.inf] or list(BUCKETS)
        if any(not low < high for low, high in zip(bounds, [*bounds[1:], math.inf], strict=True)):
            raise BadCollector(f"histogram buckets must be in increasing order: {bounds}")
        self._bounds = bounds
        super().__init__(declared)

    def new(self) -> Buckets:
        return Buckets([0] * (len(self._bounds) + 1))

    def observe(self, value: float, labels: Sequence[str] = ()) -> None:
        series = self._series[self._key(labels)]
        series.counts[bisect_left(self._bounds, value) if value == value else -1] += 1
        series.total += value

    def samples(self, labels: Mapping[str, str], series: Buckets) -> Iterator[Sample]:
        return bucket_samples(labels, self._bounds, series.counts, series.total)


def bucket_samples(
    labels: Mapping[str, str], bounds: Sequence[float], counts: Sequence[int], total: float
) -> Iterator[Sample]:
    """The samples of a histogram; ``le`` is formatted as a float."""
    so_far = 0
    for bound, count in zip((*bounds, math.inf), counts, strict=True):
        so_far += count
        yield Sample({**labels, "le": shortest(bound)}, so_far, "_bucket")
    yield Sample(labels, total, "_sum")
    yield Sample(labels, so_far, "_count")


@dataclass(slots=True)
class Window:
    """A summary's series: count and sum of all values, and the latest values with their times."""

    count: int = 0
    total: float = 0.0
    recent: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=WINDOW_VALUES))


class Summary(Collector[Window]):
    """A summary: quantiles of the last ten minutes, exact over the latest :data:`WINDOW_VALUES` values.

    Args:
        clock: returns seconds, from any origin.
    """

    reserved = "quantile"

    def __init__(self, declared: Declared, clock: Callable[[], float]) -> None:
        for quantile in declared.objectives:
            if not 0 <= quantile <= 1:
                raise BadCollector(f"a quantile must be between 0 and 1, not {quantile}")
        self._clock = clock
        super().__init__(declared)

    def new(self) -> Window:
        return Window()

    def observe(self, value: float, labels: Sequence[str] = ()) -> None:
        series = self._series[self._key(labels)]
        series.count += 1
        series.total += value
        if self.declared.objectives:
            series.recent.append((self._clock(), value))

    def samples(self, labels: Mapping[str, str], series: Window) -> Iterator[Sample]:
        oldest = self._clock() - WINDOW
        while series.recent and series.recent[0][0] < oldest:
            series.recent.popleft()
        values = sorted(value for _, value in series.recent)
        for quantile in sorted(self.declared.objectives):
            rank = max(0, math.ceil(quantile * len(values)) - 1)
            yield Sample({**labels, "quantile": shortest(quantile)}, values[rank] if values else math.nan)
        yield Sample(labels, series.total, "_sum")
        yield Sample(labels, series.count, "_count")
