"""``python -m bench.rpc``: calls from PHP, by one and by four clients; key-value storages compared with direct use of
Redis; a million keys in memory. Takes two minutes and writes its tables to ``docs/benchmarks.md``. Needs
redis-server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvloop

from bench import wrk
from bench.checks import HEADINGS as CHECK_HEADINGS
from bench.checks import Check, draw, markdown_table, text_table
from bench.checks import rows as check_rows
from bench.client import free_port, wait_until_up
from bench.loads import Load
from bench.processes import MB, usage
from bench.report import PAGE_FILE, put_part
from bench.rr import RR, settings, write
from bench.subject import PHP_FILES, process
from pyroadrunner.goridge.frame import Flag
from pyroadrunner.goridge.rpc import encode_call
from pyroadrunner.proto.kv.v1.kv_pb2 import Item, Request, Response
from pyroadrunner.sdk.rpc.blocking import RpcClient

SECONDS = 2
ROUNDS = 3
KEYS = 1_000_000
EXPIRING = 100_000
CLIENTS = (1, 4)
KINDS = {
    "version": "`rpc.Version`, JSON",
    "memory.get": "`kv.MGet`, memory",
    "memory.set": "`kv.Set`, memory",
    "redis.get": "`kv.MGet`, redis",
    "redis.set": "`kv.Set`, redis",
    "direct.get": "Redis itself, GET",
    "direct.set": "Redis itself, SET",
}
LOCKS = {  # by the driver; two calls are one here
    "memory": {"lock.own": "`lock.Lock` and `Release`, memory", "lock.shared": "the same, one lock for all"},
    "redis": {"lock.own": "`lock.Lock` and `Release`, redis", "lock.shared": "the same, one lock for all"},
}
HEADINGS = ("Call", "Clients", "Calls/s", "p50 us", "p99 us", "Server CPU us")
HELLO = Load(name="hello", title="hello", path="/hello", connections=8, answer=b"Hello world!")

TEXT = """## Calls over RPC

Written by `python -m bench.rpc`; the best of {rounds} rounds, since other processes of the machine only slow one down.
Clients are PHP processes with one plain socket each, one call at a time; values have 100 bytes, kv calls are protobuf.
"Server CPU" is that of `rr serve` for one call; a loop that answers each call with the same bytes and looks at nothing
takes {floor:.0f} us here, with four clients. "Redis itself" is the same client asking Redis with no server between.
A lock taken and released is one row of two calls; each client has a lock of its own, or all take turns with one.

{table}

{checks}
"""


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Total results of the clients."""

    rate: float
    p50_us: float
    p99_us: float
    server_us: float


@contextlib.contextmanager
def serving(locks: str = "memory") -> Iterator[tuple[int, str, str, int]]:
    """pid, RPC address, Redis address and HTTP port of a server with storages and a lock driver."""
    with tempfile.TemporaryDirectory(prefix="bench-rpc-") as name:
        folder = Path(name)
        redis, http, rpc = free_port(), free_port(), free_port()
        config: dict[str, Any] = settings(http, rpc, "worker.php", {})
        config["kv"] = {
            "memory": {"driver": "memory"},
            "redis": {"driver": "redis", "config": {"addrs": f"127.0.0.1:{redis}"}},
        }
        if locks == "redis":
            config["lock"] = {"driver": "redis", "config": {"addrs": f"127.0.0.1:{redis}"}}
        quiet = ["--save", "", "--bind", "127.0.0.1", "--dir", name]
        with (
            process(["redis-server", "--port", str(redis), *quiet], folder / "redis.log", folder),
            process([*RR, "serve", "-c", str(write(folder, config))], folder / "log", folder) as server,
        ):
            wait_until_up(http)
            yield server.pid, f"tcp://127.0.0.1:{rpc}", f"tcp://127.0.0.1:{redis}", http


def best(kind: str, address: str, clients: int, pid: int) -> Calls:
    """The best round."""
    rounds = [calls(kind, address, clients, pid) for _ in range(ROUNDS)]
    return Calls(
        rate=max(one.rate for one in rounds),
        p50_us=min(one.p50_us for one in rounds),
        p99_us=min(one.p99_us for one in rounds),
        server_us=min(one.server_us for one in rounds),
    )


def calls(kind: str, address: str, clients: int, pid: int, seconds: float = SECONDS) -> Calls:
    """Run PHP clients that make calls for the given time.

    Raises:
        subprocess.CalledProcessError: a call failed; the reason is on stderr.
    """
    command = ["php", str(PHP_FILES / "calls.php"), kind, address, str(seconds)]
    before = usage([pid])
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(clients)]
    seen = []
    for one in running:
        output, _ = one.communicate()
        if one.returncode:
            raise subprocess.CalledProcessError(one.returncode, command)
        seen.append(json.loads(output))
    cpu = usage([pid]).server_cpu_seconds - before.server_cpu_seconds
    total = sum(each["calls"] for each in seen)
    return Calls(
        rate=sum(each["calls"] / each["seconds"] for each in seen),
        p50_us=max(each["p50_us"] for each in seen),
        p99_us=max(each["p99_us"] for each in seen),
        server_us=cpu / total * 1e6,
    )


