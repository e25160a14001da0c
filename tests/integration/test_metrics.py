"""`metrics` in the real server, as seen by Prometheus and the application."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from pyroadrunner.net.address import parse_address
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed
from support.metrics import scrape
from support.php import require_php
from support.server import Server, free_port, rr

WORKER = Path(__file__).parents[1] / "support" / "workers" / "http.php"


def config(**sections: Any) -> dict[str, Any]:
    return {
        "server": {"command": f"{require_php()} {WORKER}"},
        "http": {"pool": {"num_workers": 1}},
        "metrics": {
            "address": f"127.0.0.1:{free_port()}",
            "collect": {
                "Logins": {"type": "counter", "help": "Logins.", "labels": ["how"]},
                "size": {"type": "summary", "objectives": {0.5: 0.05, "0.95": 0.005}},
            },
            "max_series": 3,
        },
        **sections,
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("metrics"), config()) as server:
        yield server


def call(server: Server, method: str, argument: Any) -> Any:
    with RpcClient(parse_address(server.rpc)) as client:
        return client.call(f"metrics.{method}", argument)


def samples(server: Server) -> dict[str, float]:
    return dict(scrape(server.config["metrics"]["address"]))


@pytest.mark.parametrize("path", ["/metrics", "/", "/any/thing?x=1"])
def test_every_path_answers_in_prometheus_format(server: Server, path: str) -> None:
    with urlopen(f"http://{server.config['metrics']['address']}{path}", timeout=20) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
        text = answer.read().decode()
    assert "# TYPE rr_http_total_workers gauge\nrr_http_total_workers 1\n" in text
    assert "# EOF" not in text


def test_metrics_of_workers_and_process_are_exposed(server: Server) -> None:
    found = samples(server)
    with RpcClient(parse_address(server.rpc)) as client:
        pid = client.call("informer.Workers", "http")["workers"][0]["pid"]
    assert found[f'rr_http_worker_state{{pid="{pid}",state="ready"}}'] == 0
    assert found[f'rr_http_worker_memory_bytes{{pid="{pid}"}}'] > 1e6
    assert found["rr_http_workers_ready"] == 1
    assert found["process_open_fds"] > 3
    assert found["process_cpu_seconds_total"] > 0
    assert found["process_resident_memory_bytes"] > 1e6
    assert any(name.startswith("python_info{") for name in found)


def test_collectors_of_the_config_are_counted_over_rpc(server: Server) -> None:
    assert call(server, "Add", {"name": "logins", "value": 2, "labels": ["form"]}) is True
    assert call(server, "Observe", {"name": "size", "value": 5.5, "labels": []}) is True
    found = samples(server)
    assert found['logins{how="form"}'] == 2
    assert found['size{quantile="0.5"}'] == 5.5
    assert found['size{quantile="0.95"}'] == 5.5


def test_a_declared_collector_survives_a_reset_and_a_reload(server: Server) -> None:
    declaration = {"name": "kept", "collector": {"type": "gauge", "labels": [], "buckets": [], "objectives": []}}
    assert call(server, "Declare", declaration) is True
    assert call(server, "Set", {"name": "kept", "value": 4}) is True
    for command in ("reset", "reload"):
        assert rr(command, cwd=server.folder).code == 0
        assert samples(server)["kept"] == 4
    assert call(server, "Declare", declaration) is True  # a new worker declares again
    assert samples(server)["kept"] == 4
    assert call(server, "Unregister", "kept") is True
    assert "kept" not in samples(server)


@pytest.mark.parametrize(
    ("method", "argument", "text"),
    [
        ("Add", {"name": "no", "value": 1}, "metrics_plugin_add: undefined collector no, try first Declare"),
        ("Add", {"name": "logins", "value": -1, "labels": ["x"]}, "cannot decrease"),
        ("Declare", {"name": "z", "collector": {"type": "Z"}}, "metrics_plugin_declare: unknown collector type Z"),
        ("Declare", {}, "metrics_plugin_declare: "),
        ("Unregister", "no", "metrics_plugin_unregister: undefined collector no"),
        ("Add", {"name": "logins", "value": "1", "labels": ["x"]}, "json: cannot unmarshal"),
    ],
)
def test_refusals_have_a_reason(server: Server, method: str, argument: Any, text: str) -> None:
    with pytest.raises(CallFailed) as refused:
        call(server, method, argument)
    assert text in str(refused.value)


def test_a_label_without_bounds_does_not_fill_the_memory(server: Server) -> None:
    call(server, "Declare", {"name": "users", "collector": {"type": "counter", "labels": ["id"]}})
    refused = 0
    for user in range(10):
        try:
            call(server, "Add", {"name": "users", "value": 1, "labels": [str(user)]})
        except CallFailed:
            refused += 1
    assert refused == 7
    assert sum(name.startswith("users{") for name in samples(server)) == 3


def test_an_application_can_not_break_the_metrics_of_the_server(server: Server) -> None:
    call(server, "Declare", {"name": "rr_http_total_workers", "collector": {"type": "counter"}})
    assert samples(server)["rr_http_total_workers"] == 1


def test_a_wrong_type_prevents_the_start_and_names_the_collector(tmp_path: Path) -> None:
    wrong = {"version": "3", "metrics": {"collect": {"a": {"type": "foo"}}}}
    (tmp_path / ".rr.yaml").write_text(json.dumps(wrong))
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert "metrics.collect.a.type" in done.stderr
    assert "invalid metric type `foo`" in done.stderr
