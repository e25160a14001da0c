"""A metric and its samples: what plugins tell ``metrics``. Plugins import both from ``contracts``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Sample(NamedTuple):
    """One line of a metric.

    Attributes:
        labels: by name.
        value: what is shown.
        suffix: put behind the family's name: ``_bucket``, ``_sum``, ``_count`` of a histogram; else empty.
    """

    labels: Mapping[str, str]
    value: float
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """A metric with all its samples, as it is at this moment.

    Attributes:
        name: as it is exposed, ``rr_http_total_workers``; nothing is added to it.
        kind: Prometheus' word for it: ``gauge``, ``counter``, ``histogram``, ``summary``.
        help: one line.
        samples: in the order in which they are shown.
    """

    name: str
    kind: str
    help: str
    samples: Sequence[Sample]
