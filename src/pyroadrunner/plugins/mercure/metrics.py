"""Metrics of the ``mercure`` plugin."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.contracts import MetricFamily, Sample
from pyroadrunner.plugins.mercure.endpoint import Endpoint
from pyroadrunner.plugins.mercure.hub import Hub
from pyroadrunner.plugins.mercure.publisher import Publisher


def families(hub: Hub, publisher: Publisher, endpoint: Endpoint, store: str) -> Sequence[MetricFamily]:
    """``mercure_*`` as the reference hub names them, and ``rr_mercure_*``.

    Args:
        store: its name in the config.
    """
    slow = endpoint.ended.get("slow", 0)
    ended = [Sample({"reason": why}, count) for why, count in sorted(endpoint.ended.items())]
    return [
        _one("mercure_subscribers_connected", "gauge", "Connected subscribers.", len(hub.subscribers)),
        _one("mercure_subscribers_total", "counter", "Subscribers that have connected.", hub.opened),
        _one("mercure_updates_total", "counter", "Updates published by this server.", publisher.published),
        _one("rr_mercure_failed_updates_total", "counter", "Updates that could not be published.", publisher.failed),
        _one("rr_mercure_delivered_total", "counter", "Updates given to subscribers here.", hub.delivered),
        _one("rr_mercure_selectors", "gauge", "Different selectors that are followed.", hub.selectors),
        _one("rr_mercure_slow_subscribers_total", "counter", "Subscribers cut for reading slowly.", slow),
        MetricFamily("rr_mercure_ended_total", "counter", "Streams that have ended, by reason.", ended),
        MetricFamily(
            "rr_mercure_store_up",
            "gauge",
            "Whether updates can be published: 0 = the store is away.",
            [Sample({"store": store}, float(not hub.store.error))],
        ),
        _one("rr_mercure_refused_total", "counter", "Requests refused for their token.", endpoint.refused),
    ]


def _one(name: str, kind: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(name, kind, text, [Sample({}, value)])
