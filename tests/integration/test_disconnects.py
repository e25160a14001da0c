"""Clients that disconnect while their request waits for a worker, on the real ``rr serve``."""

from __future__ import annotations

import asyncio
import errno
import json
import resource
import socket
from pathlib import Path

import pytest

from pyroadrunner.net.peers import peer_ports, silent_connections
from pyroadrunner.plugins.http.disconnects import Disconnects, PendingCalls
from pyroadrunner.workers.stats import PoolStats
from support.http import Client, request, split
from support.php import require_php
from support.pools import run
from support.server import Server, rr
from support.unused_pool import UnusedPool

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"
GIVEN_UP = "cancelled queued requests whose clients disconnected"


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
    lines = [json.loads(line) for line in server.stderr.splitlines() if GIVEN_UP in line]
    return sum(line["requests"] for line in lines)


def until_given_up(server: Server, requests: int) -> None:
    seen = 0
    while given_up(server) < requests:
        seen += 1
        server.wait_for(GIVEN_UP, times=seen)


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


def test_only_open_connections_are_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there, left = (socket.create_connection(listening.getsockname()) for _ in range(2))
        kept = [listening.accept()[0] for _ in range(2)]
        ports = [there.getsockname()[1], left.getsockname()[1]]
        left.close()
        kept[1].recv(1)  # wait for the end of the connection
        seen = peer_ports()
        assert ports[0] in seen
        assert ports[1] not in seen
        for one in (there, *kept):
            one.close()


def test_without_a_free_descriptor_no_client_is_treated_as_disconnected() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # open files stay open
    try:
        with pytest.raises(OSError, match="Too many open files"):
            peer_ports()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_request_is_cancelled_if_the_kernel_can_not_be_asked() -> None:
    class Waiting(UnusedPool):
        async def stats(self) -> PoolStats:
            return PoolStats(waiting=1.0)

    async def main() -> None:
        answers: list[set[int]] = []

        def connected() -> set[int]:
            if not answers:
                raise OSError(errno.EMFILE, "Too many open files")
            return answers.pop()

        calls = PendingCalls()
        there, gone = (asyncio.create_task(asyncio.sleep(10)) for _ in range(2))
        calls.ports.update({there: 1, gone: 2})
        departures = Disconnects({"http": Waiting()}, calls, connected)
        await departures.check()
        await asyncio.sleep(0)
        assert not gone.done()
        answers.append({1})
        await departures.check()
        await asyncio.wait([gone], timeout=1)
        assert gone.cancelled()
        assert not there.done()
        there.cancel()

    run(main())


def test_a_connection_without_data_is_unheard() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        silent, asking = (socket.create_connection(listening.getsockname()) for _ in range(2))
        kept = [listening.accept()[0] for _ in range(2)]
        asking.send(b"a question")
        kept[1].recv(1)  # wait for the data to arrive
        assert [one.getpeername() for one in silent_connections(port)] == [silent.getsockname()]
        assert len(list(silent_connections(port, tls=True))) == 2
        for _ in range(2):
            asking.sendall(b"more")
            kept[1].recv(64)
        assert [one.getpeername() for one in silent_connections(port, tls=True)] == [silent.getsockname()]
        for one in (silent, asking, *kept):
            one.close()
