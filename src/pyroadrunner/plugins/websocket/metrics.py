"""Metrics of the ``websocket`` plugin."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyroadrunner.contracts import MetricFamily, Sample
from pyroadrunner.plugins.websocket.pusher.app import PusherApp
from pyroadrunner.plugins.websocket.pusher.webhooks import WebhookEndpoint
from pyroadrunner.plugins.websocket.session import Environment
from pyroadrunner.plugins.websocket.sse import SseEndpoint


def families(environment: Environment) -> Sequence[MetricFamily]:
    """``rr_websocket_*``."""
    counters, hub = environment.counters, environment.hub
    closed = [Sample({"code": str(code)}, count) for code, count in sorted(counters.closed.items())]
    return [
        _one("rr_websocket_connections", "gauge", "Open connections.", len(environment.sessions)),
        _one("rr_websocket_topics", "gauge", "Topics with followers here.", len(hub.topics)),
        _one("rr_websocket_opened_total", "counter", "Connections opened.", counters.opened),
        MetricFamily("rr_websocket_closed_total", "counter", "Connections closed, by code.", closed),
        _one("rr_websocket_received_total", "counter", "Messages received.", counters.received),
        _one("rr_websocket_received_bytes_total", "counter", "Bytes of received messages.", counters.received_bytes),
        _one("rr_websocket_sent_total", "counter", "Messages sent.", counters.sent),
        _one("rr_websocket_sent_bytes_total", "counter", "Bytes of sent messages.", counters.sent_bytes),
        _one("rr_websocket_published_total", "counter", "Publications of this server.", hub.published),
        _one("rr_websocket_delivered_total", "counter", "Publications given to clients here.", hub.delivered),
        _one("rr_websocket_dropped_total", "counter", "Messages dropped for slow clients.", counters.dropped),
        _one("rr_websocket_failed_events_total", "counter", "Events that no worker could handle.", counters.failed),
        _one("rr_websocket_waiting", "gauge", "Clients whose events wait for a worker.", environment.turns.waiting),
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


def _one(name: str, kind: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(name, kind, text, [Sample({}, value)])
