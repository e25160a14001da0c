"""Named locks in the real server: many concurrent PHP processes, logs, metrics, and the stop. The suite in
tests/conformance/lock tests each call of each driver."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from pyroadrunner.sdk.rpc import AsyncRpcClient
from support.locks import LONG, LockClient, section, two_servers
from support.metrics import scrape
from support.php import require_php
from support.server import Server, free_port

ROOT = Path(__file__).parents[2]

both = pytest.mark.parametrize("driver", ["memory", "redis"])


@both
def test_the_fencing_token_is_in_the_log_and_in_the_metric(tmp_path: Path, driver: str) -> None:
    async def scene(server: Server) -> list[int]:
        async with AsyncRpcClient(server.rpc) as rpc:
            client = LockClient(rpc)
            assert await client.call("Lock", "report", "1")
            tokens = [(await client.view("report"))["holders"][0]["token"]]
            waiting = asyncio.create_task(client.call("Lock", "report", "2", wait=LONG))
            await client.until_waiting("report", ["2"])
            assert scrape(metrics)["rr_lock_waiting"] == 1
            assert await client.call("Release", "report", "1")
            assert await waiting
            return [*tokens, (await client.view("report"))["holders"][0]["token"]]

    metrics = f"127.0.0.1:{free_port()}"
    with section(driver, tmp_path) as lock:
        logs = {"level": "debug", "encoding": "json"}
        with Server(tmp_path, {**lock, "logs": logs, "metrics": {"address": metrics}}) as server:
            tokens = asyncio.run(scene(server))
            assert scrape(metrics)["rr_lock_token"] == tokens[-1]
        lines = [json.loads(line) for line in server.stderr.splitlines() if line.startswith("{")]
        taken = [line for line in lines if line["msg"] == "lock was taken"]
        assert [(line["id"], line["token"]) for line in taken] == [("1", tokens[0]), ("2", tokens[1])]
        assert tokens[0] < tokens[1]


@both
def test_a_stop_does_not_wait_for_waiting_calls(tmp_path: Path, driver: str) -> None:
    async def scene(server: Server) -> None:
        async with AsyncRpcClient(server.rpc) as rpc:
            client = LockClient(rpc)
            assert await client.call("Lock", "x", "1")
            task = asyncio.create_task(client.call("Lock", "x", "2", wait=LONG))
            await client.until_waiting("x", ["2"])
            await asyncio.to_thread(server.stop)
            assert not await task

    with section(driver, tmp_path) as config, Server(tmp_path, config) as server:
        asyncio.run(scene(server))
    assert server.exit_code == 0


COUNTING = """
require %s;
$rpc = PyRoadRunner\\Rpc\\Rpc::create();
[, $file, $id, $turns] = $argv;
for ($n = 0; $n < (int) $turns; $n++) {
    $got = $rpc->call('lock.Lock', ['resource' => 'counter', 'id' => "$id-$n", 'ttl' => 60000000, 'wait' => 60000000]);
    if (!($got['ok'] ?? false)) { exit(3); }
    file_put_contents($file, (string) ((int) file_get_contents($file) + 1));
    $left = $rpc->call('lock.Release', ['resource' => 'counter', 'id' => "$id-$n"]);
    if (!($left['ok'] ?? false)) { exit(4); }
}
"""


@both
def test_many_php_processes_never_hold_it_at_once(tmp_path: Path, driver: str) -> None:
    """A file is read and written in two steps: two holders at the same time would lose a count."""
    script, file = tmp_path / "count.php", tmp_path / "counter"
    script.write_text("<?php" + COUNTING % json.dumps(str(ROOT / "php" / "autoload.php")))
    file.write_text("0")
    with two_servers(driver, tmp_path) as servers:
        processes = [
            subprocess.Popen(
                [require_php(), str(script), str(file), str(n), "50"],
                env={**os.environ, "RR_RPC": servers[n % 2].rpc},
            )
            for n in range(8)
        ]
        assert [process.wait(60) for process in processes] == [0] * 8
    assert file.read_text() == "400"