class Filler:
    """Sets keys in the storage ``memory``, a thousand per call."""

    def __init__(self, address: str) -> None:
        self._rpc = RpcClient(address)

    def fill(self, prefix: str, count: int, timeout: str = "") -> None:
        for begin in range(0, count, 1000):
            items = [
                Item(key=f"{prefix}:{number:012}", value=b"v" * 100, timeout=timeout)
                for number in range(begin, min(begin + 1000, count))
            ]
            self._rpc.call_message("kv.Set", Request(storage="memory", items=items), Response)

    def clear(self) -> None:
        self._rpc.call("kv.Clear", {"storage": "memory"})


def bytes_per_key(pid: int, filler: Filler, timeout: str = "") -> float:
    """Memory in the server for a key of 20 and a value of 100 bytes, including those 120 bytes."""
    before = usage([pid]).server_rss_mb
    filler.fill("user" if not timeout else "sess", KEYS, timeout)
    return (usage([pid]).server_rss_mb - before) * MB / KEYS


def p99_while_expiring(http: int, filler: Filler) -> tuple[float, float]:
    """p99 of HTTP in ms, when idle and while many keys with the same expiry second are freed."""
    quiet = wrk.run(http, HELLO, 3).p99_ms
    moment = int(time.time()) + 4
    filler.fill("gone", EXPIRING, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)))
    time.sleep(max(0.0, moment - time.time()))
    return quiet, wrk.run(http, HELLO, 3).p99_ms


class Constant(asyncio.Protocol):
    """Replies to any data with the reply of ``rpc.Version``."""

    _ANSWER = encode_call(1, b"rpc.Version", b'"2025.1.11"', Flag.JSON)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._ANSWER)


async def floor_us(clients: int) -> float:
    """CPU per call of a minimal event loop, microseconds."""
    server = await asyncio.get_running_loop().create_server(Constant, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    command = ["php", str(PHP_FILES / "calls.php"), "version", address, str(SECONDS)]
    begin = time.process_time()
    running = [await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(clients)]
    calls_seen: int = sum([json.loads((await one.communicate())[0])["calls"] for one in running])
    server.close()
    return (time.process_time() - begin) / calls_seen * 1e6


def measure() -> tuple[list[tuple[str, ...]], list[Check]]:
    rows: list[tuple[str, ...]] = []
    found = {}

    def look(kind: str, title: str, clients: int, address: str, pid: int) -> None:
        seen = found[kind, clients] = best(kind, address, clients, pid)
        shown = f"{seen.server_us:.1f}" if not kind.startswith("direct") else ""
        rows.append((title, str(clients), f"{seen.rate:,.0f}", f"{seen.p50_us:.0f}", f"{seen.p99_us:.0f}", shown))

    with serving() as (pid, rpc, redis, http):
        for kind, title in KINDS.items():
            for clients in CLIENTS:
                look(kind, title, clients, redis if kind.startswith("direct") else rpc, pid)
        filler = Filler(rpc)
        quiet, expiring = p99_while_expiring(http, filler)
        filler.clear()
    for driver, kinds in LOCKS.items():
        with serving(driver) as (pid, rpc, _, _):
            for kind, title in kinds.items():
                for clients in CLIENTS if kind == "lock.own" else CLIENTS[1:]:
                    look(kind, title, clients, rpc, pid)
    with serving() as (pid, rpc, _, _):
        plain = bytes_per_key(pid, Filler(rpc))
    with serving() as (pid, rpc, _, _):
        timed = bytes_per_key(pid, Filler(rpc), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)))
    most = max(found["version", 4].server_us, found["memory.get", 4].server_us)
    return rows, [
        Check(what="`rpc.Version`, 4 clients", measured=found["version", 4].rate, least=35_000, unit="calls/s"),
        Check(
            what="`kv.MGet` of memory, 4 clients", measured=found["memory.get", 4].rate, least=20_000, unit="calls/s"
        ),
        Check(what="server CPU per call, the larger of these two", measured=most, most=20, unit="us", digits=1),
        Check(what=f"memory per key of 120 bytes, {KEYS:,} keys", measured=plain, unit="bytes"),
        Check(what="the same with a time each", measured=timed, unit="bytes"),
        Check(what="p99 of HTTP, quiet", measured=quiet, unit="ms", digits=1),
        Check(what=f"p99 of HTTP while {EXPIRING:,} keys of one second expire", measured=expiring, unit="ms", digits=1),
    ]


def main() -> int:
    """0 if all targets are met."""
    rows, checks = measure()
    print(text_table(HEADINGS, rows, left=1))
    print(draw("Promised", checks))
    told = markdown_table(CHECK_HEADINGS, check_rows(checks))
    table = markdown_table(HEADINGS, rows, left=1)
    put_part(
        PAGE_FILE, "rpc", TEXT.format(rounds=ROUNDS, table=table, checks=told, floor=uvloop.run(floor_us(CLIENTS[-1])))
    )
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
