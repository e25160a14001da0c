"""The dashboards of the manual query only metrics that the server exposes."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from websockets.sync.client import connect

from pyroadrunner.sdk.jobs import Jobs
from pyroadrunner.sdk.rpc import RpcClient
from support.mercure import subscribed
from support.metrics import scrape
from support.php import require_php
from support.server import Server, free_port

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "docs" / "dashboards").glob("*.json"))
ENGINES = {"temporal"}  # dashboards of metrics that a part serves itself; see test_temporal_server.py
_TARGET = {"job", "instance"}  # labels that Prometheus adds
WORKER = """<?php
require %r;
if (getenv('RR_MODE') === 'jobs') {
    PyRoadRunner\\Jobs\\JobsWorker::create()->run(function () { fwrite(STDERR, "a job runs\\n"); });
    exit;
}
$worker = PyRoadRunner\\Http\\HttpWorker::create();
while ($request = $worker->waitRequest()) {
    if (str_contains($request->uri, '/wait')) {
        fwrite(STDERR, "waiting\\n");
        while (!file_exists('go')) { usleep(5000); clearstatcache(); }
    }
    $worker->respond(200, 'done');
}
"""


def follow(server: Server) -> None:
    """A WebSocket client and a Mercure subscriber come, get a message, and leave."""
    url = f"ws://{server.config['http']['address']}/ws?topic=all"
    with RpcClient(server.rpc) as rpc:
        with connect(url) as client, subscribed(server, "t") as events:
            wait(lambda: rpc.call("websocket.Topics") == {"all": 1})
            rpc.call("websocket.Publish", {"topics": ["all"], "data": "hello"})
            rpc.call("mercure.Publish", {"topics": ["t"], "data": "hello"})
            assert (client.recv(), events.data(1)) == ("hello", ["hello"])
        wait(lambda: not rpc.call("websocket.Count")["connections"] and not rpc.call("mercure.Count")["subscribers"])


def wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[str]]]:
    """Names and labels of the metrics of a server that has served and refused requests."""
    folder = tmp_path_factory.mktemp("dashboards")
    (folder / "worker.php").write_text(WORKER % str(ROOT / "php" / "autoload.php"))
    pool = {"num_workers": 1, "max_queue_size": 1}
    config = {
        "server": {"command": f"{require_php()} worker.php"},
        "http": {"pool": pool, "middleware": ["http_metrics"], "routes": [{"name": "slow", "match": "/slow"}]},
        "jobs": {"pool": {"num_workers": 1}, "consume": ["p"], "pipelines": {"p": {"driver": "memory"}}},
        "websocket": {"events": [], "topics": [{"match": "all", "public": True}]},
        "mercure": {"anonymous": True},
        "metrics": {"address": f"127.0.0.1:{free_port()}"},
    }
    with Server(folder, config) as server:
        address = server.config["metrics"]["address"]
        with socket.create_connection(server.address, 60) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
        request = threading.Thread(target=lambda: urlopen(f"{server.url}/wait", timeout=60).close())
        request.start()
        server.wait_for("waiting")
        with pytest.raises(HTTPError) as refused:
            urlopen(server.url, timeout=60)
        assert refused.value.headers["No-Workers"] == "true"
        refused.value.close()
        (folder / "go").touch()
        request.join(60)
        with Jobs(RpcClient(server.rpc)) as jobs:
            jobs.push("p", "Job")
        server.wait_for("a job runs")
        follow(server)
        found: dict[str, set[str]] = {}
        for sample in scrape(address):
            name, _, labels = sample.partition("{")
            found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
        yield found


def test_there_are_dashboards() -> None:
    assert [path.stem for path in DASHBOARDS] == ["http", "jobs", "process", "realtime", "temporal", "workers"]


@pytest.mark.parametrize("path", [path for path in DASHBOARDS if path.stem not in ENGINES], ids=lambda path: path.stem)
def test_the_server_exposes_every_metric_and_label(path: Path, shown: dict[str, set[str]]) -> None:
    board = json.loads(path.read_text("utf-8"))
    targets = [target for panel in board["panels"] for target in panel["targets"]]
    assert targets
    for target in targets:
        names = re.findall(r"\b(?:rr|process|python|mercure)_\w+", target["expr"])
        assert names, target["expr"]
        assert [name for name in names if name not in shown] == []
        wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        wanted |= {label for labels in re.findall(r"by \(([\w, ]+)\)", target["expr"]) for label in labels.split(", ")}
        wanted |= set(re.findall(r"(\w+)=~?\"", target["expr"]))
        assert wanted - _TARGET <= set().union(*(shown[name] for name in names)), target["expr"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_do_not_overlap_and_have_unique_ids(path: Path) -> None:
    panels = json.loads(path.read_text("utf-8"))["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len({*places}) == len(places)
    assert len({panel["id"] for panel in panels}) == len(panels)
