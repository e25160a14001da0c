"""The clients of `metrics`: Python, blocking and with asyncio, and PHP."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyroadrunner.sdk.metrics import AsyncMetrics, Metrics
from pyroadrunner.sdk.rpc import AsyncRpcClient, CallFailed, RpcClient
from support.metrics import scrape
from support.php import require_php
from support.server import Server, free_port

AUTOLOAD = Path(__file__).parents[2] / "php" / "autoload.php"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {"metrics": {"address": f"127.0.0.1:{free_port()}"}}
    with Server(tmp_path_factory.mktemp("metrics-sdk"), config) as server:
        yield server


def told(server: Server, prefix: str) -> dict[str, float]:
    found = scrape(server.config["metrics"]["address"])
    return {name: value for name, value in found.items() if name.startswith(prefix)}


EXPECTED = {
    'app_{}_logins{{how="form"}}': 3.0,
    "{}_load": 1.5,
    '{}_took_bucket{{le="1"}}': 1.0,
    '{}_took_bucket{{le="+Inf"}}': 2.0,
    "{}_took_sum": 9.5,
    "{}_took_count": 2.0,
    '{}_size{{quantile="0.5"}}': 4.0,
    "{}_size_sum": 4.0,
    "{}_size_count": 1.0,
}


def expected(language: str) -> dict[str, float]:
    return {name.format(language): value for name, value in EXPECTED.items()}


def all_told(server: Server, language: str) -> dict[str, float]:
    return {**told(server, f"app_{language}_"), **told(server, f"{language}_")}


def test_python_counts(server: Server) -> None:
    with Metrics(RpcClient(server.rpc)) as metrics:
        for _ in range(2):  # as two workers do
            metrics.declare("py_logins", "counter", "Logins.", namespace="app", labels=["how"])
        metrics.declare("py_load", "gauge")
        metrics.declare("py_took", "histogram", buckets=[1])
        metrics.declare("py_size", "summary", objectives={0.5: 0.05})
        metrics.add("py_logins", labels=["form"])
        metrics.add("py_logins", 2, ["form"])
        metrics.set("py_load", 2)
        metrics.add("py_load")
        metrics.sub("py_load", 1.5)
        metrics.observe("py_took", 0.5)
        metrics.observe("py_took", 9)
        metrics.observe("py_size", 4)
        assert all_told(server, "py") == expected("py")
        metrics.unregister("py_load")
        assert "py_load" not in told(server, "py_")
        with pytest.raises(CallFailed, match="undefined collector py_load"):
            metrics.set("py_load", 1)


def test_python_counts_with_asyncio(server: Server) -> None:
    async def scene() -> None:
        async with AsyncMetrics(AsyncRpcClient(server.rpc)) as metrics:
            await metrics.declare("aio_logins", "counter", "Logins.", namespace="app", labels=["how"])
            await metrics.declare("aio_load", "gauge")
            await metrics.declare("aio_took", "histogram", buckets=[1])
            await metrics.declare("aio_size", "summary", objectives={0.5: 0.05})
            await asyncio.gather(*(metrics.add("aio_logins", 1, ["form"]) for _ in range(3)))
            await metrics.set("aio_load", 2)
            await metrics.sub("aio_load", 0.5)
            await metrics.observe("aio_took", 0.5)
            await metrics.observe("aio_took", 9)
            await metrics.observe("aio_size", 4)
            assert all_told(server, "aio") == expected("aio")
            await metrics.unregister("aio_load")

    asyncio.run(scene())
    assert "aio_load" not in told(server, "aio_")


def test_php_counts(server: Server) -> None:
    script = f"""
        require {json.dumps(str(AUTOLOAD))};
        $metrics = PyRoadRunner\\Metrics\\Metrics::create();
        $metrics->declare('php_logins', 'counter', 'Logins.', namespace: 'app', labels: ['how']);
        $metrics->declare('php_logins', 'counter', 'Logins.', namespace: 'app', labels: ['how']);
        $metrics->declare('php_load', 'gauge');
        $metrics->declare('php_took', 'histogram', buckets: [1]);
        $metrics->declare('php_size', 'summary', objectives: ['0.5' => 0.05]);
        $metrics->declare('php_gone', 'gauge');
        $metrics->unregister('php_gone');
        $metrics->add('php_logins', labels: ['form']);
        $metrics->add('php_logins', 2, ['form']);
        $metrics->set('php_load', 2);
        $metrics->sub('php_load', 0.5);
        $metrics->observe('php_took', 0.5);
        $metrics->observe('php_took', 9);
        $metrics->observe('php_size', 4);
        try {{ $metrics->add('php_logins', -1, ['form']); }} catch (PyRoadRunner\\Rpc\\RpcException $e) {{
            echo $e->getMessage();
        }}
    """
    done = subprocess.run(
        [require_php(), "-d", "display_errors=stderr", "-r", script],
        env={**os.environ, "RR_RPC": server.rpc},
        capture_output=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, b""), done.stdout
    assert done.stdout == b"metrics_plugin_add: counter app_php_logins cannot decrease in value"
    assert all_told(server, "php") == expected("php")
