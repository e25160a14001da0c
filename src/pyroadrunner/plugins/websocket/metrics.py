"""Metrics of the ``websocket`` plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyroadrunner.contracts import MetricFamily, Sample
from pyroadrunner.plugins.websocket.counters import Counters, Label
from pyroadrunner.plugins.websocket.hub import Hub
from pyroadrunner.plugins.websocket.pusher.app import PusherApp
from pyroadrunner.plugins.websocket.pusher.webhooks import WebhookEndpoint
from pyroadrunner.plugins.websocket.session import Environment
from pyroadrunner.plugins.websocket.sse import SseEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The clients of one application, or of ``websocket.path`` (``app`` is empty then).

    Attributes:
        open: connections.
        dropped: messages that were dropped for open connections.
        buffered: bytes that wait for slow ones.
    """

    app: str
    counters: Counters
    open: int
    dropped: int
    buffered: int


def families(environment: Environment, clients: Sequence[Clients], driver: str) -> Sequence[MetricFamily]:
    """``rr_websocket_*``."""

    def by_app(name: str, kind: str, text: str, values: Sequence[float]) -> MetricFamily:
        samples = [Sample({"app": one.app}, value) for one, value in zip(clients, values, strict=True)]
        return MetricFamily(f"rr_websocket_{name}", kind, text, samples)

    counters, hub = [one.counters for one in clients], environment.hub
    closed = [
        Sample({"app": one.app, "code": str(code)}, count)
        for one in clients
        for code, count in sorted(one.counters.closed.items())
    ]
    own = environment.counters
    return [
        by_app("connections", "gauge", "Open connections.", [one.open for one in clients]),
        by_app("opened_total", "counter", "Connections opened.", [one.opened for one in counters]),
        MetricFamily("rr_websocket_closed_total", "counter", "Connections closed, by code.", closed),
        by_app("received_total", "counter", "Messages received.", [one.received for one in counters]),
        by_app("received_bytes_total", "counter", "Bytes of received messages.", [c.received_bytes for c in counters]),
        by_app("sent_total", "counter", "Messages sent.", [one.sent for one in counters]),
        by_app("sent_bytes_total", "counter", "Bytes of sent messages.", [one.sent_bytes for one in counters]),
        by_app(
            "dropped_total",
            "counter",
            "Messages dropped for slow clients.",
            [one.counters.dropped + one.dropped for one in clients],
        ),
        by_app("buffered_bytes", "gauge", "Bytes that wait for slow clients.", [one.buffered for one in clients]),
        _one("rr_websocket_topics", "gauge", "Topics with followers here.", len(hub.topics)),
        _by_topics("published_total", "Publications of this server.", hub.counters.published),
        _by_topics("delivered_total", "Publications given to clients here.", hub.counters.delivered),
        _one("rr_websocket_failed_publications_total", "counter", "Publications that were not accepted.", hub.failed),
        _one("rr_websocket_failed_events_total", "counter", "Events that no worker could handle.", own.failed),
        _one("rr_websocket_waiting", "gauge", "Clients whose events wait for a worker.", environment.turns.waiting),
        _driver(hub, driver),
    ]


def sse_families(endpoint: SseEndpoint) -> Sequence[MetricFamily]:
    """``rr_websocket_sse_*``."""
    return [
        _one("rr_websocket_sse_connections", "gauge", "Open event streams.", len(endpoint.streams)),
        _one("rr_websocket_sse_opened_total", "counter", "Event streams opened.", endpoint.opened),
        _one("rr_websocket_sse_dropped_total", "counter", "Events dropped for slow clients.", endpoint.dropped),
    ]


def webhook_families(apps: Sequence[PusherApp]) -> Sequence[MetricFamily]:
    """``rr_websocket_webhook_*``, by application and endpoint."""
    endpoints = [({"app": app.config.id, "endpoint": one.url}, one) for app in apps for one in app.webhooks.endpoints]

    def family(name: str, kind: str, text: str, value: Callable[[WebhookEndpoint], int]) -> MetricFamily:
        samples = [Sample(labels, value(one)) for labels, one in endpoints]
        return MetricFamily(f"rr_websocket_webhook_{name}", kind, text, samples)

    return [
        family("events_total", "counter", "Events that endpoints have received.", lambda one: one.counters.sent),
        family("failed_total", "counter", "Requests that failed; they are repeated.", lambda one: one.counters.failed),
        family("dropped_total", "counter", "Events that were given up.", lambda one: one.counters.dropped),
        family("waiting", "gauge", "Events that wait for an endpoint.", lambda one: one.waiting),
    ]


def _by_topics(name: str, text: str, counts: Mapping[Label, int]) -> MetricFamily:
    samples = [Sample({"app": app, "topics": topics}, count) for (app, topics), count in sorted(counts.items())]
    return MetricFamily(f"rr_websocket_{name}", "counter", text, samples)


def _driver(hub: Hub, driver: str) -> MetricFamily:
    text = "Whether publications are carried: 0 = Redis is away."
    return MetricFamily(
        "rr_websocket_driver_up", "gauge", text, [Sample({"driver": driver}, float(not hub.driver.error))]
    )


def _one(name: str, kind: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(name, kind, text, [Sample({}, value)])
