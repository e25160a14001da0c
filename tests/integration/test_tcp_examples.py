"""The examples with TCP, as they are shipped."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from support.packages import EXAMPLES
from support.php import require_php
from support.server import Server, environment, free_port
from support.tcp_clients import LONG, Client

ROOT = Path(__file__).parents[2]


@contextmanager
def example(name: str, folder: Path, program: str) -> Iterator[tuple[Server, int]]:
    """The example's server on free ports."""
    shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True)
    config = yaml.safe_load((EXAMPLES / name / ".rr.yaml").read_text("utf-8"))
    config["rpc"]["listen"] = f"tcp://127.0.0.1:{free_port()}"
    [server] = config["tcp"]["servers"].values()
    server["addr"] = f"127.0.0.1:{(port := free_port())}"
    words = config["server"]["command"].split()
    config["server"]["command"] = " ".join([program, *words[1:]])
    with Server(folder, config, timeout=LONG) as running:
        yield running, port
        assert running.stop() == 0


def connect(port: int) -> Client:
    return Client(socket.create_connection(("127.0.0.1", port), timeout=LONG))


def test_the_chat_in_php(tmp_path: Path) -> None:
    with example("tcp", tmp_path, require_php()) as (_, port), connect(port) as anna, connect(port) as bert:
        assert anna.line() == b"welcome; HELP lists the commands\r\n"
        assert bert.line() == b"welcome; HELP lists the commands\r\n"
        assert anna.ask(b"who") == b"2 here\r\n"
        host, number = anna.sock.getsockname()
        said = f"{host}:{number}: hello\r\n".encode()
        assert anna.ask(b"hello") == said
        assert bert.line() == said
        assert bert.ask(b"quit") == b"bye\r\n"
        assert bert.rest() == b""
        assert anna.line().endswith(b"has left\r\n")


def test_the_script_of_the_page_writes_to_all(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "tcp.md").read_text("utf-8")
    [script] = [code for code in re.findall(r"^```python\n(.*?)^```", page, re.M | re.S) if "Connections()" in code]
    with example("tcp", tmp_path, require_php()) as (server, port), connect(port) as anna, connect(port) as bert:
        for client in (anna, bert):
            assert client.line().startswith(b"welcome")
        env = environment({"RR_RPC": server.rpc})
        subprocess.run([sys.executable, "-c", script], env=env, check=True, timeout=LONG)
        for client in (anna, bert):
            assert client.line() == b"the server stops in a minute\r\n"


def test_capitals_in_python(tmp_path: Path) -> None:
    with example("tcp-python", tmp_path, sys.executable) as (server, port), connect(port) as client:
        host, number = client.sock.getsockname()
        assert client.line() == f"hello {host}:{number}\r\n".encode()
        assert client.ask(b"a few words") == b"A FEW WORDS\r\n"
        assert client.ask(b"quit") == b"bye\r\n"
        assert client.rest() == b""
        server.wait_for(f"{host}:{number} has left")
