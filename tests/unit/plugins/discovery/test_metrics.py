"""The metrics of the plugin."""

from __future__ import annotations

from pyroadrunner.plugins.discovery.cluster import Cluster
from pyroadrunner.plugins.discovery.figures import Figures
from pyroadrunner.plugins.discovery.metrics import families
from pyroadrunner.plugins.discovery.server import Server


def test_values_and_their_labels() -> None:
    figures, cluster = Figures(), Cluster(lambda: 10.0, lambda found: None)
    figures.count("servers", good=True)
    figures.count("servers", good=False)
    figures.command("refused")
    cluster.servers = [Server(id="a", health="passing"), Server(id="b", health="x"), Server(id="c", health="y")]
    cluster.read_at = 7.0
    made = families(figures, cluster, registered=True)
    found = {family.name: [(dict(one.labels), one.value) for one in family.samples] for family in made}
    assert found == {
        "rr_discovery_registered": [({}, 1)],
        "rr_discovery_servers": [({"health": "passing"}, 1), ({"health": "unknown"}, 2)],
        "rr_discovery_read_age_seconds": [({}, 3.0)],
        "rr_discovery_attempts_total": [
            ({"task": "servers", "outcome": "ok"}, 1),
            ({"task": "servers", "outcome": "failed"}, 1),
        ],
        "rr_discovery_commands_total": [({"outcome": "refused"}, 1)],
    }
