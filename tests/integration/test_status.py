"""`status` in the real server: results of probes while it serves, is busy, and stops."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from pyroadrunner.net.address import parse_address
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed
from support.load import Load
from support.metrics import scrape
from support.php import require_php
from support.server import READY, Server, free_port, rr

# Reports its request on stderr, then waits until a file exists.
WORKER = """<?php
require %r;
$worker = PyRoadRunner\\Http\\HttpWorker::create();
while ($request = $worker->waitRequest()) {
    $path = parse_url($request->uri, PHP_URL_PATH);
    if ($path === '/wait') {
        fwrite(STDERR, "waiting\\n");
        while (!file_exists('go')) { usleep(5000); clearstatcache(); }
    }
    $worker->respond(200, 'done');
}
"""
AUTOLOAD = str(Path(__file__).parents[2] / "php" / "autoload.php")


def served(folder: Path, **sections: Any) -> Server:
    (folder / "worker.php").write_text(WORKER % AUTOLOAD)
    return Server(
        folder,
        {
            "server": {"command": f"{require_php()} worker.php"},
            "http": {"pool": {"num_workers": 1}, "middleware": ["http_metrics"]},
            "status": {"address": f"127.0.0.1:{free_port()}"},
            "metrics": {"address": f"127.0.0.1:{free_port()}"},
            **sections,
        },
    )


def probe(server: Server, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://{server.config['status']['address']}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_busy_server_is_healthy_a_stopping_one_too_and_neither_is_ready(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        assert probe(server, "/health?plugin=http") == (
            200,
            '[{"plugin_name":"http","error_message":"","status_code":200}]',
        )
        assert probe(server, "/ready")[0] == 200
        assert probe(server, "/jobs") == (503, "jobs plugin not found\n")
        request = threading.Thread(target=lambda: urlopen(f"{server.url}/wait", timeout=20).close())
        request.start()
        server.wait_for("waiting")
        assert probe(server, "/health")[0] == 200
        code, body = probe(server, "/ready")
        assert (code, "internal server error, see logs" in body) == (503, True)
        assert scrape(server.config["metrics"]["address"])["rr_http_requests_queue"] == 1
        server.send(signal.SIGTERM)
        server.wait_for("stop signal received")
        while probe(server, "/health")[1] != "service is shutting down\n":
            pass  # the line comes before the stop begins
        assert probe(server, "/health") == (200, "service is shutting down\n")
        assert probe(server, "/ready") == (503, "service is shutting down\n")
        (tmp_path / "go").touch()
        request.join(20)
        assert server.wait() == 0


def test_no_probe_of_health_fails_while_workers_and_server_are_replaced(tmp_path: Path) -> None:
    with served(tmp_path, endure={"retirement": "300ms"}) as server:
        host, _, port = server.config["status"]["address"].rpartition(":")
        with Load((host, int(port)), "/health", threads=2) as probes:
            assert rr("reset", cwd=tmp_path).code == 0
            assert rr("reload", cwd=tmp_path).code == 0
            server.send(signal.SIGUSR2)
            server.wait_for(READY, times=2)
            probes.wait_for_more(20)
        assert probes.failures == []


def test_requests_are_counted(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        for _ in range(3):
            urlopen(server.url, timeout=20).close()
        assert rr("reload", cwd=tmp_path).code == 0
        urlopen(server.url, timeout=20).close()
        found = scrape(server.config["metrics"]["address"])
        assert found['rr_http_request_total{status="200"}'] == 4
        assert found['rr_http_request_duration_seconds_bucket{status="200",le="+Inf"}'] == 4
        assert found['rr_http_request_duration_seconds_count{status="200"}'] == 4
        assert "rr_http_uptime_seconds" in found
        assert "rr_http_no_free_workers_total" not in found


def test_one_plugin_is_checked_over_rpc(tmp_path: Path) -> None:
    with served(tmp_path) as server, RpcClient(parse_address(server.rpc)) as client:
        assert client.call("status.Status", {"plugin": "http"}) == {"code": 200}
        assert client.call("status.Ready", {"plugin": "http"}) == {"code": 200}
        with pytest.raises(CallFailed, match="checker_rpc_ready:\n\tchecker_plugin_ready: no such plugin: x"):
            client.call("status.Ready", {"plugin": "x"})


def test_an_address_is_needed(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").write_text('version: "3"\nstatus: {}\n')
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert "status.address" in done.stderr
