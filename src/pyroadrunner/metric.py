"""A metric and its samples, as plugins report them to ``metrics``. Plugins import both from ``contracts``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Sample(NamedTuple):
    """One line of a metric.

    Attributes:
        labels: by name.
        value: the exposed number.
        suffix: appended to the family's name: ``_bucket``, ``_sum``, ``_count`` for a histogram; otherwise empty.
    """

    labels: Mapping[str, str]
    value: float
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """A metric with the current value of all its samples.

    Attributes:
        name: the full exposed name: ``rr_http_total_workers``.
        kind: Prometheus' type: ``gauge``, ``counter``, ``histogram``, ``summary``.
        help: a one-line description.
        samples: in the order in which they are exposed.
    """

    name: str
    kind: str
    help: str
    samples: Sequence[Sample]
