"""``service`` in the real ``rr serve``: its commands, its RPC, ``rr workers`` and ``rr reset``."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from pyroadrunner.goridge.frame import Flag
from pyroadrunner.net.address import parse_address
from pyroadrunner.proto.service.v1 import service_pb2 as pb
from support.rpc import RpcPeer
from support.server import Server, rr

TICK = {"command": "sh -c 'echo hello, `printenv WHO`; exec sleep 1000'", "env": {"WHO": "you"}}


def asked(server: Server, talk: Callable[[RpcPeer], Coroutine[Any, Any, Any]]) -> Any:
    """The results of one RPC client."""

    async def main() -> Any:
        peer = await RpcPeer.connect(parse_address(server.rpc))
        try:
            return await talk(peer)
        finally:
            peer.close()

    return asyncio.run(main())


async def proto(peer: RpcPeer, method: str, request: Any, answer: Any) -> Any:
    said = await peer.ask(method, request.SerializeToString(), codec=Flag.PROTO)
    if said.failed:
        return said.body.decode()
    answer.ParseFromString(said.body)
    return answer


def test_commands_run_and_end_with_the_server_which_needs_no_other_section(tmp_path: Path) -> None:
    with Server(tmp_path, {"service": {"tick": {**TICK, "service_name_in_log": True}}}) as server:
        server.wait_for("hello, you")
        line = next(line for line in server.stderr.splitlines() if "hello, you" in line)
        assert re.search(r"INFO\s+service\.tick\s+hello, you", line)
        assert server.stop() == 0
        assert "service was stopped" in server.stderr


def test_a_forced_stop_leaves_no_command_behind(tmp_path: Path) -> None:
    ignore = "import os, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    code = f"{ignore}; print('pid', os.getpid(), flush=True); time.sleep(1000)"
    deaf = {"command": [sys.executable, "-c", code], "timeout_stop_sec": 60}
    with Server(tmp_path, {"service": {"deaf": deaf}}) as server:
        server.wait_for("pid ")
        told = re.search(r"pid (\d+)", server.stderr)
        assert told
        command = os.pidfd_open(int(told[1]))
        server.send(signal.SIGTERM)
        server.wait_for("stop signal received")
        assert server.stop() == 1
        assert server.stdout.endswith("exit forced\n")
    assert select.select([command], [], [], 10)[0]
    os.close(command)


def test_a_missing_command_fails_the_start_and_stops_the_started_ones(tmp_path: Path) -> None:
    server = Server(tmp_path, {"service": {"tick": TICK, "typo": {"command": "/no/such/program --x"}}})
    server.start()
    assert server.wait() == 1
    assert "service typo: fork/exec /no/such/program: no such file or directory" in server.stderr
    assert "hello, you" in server.stderr or "service was stopped" in server.stderr
    server.kill()


def test_a_service_is_created_watched_and_terminated_over_protobuf(tmp_path: Path) -> None:
    async def talk(peer: RpcPeer) -> None:
        command = "sh -c 'echo made `expr 1 + 1`; exec sleep 1000'"
        create = pb.Create(name="made", command=command, process_num=2, restart_sec=1)
        assert await proto(peer, "service.Create", create, pb.Response()) == pb.Response(ok=True)
        assert await proto(peer, "service.Create", create, pb.Response()) == "the service with made name already exists"
        names = await proto(peer, "service.List", pb.Service(), pb.List())
        assert sorted(names.services) == ["made", "tick"]
        statuses = (await proto(peer, "service.Statuses", pb.Service(name="made"), pb.Statuses())).status
        assert len({one.pid for one in statuses}) == 2
        assert statuses[0].command.endswith("/sh -c echo made `expr 1 + 1`; exec sleep 1000")
        server.wait_for("made 2", times=2)  # a shell that has not started yet may lose the signal of a restart
        last = await proto(peer, "service.Status", pb.Service(name="made"), pb.Status())
        assert last.pid == statuses[1].pid
        assert (await proto(peer, "service.Restart", pb.Service(name="made"), pb.Response())).ok
        again = (await proto(peer, "service.Statuses", pb.Service(name="made"), pb.Statuses())).status
        assert not {one.pid for one in again} & {one.pid for one in statuses}
        assert (await proto(peer, "service.Terminate", pb.Service(name="made"), pb.Response())).ok
        for method in ("Terminate", "Restart", "Statuses", "Status"):
            text = await proto(peer, f"service.{method}", pb.Service(name="made"), pb.Response())
            assert text == "the service with made name doesn't exist"

    with Server(tmp_path, {"service": {"tick": TICK}}) as server:
        asked(server, talk)


def test_the_same_in_json_and_refusals(tmp_path: Path) -> None:
    async def talk(peer: RpcPeer) -> None:
        made = {"name": "made", "command": "sleep 1000", "process_num": 1}
        assert await peer.call("service.Create", made) == {"ok": True}
        assert await peer.call("service.List", {}) == {"services": ["tick", "made"]}
        (status,) = (await peer.call("service.Statuses", {"name": "made"}))["status"]
        assert {"pid", "memory_usage", "command"} <= set(status)
        assert await peer.call("service.Terminate", {"name": "made"}) == {"ok": True}
        for request, text in [
            ({**made, "process_num": 0}, b"the service with made name should have at least 1 process"),
            ({**made, "command": "/no/such"}, b"service made: fork/exec /no/such: no such file or directory"),
            ({**made, "command": "a 'b"}, b"the command of the service made has a ' that is not closed"),
        ]:
            answer = await peer.ask("service.Create", json.dumps(request).encode())
            assert answer.failed
            assert answer.body.startswith(text)
        assert await peer.call("service.List", {}) == {"services": ["tick"]}

    with Server(tmp_path, {"service": {"tick": TICK}}) as server:
        asked(server, talk)


def test_rr_workers_shows_them_in_their_own_table_and_rr_reset_restarts_them(tmp_path: Path) -> None:
    def pids(server: Server) -> list[int]:
        done = rr("workers", "service", "--json", cwd=tmp_path)
        return [row["pid"] for row in json.loads(done.stdout)["service"]["workers"]]

    with Server(tmp_path, {"service": {"tick": {**TICK, "process_num": 2}}}) as server:
        shown = rr("workers", cwd=tmp_path).stdout.splitlines()
        assert shown[0] == "Workers of [service]:"
        assert [word.strip() for word in shown[2].strip("│").split("│")] == ["PID", "MEMORY", "CPU %", "COMMAND"]
        before = pids(server)
        assert [line.split()[1] for line in shown[4:6]] == [str(pid) for pid in before]
        assert "sh -c echo hello, `printenv WHO`; exec sleep 1000" in shown[4]
        done = rr("reset", "service", cwd=tmp_path)
        assert (done.code, "plugin reset: [service]" in done.stderr) == (0, True)
        server.wait_for("hello, you", times=4)
        assert not set(before) & set(pids(server))


def test_a_process_that_ignores_its_signal_is_killed_after_the_grace_period(tmp_path: Path) -> None:
    script = "import os, signal; signal.signal(2, signal.SIG_IGN); print(os.getpid(), 'is', 'up'); signal.pause()"
    stubborn = {"command": [sys.executable, "-uc", script], "timeout_stop_sec": 1000}
    config = {"endure": {"grace_period": "0.2s"}, "service": {"stubborn": stubborn}}
    with Server(tmp_path, config) as server:
        server.wait_for("is up")
        (pid,) = re.findall(r"(\d+) is up", server.stderr)
        assert server.stop(signal.SIGINT) == 0
        assert not Path(f"/proc/{pid}").exists()
