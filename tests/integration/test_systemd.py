"""Notifications to systemd, and sockets opened by systemd."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from support.load import Load
from support.php import require_php
from support.server import READY, Server, free_port, rr

WORKERS = Path(__file__).parents[1] / "support" / "workers"
ACTIVATE = Path(__file__).parents[1] / "support" / "activate.py"


@contextmanager
def notify_socket(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(30)
        yield systemd


def hear(systemd: socket.socket, text: bytes) -> list[bytes]:
    """The messages up to a state, without keep-alives."""
    heard: list[bytes] = []
    while not heard or heard[-1] != text:
        heard.append(systemd.recv(1000).split(b"\n")[0])
    return [one for one in heard if one != b"WATCHDOG=1"]


def web(**sections: object) -> dict[str, object]:
    return {
        "server": {"command": [require_php(), str(WORKERS / "http.php")]},
        "http": {"pool": {"num_workers": 1}},
        "logs": {"level": "info", "mode": "production", "output": ["stderr"]},
        **sections,
    }


def test_reloads_and_restarts_are_notified_and_no_false_stop(tmp_path: Path) -> None:
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    with notify_socket(tmp_path) as systemd:
        with Server(tmp_path, web(endure={"retirement": "300ms"}), env=env) as server:
            assert hear(systemd, b"READY=1") == [b"READY=1"]
            server.send(signal.SIGHUP)
            assert hear(systemd, b"READY=1") == [b"RELOADING=1", b"READY=1"]
            server.send(signal.SIGUSR2)
            assert hear(systemd, b"READY=1") == [b"RELOADING=1", b"READY=1"]
            server.wait_for(READY, times=2)
            hear(systemd, b"WATCHDOG=1")
        assert hear(systemd, b"STOPPING=1") == [b"STOPPING=1"]
    assert "watchdog enabled, timeout: 0.2 seconds" in server.stdout


def test_a_stuck_loop_prints_its_stack_before_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(
        "class Stuck:\n    def __init__(self, app): pass\n"
        "    async def __call__(self, scope, receive, send): self.stand_still()\n"
        "    def stand_still(self):\n        while True: pass\n"
    )
    config = web(http={"pool": {"num_workers": 1}, "middleware": ["stuck:Stuck"]})
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    with notify_socket(tmp_path) as systemd:
        server = Server(tmp_path, config, env=env).start()
        try:
            server.wait_for(READY)
            hear(systemd, b"READY=1")
            with socket.create_connection(server.address) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                server.wait_for("in stand_still")
        finally:
            server.kill()
    assert f'{tmp_path}/stuck.py", line 5 in stand_still' in server.stderr


def test_workers_do_not_inherit_the_variables_for_the_server(tmp_path: Path) -> None:
    worker = tmp_path / "env.py"
    worker.write_text(
        "import os, sys\nsys.stderr.write('seen: ' + ' '.join(n for n in sorted(os.environ)"
        " if n.startswith(('NOTIFY', 'WATCHDOG', 'LISTEN', 'PYROADRUNNER'))) + '.\\n')\nsys.exit(1)\n"
    )
    config = {"server": {"command": [sys.executable, str(worker)]}, "http": {"pool": {"num_workers": 1}}}
    launcher = [sys.executable, str(ACTIVATE), f"http=127.0.0.1:{free_port()}", "--"]
    with notify_socket(tmp_path):
        server = Server(tmp_path, config, env={"NOTIFY_SOCKET": str(tmp_path / "notify")}, launcher=launcher).start()
        assert server.wait() == 1
        server.kill()
    assert "seen: ." in server.stderr


def test_addresses_get_the_sockets_of_their_name_or_address(tmp_path: Path) -> None:
    named, placed = free_port(), free_port()
    config = web(rpc={"listen": f"tcp://127.0.0.1:{placed}"})
    launcher = [
        sys.executable,
        str(ACTIVATE),
        f"http=127.0.0.1:{named}",
        f"rr.socket=127.0.0.1:{placed}",
        f"other={tmp_path}/other.sock",
        "--",
    ]
    with Server(tmp_path, config, launcher=launcher) as server:
        with urlopen(f"http://127.0.0.1:{named}", timeout=20) as answer:
            assert answer.status == 200
        assert "http" in json.loads(rr("workers", "--json", cwd=tmp_path).stdout)
        server.wait_for('"name":"other"')
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(server.address)
    assert (tmp_path / "other.sock").exists()


def test_an_inherited_unix_socket_is_never_removed(tmp_path: Path) -> None:
    path = f"{tmp_path}/http.sock"
    config = web(http={"address": f"unix://{path}", "pool": {"num_workers": 1}})
    launcher = [sys.executable, str(ACTIVATE), f"web={path}", "--"]
    with Server(tmp_path, config, launcher=launcher), socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.settimeout(20)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    assert Path(path).is_socket()


def test_a_restart_keeps_inherited_sockets(tmp_path: Path) -> None:
    port = free_port()
    config = web(endure={"retirement": "300ms"})
    launcher = [sys.executable, str(ACTIVATE), f"http=127.0.0.1:{port}", "--"]
    with Server(tmp_path, config, launcher=launcher) as server:
        with Load(("127.0.0.1", port), threads=8) as load:
            for round_ in (2, 3):
                server.send(signal.SIGUSR2)
                server.wait_for(READY, times=round_)
                load.wait_for_more(50)
        assert load.done > 100
        assert load.failures == [], load.failures
