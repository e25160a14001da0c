"""The metrics of the plugin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pyroadrunner.contracts import MetricFamily, Sample
from pyroadrunner.plugins.discovery.cluster import Cluster
from pyroadrunner.plugins.discovery.figures import Figures
from pyroadrunner.plugins.discovery.server import CRITICAL, PASSING, UNKNOWN


def families(figures: Figures, cluster: Cluster, *, registered: bool) -> Sequence[MetricFamily]:
    """All families."""
    # Other texts are not made labels: a registry could have any number of them.
    health = Counter(server.health if server.health in (PASSING, CRITICAL) else UNKNOWN for server in cluster.servers)
    attempts = [
        Sample({"task": task, "outcome": outcome}, number) for (task, outcome), number in figures.attempts.items()
    ]
    commands = [Sample({"outcome": outcome}, number) for outcome, number in figures.commands.items()]
    age = cluster.age()
    return [
        MetricFamily(
            "rr_discovery_registered",
            "gauge",
            "Whether the registry has confirmed the entry of this server.",
            [Sample({}, int(registered))],
        ),
        MetricFamily(
            "rr_discovery_servers",
            "gauge",
            "Servers of the cluster by health, as last read.",
            [Sample({"health": one}, number) for one, number in sorted(health.items())],
        ),
        MetricFamily(
            "rr_discovery_read_age_seconds",
            "gauge",
            "Seconds since the servers were last read.",
            [] if age is None else [Sample({}, age)],
        ),
        MetricFamily("rr_discovery_attempts_total", "counter", "Attempts at the registry by task.", attempts),
        MetricFamily(
            "rr_discovery_commands_total", "counter", "Commands for all servers that reached this one.", commands
        ),
    ]
