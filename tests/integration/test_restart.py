"""SIGUSR2: another process takes over, no request fails, and the process id stays the same."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from support.load import Load
from support.php import require_php
from support.server import READY, Server, free_port
from support.tls import Authority

WORKER = Path(__file__).parents[1] / "support" / "workers" / "http.php"
LOGS = {"level": "info", "mode": "production", "output": ["stderr"]}


def server(folder: Path, *, env: Mapping[str, str] | None = None, **sections: Any) -> Server:
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 2}},
        "logs": LOGS,
        "endure": {"retirement": "500ms"},
        **sections,
    }
    return Server(folder, config, command=("serve", "-p"), env=env)


def change(server: Server, edit: Callable[[dict[str, Any]], object]) -> None:
    edit(server.config)
    (server.folder / ".rr.yaml").write_text(yaml.safe_dump(server.config, sort_keys=False))


def children(server: Server) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(") ")[2].split()[1]
        except OSError:  # it has just exited
            continue
        if int(parent) == server.pid:
            found.append(int(folder.name))
    return found


def restart(server: Server) -> None:
    """Restart the server and wait until the stand-in has exited too."""
    server.send(signal.SIGUSR2)
    server.wait_for(READY, times=server.stdout.count(READY) + 1)
    while set(children(server)) != server.workers():
        time.sleep(0.02)


@pytest.mark.parametrize("http10", [False, True])
def test_no_request_fails_and_the_process_id_stays(tmp_path: Path, http10: bool) -> None:
    with server(tmp_path, http={"pool": {"num_workers": 2}, "http10": http10}) as running:
        pid, before = running.pid, running.workers()
        with Load(running.address, "/slow?ms=5") as load:
            change(running, lambda config: config["http"]["pool"].update(num_workers=3))
            restart(running)
            load.wait_for_more(50)
            restart(running)
            load.wait_for_more(50)
        assert load.failures == []
        assert load.done > 100
        after = running.workers()
        assert len(after) == 3
        assert not before & after
        assert running.pid == pid
        assert (tmp_path / ".pid").read_text() == str(pid)
        assert running.stop() == 0
    assert running.stdout.count("restart signal [SIGUSR2] received") == 2
    assert not (tmp_path / ".pid").exists()


def test_running_requests_are_finished(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        address = running.address
        with socket.create_connection(address) as slow:
            slow.sendall(f"GET /wait?for={tmp_path}/gate HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            running.send(signal.SIGUSR2)
            running.wait_for("a stand-in serves new connections")
            (tmp_path / "gate").touch()
            slow.settimeout(20)
            answer = slow.recv(65536)
            running.wait_for(READY, times=2)
        assert answer.startswith(b"HTTP/1.1 200 ")


def test_https_is_taken_over_right_after_a_certificate_renewal(tmp_path: Path) -> None:
    """An engine with the old certificate still exists then, and must get no connections."""
    authority = Authority(tmp_path)
    identity = authority.server()
    port = free_port()
    ssl = {"address": f"127.0.0.1:{port}", "cert": str(identity.cert), "key": str(identity.key)}
    http = {"pool": {"num_workers": 2}, "ssl": ssl}
    with server(tmp_path, http=http, endure={"retirement": "60s"}) as running:
        before = running.workers()
        identity.replace_by(authority.server("renewed"))
        running.wait_for("certificate loaded")
        running.send(signal.SIGUSR2)
        running.wait_for("a stand-in serves new connections")
        served = set()
        for _ in range(8):
            with urlopen(f"https://localhost:{port}/pid", timeout=20, context=authority.context()) as answer:
                served.add(int(answer.read()))
        assert not served & before


def test_a_client_that_does_not_read_does_not_hold_the_restart(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    identity = authority.server()
    ssl = {"address": f"127.0.0.1:{free_port()}", "cert": str(identity.cert), "key": str(identity.key)}
    http = {"pool": {"num_workers": 1}, "ssl": ssl}
    with server(tmp_path, http=http, endure={"retirement": "100ms", "grace_period": "1s"}) as running:
        host, _, port = ssl["address"].rpartition(":")
        raw = socket.create_connection((host, int(port)), 20)
        with authority.context().wrap_socket(raw, server_hostname="localhost") as slow:
            slow.sendall(b"GET /zeros?size=100000000 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert slow.recv(12) == b"HTTP/1.1 200"
            restart(running)


@pytest.mark.parametrize("how", ["config", "worker"])
def test_if_the_new_process_fails_to_start_the_old_one_keeps_running_and_reports_why(tmp_path: Path, how: str) -> None:
    with server(tmp_path) as running:
        before = running.workers()
        with Load(running.address) as load:
            if how == "config":
                change(running, lambda config: config["http"]["pool"].update(num_workers="many"))
                why = ".rr.yaml:"
            else:
                change(running, lambda config: config["server"].update(command="php no-such-file.php"))
                why = "no-such-file.php"
            running.send(signal.SIGUSR2)
            running.wait_for("restart failed: ")
            load.wait_for_more(50)
        assert load.failures == []
        assert why in running.stdout.partition("restart failed: ")[2]
        assert running.workers() == before
        assert running.stop() == 0
    assert running.stdout.count(READY) == 1


def test_the_address_may_change(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        port = free_port()
        change(running, lambda config: config["http"].update(address=f"127.0.0.1:{port}"))
        restart(running)
        with urlopen(f"http://127.0.0.1:{port}", timeout=20) as answer:
            assert answer.status == 200


def test_unix_sockets_are_taken_over(tmp_path: Path) -> None:
    with server(tmp_path, rpc={"listen": f"unix://{tmp_path}/rpc.sock"}) as running:
        path = f"{tmp_path}/http.sock"
        change(running, lambda config: config["http"].update(address=f"unix://{path}"))
        for _ in range(2):
            restart(running)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                client.settimeout(20)
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        assert sorted(one.name for one in tmp_path.glob("*.sock*")) == ["http.sock", "rpc.sock"]
    assert not list(tmp_path.glob("*.sock*"))


def test_a_failed_restart_returns_the_unix_socket(tmp_path: Path) -> None:
    with server(tmp_path, rpc={"listen": f"unix://{tmp_path}/rpc.sock"}) as running:
        before = running.workers()
        change(running, lambda config: config["server"].update(command="no-such-program"))
        running.send(signal.SIGUSR2)
        running.wait_for("restart failed: ")
        assert running.workers() == before
        assert [one.name for one in tmp_path.glob("*.sock*")] == ["rpc.sock"]
    assert not list(tmp_path.glob("*.sock*"))


def test_a_stop_during_the_restart_ends_both(tmp_path: Path) -> None:
    with server(tmp_path, endure={"retirement": "60s"}) as running:
        running.send(signal.SIGUSR2)
        running.wait_for("a stand-in serves new connections")
        stand_in = json.loads(next(line for line in running.stderr.splitlines() if "a stand-in serves" in line))["pid"]
        os.kill(stand_in, 0)
        assert running.stop() == 0
        with pytest.raises(ProcessLookupError):
            os.kill(stand_in, 0)


def test_a_stop_is_passed_on_once_and_cuts_nothing_of_what_the_stand_in_runs(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with server(tmp_path, endure={"retirement": "60s"}) as running:
        workers = running.workers()
        running.send(signal.SIGUSR2)
        running.wait_for("a stand-in serves new connections")
        with socket.create_connection(running.address) as client:
            client.sendall(f"GET /wait?for={gate} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            running.send(signal.SIGTERM)
            while workers & set(children(running)):  # it has finished its own work and waits for the stand-in
                time.sleep(0.02)
            gate.touch()
            assert client.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
        assert running.wait() == 0


def test_a_stop_right_after_the_restart_is_one_stop_and_loses_no_request(tmp_path: Path) -> None:
    """An event loop that handles the second of two signals twice would take it for a forced stop."""
    for _ in range(8):
        with server(tmp_path) as running, Load(running.address, "/slow?ms=20", threads=8, stops=True) as load:
            running.send(signal.SIGUSR2)
            running.send(signal.SIGTERM)
            assert running.wait() == 0
        assert load.failures == []


# Delays the interpreter of the process after exec, before it has signal handlers.
HOLD_UP = """
import os, pathlib, time
here = pathlib.Path(__file__).parent
if "PYROADRUNNER_SUCCESSOR" in os.environ:
    (here / "executed").touch()
    while not (here / "go").exists():
        time.sleep(0.005)
