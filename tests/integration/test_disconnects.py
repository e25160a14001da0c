"""Clients that disconnect while their request waits for a worker, on the real ``rr serve``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from support.http import Client, request, split
from support.php import require_php
from support.pools import run
from support.server import Server, rr

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"


async def opened(server: Server, target: str, **headers: str) -> Client:
    client = Client(*await asyncio.open_connection(*server.address))
    await client.send(request("GET", target, **headers))
    return client


def execs(server: Server) -> int:
    done = rr("workers", "--json", cwd=server.folder)
    [worker] = json.loads(done.stdout)["http"]["workers"]
    number: int = worker["numExecs"]
    return number


def given_up(server: Server) -> int:
    return server.stderr.count('"status":499')


def until_given_up(server: Server, requests: int) -> None:
    server.wait_for('"status":499', times=requests)


def test_no_worker_serves_a_client_that_has_left_the_queue(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 1}, "middleware": ["proxy_ip_parser"], "trusted_subnets": ["127.0.0.0/8"]},
        "logs": {"mode": "production", "output": "stderr"},
    }
    with Server(tmp_path, config) as server:

        async def main() -> None:
            first = await opened(server, f"/wait?for={gate}")
            closing, resetting = await opened(server, "/pid"), await opened(server, "/pid")
            proxied = await opened(server, "/pid", **{"X-Forwarded-For": "192.0.2.7"})
            staying = await opened(server, "/pid")
            proxied_staying = await opened(server, "/pid", **{"X-Forwarded-For": "192.0.2.7"})
            closing.close()
            resetting.abort()
            proxied.close()
            await asyncio.to_thread(until_given_up, server, 3)
            gate.touch()
            for client in (first, staying, proxied_staying):
                assert split(await client.rest())[0] == 200
                client.close()

        run(main())
        assert given_up(server) == 3
        assert execs(server) == 3
