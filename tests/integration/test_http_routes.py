"""``http.routes``: paths with their own workers, in the real ``rr serve``."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from pyroadrunner.sdk.rpc import RpcClient
from support.http import Client, request, split
from support.php import require_php
from support.pools import run
from support.server import Server, rr

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"
SLOW: dict[str, Any] = {"match": ["/wait", "/slow"], "name": "slow", "pool": {"num_workers": 1, "max_queue_size": 1}}


def config(*routes: dict[str, Any], **http: Any) -> dict[str, Any]:
    return {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 1}, "routes": list(routes), **http},
        "logs": {"mode": "production", "output": "stderr"},
    }


async def ask(server: Server, target: str, method: str = "GET") -> tuple[int, bytes]:
    client = Client(*await asyncio.open_connection(*server.address))
    try:
        await client.send(request(method, target))
        status, _, body = split(await client.rest())
        return status, body
    finally:
        client.close()


def workers(server: Server, *names: str) -> dict[str, list[dict[str, Any]]]:
    """The workers by pool."""
    done = rr("workers", *names, "--json", cwd=server.folder)
    assert done.code == 0, done
    found: dict[str, list[dict[str, Any]]] = {}
    for view in json.loads(done.stdout).values():
        for worker in view["workers"]:
            found.setdefault(worker["pool"], []).append(worker)
    return found


def until_working(server: Server, pool: str) -> None:
    with RpcClient(server.rpc) as client:
        while client.call("informer.Workers", pool)["workers"][0]["statusStr"] != "working":
            time.sleep(0.02)


def test_a_stuck_path_with_a_pool_of_its_own_starves_nobody_else(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with Server(tmp_path, config(SLOW)) as server:

        async def main() -> None:
            stuck = asyncio.ensure_future(ask(server, f"/wait?for={gate}"))
            await asyncio.to_thread(until_working, server, "http.slow")
            # The pool is full: the path is refused, however it is written. All other paths are served.
            assert (await ask(server, "/%77ait?for=/"))[0] == 503
            answers = await asyncio.gather(*(ask(server, "/pid") for _ in range(50)))
            assert {status for status, _ in answers} == {200}
            gate.touch()
            status, pid = await stuck
            assert status == 200
            assert pid not in {body for _, body in answers}
            assert (await ask(server, "/wait?for=/"))[1] == pid

        run(main())


def test_methods_select_a_route_too(tmp_path: Path) -> None:
    post = {"match": "/pid", "methods": ["POST"], "name": "post"}
    with Server(tmp_path, config(post)) as server:
        pids = {pool: [str(worker["pid"]).encode()] for pool, [worker] in workers(server).items()}
        assert list(pids) == ["http", "http.post"]
        assert [run(ask(server, "/pid", "GET"))[1]] == pids["http"]
        assert [run(ask(server, "/pid", "POST"))[1]] == pids["http.post"]


def test_pools_are_listed_reset_and_scaled_by_their_name_or_together_by_the_plugins(tmp_path: Path) -> None:
    with Server(tmp_path, config(SLOW)) as server:
        before = workers(server)
        assert {pool: len(found) for pool, found in before.items()} == {"http": 1, "http.slow": 1}
        assert "POOL" in rr("workers", cwd=tmp_path).stdout
        assert list(workers(server, "http.slow")) == ["http.slow"]

        def pid(of: dict[str, list[dict[str, Any]]], pool: str) -> int:
            number: int = of[pool][0]["pid"]
            return number

        assert rr("reset", "http.slow", cwd=tmp_path).code == 0
        after = workers(server)
        assert pid(after, "http") == pid(before, "http")
        assert pid(after, "http.slow") != pid(before, "http.slow")
        assert rr("reset", "http", cwd=tmp_path).code == 0
        last = workers(server)
        assert pid(last, "http") != pid(after, "http")
        assert pid(last, "http.slow") != pid(after, "http.slow")
        wrong = rr("reset", "http.nope", cwd=tmp_path)
        assert wrong.code == 1
        assert "no such plugin: http.nope" in wrong.stderr


def test_a_route_whose_workers_fail_to_start_ends_the_start_and_leaves_no_worker(tmp_path: Path) -> None:
    broken = {"match": "/x", "pool": {"command": [require_php(), "-r", "fwrite(STDERR, 'no boot'); exit(3);"]}}
    whole = config(broken)
    whole["server"]["command"].append(str(tmp_path))  # to identify its workers
    server = Server(tmp_path, whole).start()
    try:
        assert server.wait() == 1
        assert "no boot" in server.stderr
        commands = [" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])]
        assert not [command for command in commands if command.endswith(f"{WORKER} {tmp_path}")]
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("routes", "faults"),
    [
        ("[]", []),
        (
            "\n  - match: /slow/*\n    pool: {num_workers: many}\n  - match: slow\n",
            [".rr.yaml:7: http.routes[0].pool.num_workers", ".rr.yaml:8: http.routes[1].match"],
        ),
        ("\n  - match: /a/*\n  - match: /b\n    name: a\n", [".rr.yaml:8: http.routes[1].name"]),
    ],
)
def test_faults_of_routes_are_reported_with_their_lines(tmp_path: Path, routes: str, faults: list[str]) -> None:
    head = 'version: "3"\nserver: {command: php worker.php}\nhttp:\n  address: "127.0.0.1:0"\n'
    (tmp_path / ".rr.yaml").write_text(f"{head}  routes: {routes}")
    done = rr("config", "check", cwd=tmp_path)
    assert done.code == (1 if faults else 0)
    assert [fault for fault in faults if fault not in done.stdout] == [], done.stdout
