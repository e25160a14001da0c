"""Metrics of the servers, for the ``metrics`` plugin. RoadRunner has none for tcp."""

from __future__ import annotations

from collections.abc import Callable, Collection

from pyroadrunner.contracts import MetricFamily, Sample
from pyroadrunner.plugins.tcp.events import Event
from pyroadrunner.plugins.tcp.listener import Listener


def server_metrics(listeners: Collection[Listener]) -> list[MetricFamily]:
    """Connections, bytes and events of each server."""

    def family(name: str, kind: str, text: str, figure: Callable[[Listener], int]) -> MetricFamily:
        samples = [Sample({"server": one.name}, figure(one)) for one in listeners]
        return MetricFamily(f"rr_tcp_{name}", kind, text, samples)

    events = [Sample({"server": one.name, "event": e.value}, one.events[e.place]) for one in listeners for e in Event]
    refused = [
        Sample({"server": one.name, "reason": reason}, count)
        for one in listeners
        for reason, count in sorted(one.refusals.items())
    ]
    return [
        family("connections", "gauge", "Open connections.", lambda one: len(one.open)),
        family("connections_total", "counter", "Connections so far.", lambda one: one.accepted),
        family(
            "received_bytes_total",
            "counter",
            "Bytes received from clients.",
            lambda one: one.received + sum(connection.received for connection in one.open),
        ),
        family(
            "sent_bytes_total",
            "counter",
            "Bytes sent to clients.",
            lambda one: one.sent + sum(connection.sent for connection in one.open),
        ),
        MetricFamily("rr_tcp_events_total", "counter", "Events given to workers.", events),
        family("event_errors_total", "counter", "Events that failed.", lambda one: one.errors),
        MetricFamily("rr_tcp_limited_total", "counter", "Connections closed by a limit, by its key.", refused),
    ]
