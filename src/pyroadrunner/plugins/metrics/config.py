"""The ``metrics`` section."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from pyroadrunner.config.values import StringList
from pyroadrunner.net.address import InvalidAddress, parse_address

KINDS = ("histogram", "gauge", "counter", "summary")


class CollectorConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``metrics.collect.<name>``: a metric the application counts over RPC."""

    type: str
    """`histogram`, `gauge`, `counter` or `summary`."""
    help: str = ""
    """A line that tells what it is."""
    namespace: str = ""
    """Put before the name when it is shown: `namespace_subsystem_name`. RPC uses the bare name."""
    subsystem: str = ""
    """The same, after the namespace."""
    labels: StringList = msgspec.field(default_factory=list)
    """Names of labels; calls give their values in this order."""
    buckets: list[float] = msgspec.field(default_factory=list)
    """Upper bounds of a histogram, rising; none: .005 .01 .025 .05 .1 .25 .5 1 2.5 5 10."""
    objectives: dict[str, float] = msgspec.field(default_factory=dict)
    """Quantiles of a summary, such as `0.95: 0.01`. The error allowed is accepted; ours are exact over the last 2048
    values."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if self.type not in KINDS:
            yield "type", f"invalid metric type `{self.type}`; it is one of {', '.join(KINDS)}"
        for quantile in self.objectives:
            if not _is_share(quantile):
                yield "objectives", f"a quantile is a number from 0 to 1, not {quantile}"
        if any(not low < high for low, high in zip(self.buckets, self.buckets[1:], strict=False)):
            yield "buckets", "must be in increasing order"


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


class MetricsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``metrics``: an endpoint for Prometheus."""

    address: str = "127.0.0.1:2112"
    """`host:port`, `:port` or `unix://path`. Every path of it answers."""
    collect: dict[str, CollectorConfig] = msgspec.field(default_factory=dict)
    """Metrics of the application, by name; more can be declared over RPC."""
    max_series: Annotated[int, Meta(ge=0)] = 10_000
    """Combinations of label values one metric of the application may have; a call with one more is refused. 0: no
    limit."""

    def faults(self) -> Iterable[tuple[str, str]]:
        try:
            parse_address(self.address, default_scheme="tcp")
        except InvalidAddress as wrong:
            yield "address", str(wrong)
