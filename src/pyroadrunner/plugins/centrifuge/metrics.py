"""The metrics of ``centrifuge`` that RoadRunner does not have. The ``metrics`` plugin adds those of the workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pyroadrunner.contracts import MetricFamily, Sample
from pyroadrunner.plugins.centrifuge.figures import Figures


def call_metrics(figures: Figures) -> Sequence[MetricFamily]:
    """Calls in both directions, and the connection to the API."""
    return [
        _counter("proxy_requests", "Calls of Centrifugo.", "type", figures.proxied),
        _counter("api_requests", "Calls of Centrifugo's API.", "method", figures.api),
        MetricFamily(
            "rr_centrifugo_api_connected",
            "gauge",
            "Whether the API of Centrifugo is connected.",
            [Sample({}, int(figures.connected))],
        ),
    ]


def _counter(name: str, text: str, label: str, counts: Counter[tuple[str, str]]) -> MetricFamily:
    samples = [Sample({label: what, "status": status}, count) for (what, status), count in sorted(counts.items())]
    return MetricFamily(f"rr_centrifugo_{name}_total", "counter", text, samples)
