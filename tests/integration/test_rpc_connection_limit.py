"""Ten thousand useless connections to ``rpc``, and one working client."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pyroadrunner.goridge.frame import Flag
from pyroadrunner.goridge.rpc import encode_call
from pyroadrunner.sdk.rpc import CallFailed, RpcClient
from support.php import require_php
from support.server import Server

ROOT = Path(__file__).parents[2]
CROWD = 10_000
HALF = encode_call(1, b"rpc.Version", b"true", Flag.JSON)[:-3]
BUSY = """
require %s;
$rpc = PyRoadRunner\\Rpc\\Rpc::create();
for ($n = 0; $n < 500; $n++) {
    if (!$rpc->call('lock.Lock', ['resource' => "crowd-$n", 'id' => 'me', 'ttl' => 1000])['ok']) { exit(3); }
}
echo 'done';
"""


@contextmanager
def crowd(server: Server, count: int) -> Iterator[list[socket.socket]]:
    """Connections, half of which have sent half a call."""
    connections: list[socket.socket] = []
    host, _, port = server.rpc.removeprefix("tcp://").rpartition(":")
    try:
        for number in range(count):
            connections.append(socket.create_connection((host, int(port)), 20))
            if number % 2:
                connections[-1].sendall(HALF)
        yield connections
    finally:
        for connection in connections:
            connection.close()


def work(server: Server) -> str:
    """The last output of a busy PHP client."""
    code = BUSY % json.dumps(str(ROOT / "php" / "autoload.php"))
    environment = {**os.environ, "RR_RPC": server.rpc}
    done = subprocess.run([require_php(), "-r", code], env=environment, capture_output=True, timeout=60)
    return (done.stdout + done.stderr).decode()


def open_descriptors(server: Server) -> int:
    return psutil.Process(server.pid).num_fds()


def settled(server: Server, count: int) -> None:
    """Return when the server has at most this many open descriptors."""
    deadline = time.monotonic() + 30
    while (now := open_descriptors(server)) > count:
        assert time.monotonic() < deadline, f"{now} descriptors are open, {count} were"
        time.sleep(0.05)


@pytest.fixture
def many_descriptors() -> Iterator[int]:
    """The possible number of connections, up to the number the test wants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(2 * CROWD, hard)  # the server allows half of its descriptors for RPC clients
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    assert most > 3000, "the hard limit on open files is too low for this test; raise it (ulimit -Hn)"
    yield most // 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_silent_connections_do_not_block_clients(tmp_path: Path, many_descriptors: int) -> None:
    with Server(tmp_path, {}) as server:
        assert work(server) == "done"
        descriptors = open_descriptors(server)
        memory = []
        for _ in range(2):
            with crowd(server, many_descriptors):
                assert work(server) == "done"
                assert open_descriptors(server) >= many_descriptors, "all are connected"
            settled(server, descriptors)
            memory.append(psutil.Process(server.pid).memory_info().rss)
        assert memory[1] - memory[0] < 8 << 20, "no connection is left"
        assert work(server) == "done"


def test_a_server_without_free_descriptors_keeps_its_clients_and_recovers(tmp_path: Path) -> None:
    few = ["sh", "-c", 'ulimit -n 200; exec "$@"', "sh"]
    with Server(tmp_path, {}, launcher=few) as server, RpcClient(server.rpc) as client:
        assert client.call("rpc.Version")
        descriptors = open_descriptors(server)
        with crowd(server, 400):
            cpu = sum(psutil.Process(server.pid).cpu_times()[:2])
            begin = time.monotonic()
            while time.monotonic() < begin + 1:
                assert client.call("rpc.Version"), "earlier clients are served"
                time.sleep(0.05)
            used = sum(psutil.Process(server.pid).cpu_times()[:2]) - cpu
            assert used < 0.7, "it does not busy-loop"
        settled(server, descriptors)
        assert work(server) == "done"
        assert server.stderr.count("connection limit reached; closing the oldest ones without a call") == 1


def test_a_call_of_100_mb_is_refused_with_a_message_and_takes_no_memory(tmp_path: Path) -> None:
    """The client writes all of it before it reads the reply."""
    item = {"items": [{"key": "k", "value": "x" * (100 << 20)}], "storage": "cache"}
    with Server(tmp_path, {"kv": {"cache": {"driver": "memory"}}}) as server, RpcClient(server.rpc) as client:
        assert client.call("rpc.Version")
        memory = psutil.Process(server.pid).memory_info().rss
        with pytest.raises(CallFailed, match=r"^kv\.Set: a call of 1048\d+ bytes exceeds the limit of 67108864$"):
            client.call("kv.Set", item)
        assert psutil.Process(server.pid).memory_info().rss - memory < 8 << 20
        assert client.call("rpc.Version"), "the connection is still open"
        assert server.stderr.count("refused a call that is too large") == 1