"""


def test_a_stop_during_exec_is_a_graceful_one(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HOLD_UP)
    with (
        server(tmp_path, env={"PYTHONPATH": str(tmp_path)}) as running,
        Load(running.address, "/slow?ms=20", stops=True) as load,
    ):
        running.send(signal.SIGUSR2)
        while not (tmp_path / "executed").exists():
            time.sleep(0.01)
        running.send(signal.SIGTERM)
        (tmp_path / "go").touch()
        assert running.wait() == 0
    assert load.failures == []
    assert running.stdout.count("stop signal received") == 1


def test_a_stop_that_came_right_before_exec_counts_afterwards(tmp_path: Path) -> None:
    """Another thread has taken the signal; what the interpreter's C handler wrote about it is all there is."""
    (tmp_path / "signals").write_bytes(bytes([signal.SIGTERM]))
    with_pipe = ["sh", "-c", 'exec 9< signals; PYROADRUNNER_SIGNALS=9 exec "$@"', "sh"]
    successor = Server(tmp_path, {}, launcher=with_pipe, ready="stop signal received")
    with successor:
        assert successor.wait() == 0
    assert READY not in successor.stdout


def test_a_stop_soon_after_waits_for_what_runs_in_the_stand_in(tmp_path: Path) -> None:
    """systemd and containers kill all that is left once the server has gone."""
    gate = tmp_path / "gate"
    with server(tmp_path, endure={"retirement": "2s"}) as running:
        running.send(signal.SIGUSR2)
        running.wait_for("a stand-in serves new connections")
        with socket.create_connection(running.address) as client:
            client.sendall(f"GET /wait?for={gate} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            running.wait_for(READY, times=2)
            [stand_in] = set(children(running)) - running.workers()
            running.send(signal.SIGTERM)
            running.wait_for("stop signal received")
            gate.touch()
            assert client.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
        assert running.wait() == 0
    assert not Path(f"/proc/{stand_in}").exists()


def test_the_stand_in_exits_when_the_server_is_killed(tmp_path: Path) -> None:
    with server(tmp_path, endure={"retirement": "1s"}) as running:
        running.send(signal.SIGUSR2)
        running.wait_for("a stand-in serves new connections")
        stand_in = json.loads(next(line for line in running.stderr.splitlines() if "a stand-in serves" in line))["pid"]
        watch = os.pidfd_open(stand_in)
        try:
            running.send(signal.SIGKILL)
            assert select.select([watch], [], [], 20)[0], "it still runs"
        finally:
            os.close(watch)
        assert running.wait() == -signal.SIGKILL
