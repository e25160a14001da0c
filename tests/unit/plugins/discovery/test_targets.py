"""The page for Prometheus."""

from __future__ import annotations

import json

from pyroadrunner.plugins.discovery.server import Endpoint, Server
from pyroadrunner.plugins.discovery.targets import target_group


def test_each_server_is_a_group_with_its_labels() -> None:
    one = Server(
        id="web-1",
        version="1.2",
        health="critical",
        tags=["eu", "blue"],
        metadata={"zone-a": 'x"\n'},
        endpoints=[Endpoint(kind="metrics", host="::1", port=2112), Endpoint(kind="http", host="::1", port=80)],
    )
    two = Server(id="web-2", endpoints=[Endpoint(kind="http", host="b", port=80)])
    assert [json.loads(group) for group in target_group(one, "metrics")] == [
        {
            "targets": ["[::1]:2112"],
            "labels": {
                "rr_server": "web-1",
                "__meta_rr_version": "1.2",
                "__meta_rr_health": "critical",
                "__meta_rr_tags": ",eu,blue,",
                "__meta_rr_metadata_zone_a": 'x"\n',
            },
        }
    ]
    assert [json.loads(group)["targets"] for group in target_group(two, "http")] == [["b:80"]]
    assert target_group(two, "metrics") == []
