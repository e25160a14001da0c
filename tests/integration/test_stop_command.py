"""`rr stop`: it returns when the server has exited, shows what it waits for, and finds the server without a `.pid`."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyroadrunner.cli.stop.server import CalledServer
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.sdk.rpc.blocking import RpcClient
from support.php import require_php
from support.server import RR, Server, environment, rr

WORKER = Path(__file__).parents[1] / "support" / "workers" / "http.php"


def server(folder: Path, *flags: str) -> Server:
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 2}},
        "endure": {"retirement": "60s"},
        "logs": {"level": "info", "mode": "production", "output": ["stderr"]},
    }
    return Server(folder, config, command=("serve", *flags))


def ended(running: Server) -> bool:
    """Whether the process has exited; it may not be reaped yet."""
    try:
        return Path(f"/proc/{running.pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except FileNotFoundError:
        return True


@contextmanager
def request(running: Server, gate: Path) -> Iterator[socket.socket]:
    """A request that a worker has, and that ends when the file is there."""
    with socket.create_connection(running.address) as client:
        client.sendall(f"GET /wait?for={gate} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        with RpcClient(running.rpc) as rpc:
            while not any(one["statusStr"] == "working" for one in rpc.call("informer.Workers", "http")["workers"]):
                time.sleep(0.01)
        client.settimeout(20)
        yield client


@contextmanager
def stopping(running: Server, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """A waiting `rr stop`."""
    command = [str(RR), "stop", *flags]
    with subprocess.Popen(command, cwd=running.folder, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline().rstrip("\n")


@pytest.mark.parametrize("flags", [("-p",), ()], ids=["pid file", "rpc"])
def test_it_returns_when_the_server_has_ended_and_says_what_it_waits_for(tmp_path: Path, flags: tuple[str]) -> None:
    gate = tmp_path / "gate"
    with server(tmp_path, *flags) as running, request(running, gate) as client, stopping(running) as stop:
        assert line(stop).endswith(f" stopping process with PID: {running.pid}")
        assert re.fullmatch(r"waiting for 1 request: GET /wait \(\d\.\d s\)", line(stop))
        assert not ended(running)
        gate.touch()
        assert client.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
        assert re.search(r" stopped after \d+\.\d s$", line(stop))
        assert stop.wait(20) == 0
        assert ended(running)
        assert running.wait() == 0


@pytest.mark.parametrize(("flag", "code"), [("--no-wait", 0), ("--timeout=100ms", 2)])
def test_it_may_return_before(tmp_path: Path, flag: str, code: int) -> None:
    gate = tmp_path / "gate"
    with server(tmp_path, "-p") as running, request(running, gate):
        stop = rr("stop", "-s", flag, cwd=tmp_path)
        assert stop.code == code
        assert not ended(running)
        assert ("still runs" in stop.stderr) is (code == 2)
        gate.touch()
        assert running.wait() == 0


def test_ctrl_c_ends_the_waiting_and_not_the_stop(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with server(tmp_path, "-p") as running, request(running, gate), stopping(running) as stop:
        line(stop)
        assert line(stop).startswith("waiting for 1 request")
        stop.send_signal(signal.SIGINT)
        assert "keeps stopping; rr stop -f" in line(stop)
        assert stop.wait(20) == 2
        gate.touch()
        assert running.wait() == 0


def test_over_rpc_force_ends_it_immediately(tmp_path: Path) -> None:
    with server(tmp_path) as running, request(running, tmp_path / "never"):
        assert rr("stop", "-f", "-s", cwd=tmp_path).code == 0
        assert ended(running)
        assert running.wait() == 1


def test_over_rpc_a_restarting_server_is_stopped_completely(tmp_path: Path) -> None:
    """The stand-in receives the calls, but only the server knows its process id."""
    with server(tmp_path) as running:
        running.send(signal.SIGUSR2)
        running.wait_for("a stand-in serves new connections")
        stop = rr("stop", cwd=tmp_path)
        assert f"stopping process with PID: {running.pid}\n" in stop.stderr
        assert stop.code == 0
        assert ended(running)
        assert running.wait() == 0


def test_without_pid_file_and_rpc_both_are_reported(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").write_text("version: '3'\nrpc: {listen: 'unix://none.sock'}\n")
    stop = rr("stop", cwd=tmp_path)
    assert stop.code == 1
    assert stop.stderr.startswith("open .pid: no such file or directory, to create a .pid file")
    assert "\nnor over RPC: dial unix none.sock: connect: no such file or directory" in stop.stderr


def test_an_invalid_duration_is_refused_before_the_server_is_asked(tmp_path: Path) -> None:
    stop = rr("stop", "--timeout", "5", cwd=tmp_path)
    assert (stop.code, stop.stderr) == (1, '--timeout "5": has no unit; write "5s" for seconds\n')


class Elsewhere:
    """The client of a server on another machine, with a process id that also exists here."""

    address = "tcp://elsewhere:6001"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def call(self, method: str, argument: object = True, timeout: float = 1) -> object:
        self.asked.append(method)
        return {"pid": os.getpid(), "identity": "another machine", "folder": "/srv/other"}


def test_a_process_of_another_machine_is_not_mistaken_for_a_local_one() -> None:
    client = Elsewhere()
    called = CalledServer(client)  # type: ignore[arg-type]
    called.ask()
    assert not called.ended_within(0)
    assert client.asked == ["roadrunner.Process", "roadrunner.Stop", "rpc.Version"]


def test_by_the_default_address_no_server_of_another_folder_is_stopped() -> None:
    with pytest.raises(RoadRunnerError, match=r"works in /srv/other: run rr stop there, or name its config \(-c\)"):
        CalledServer(Elsewhere(), folder="/srv/mine")  # type: ignore[arg-type]
