"""The sdk in a real child process, frame by frame: over pipes, tcp and unix sockets."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyroadrunner.goridge.frame import STOP_WORKER, Flag, Frame, Stream, encode
from support.contexts import context
from support.peer import ServerPeer

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "python" / "worker.py"
HEAD = b'{"status":200,"headers":{"Content-Type":["text/plain; charset=utf-8"]}}'


class Child:
    """One Python worker and the server's end of its relay."""

    def __init__(self, process: subprocess.Popen[bytes], server: ServerPeer) -> None:
        self.process = process
        self.server = server

    def handshake(self) -> None:
        """The handshake: the worker answers with its own pid."""
        self.server.send(encode(Flag.CONTROL | Flag.JSON, b'{"pid":1}'))
        assert self.server.receive() == Frame(Flag.CONTROL, b'{"pid":%d}' % self.process.pid)

    def end(self) -> tuple[int, str]:
        """Wait for the exit: its code, and what was written to stderr."""
        assert self.process.stderr is not None
        text = self.process.stderr.read().decode()
        return self.process.wait(), text


Spawn = Callable[..., Child]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start a script (a path, or Python code) on a relay: pipes, tcp or unix."""
    children: list[Child] = []

    def start(script: Path | str, relay: str = "pipes") -> Child:
        if isinstance(script, str):
            path = tmp_path / "worker.py"
            path.write_text(script)
            script = path
        children.append(_start(script, relay, tmp_path))
        children[-1].handshake()
        return children[-1]

    yield start
    for child in children:
        child.server.close()
        child.process.kill()
        child.process.wait()
        assert child.process.stderr is not None
        child.process.stderr.close()


def _start(script: Path, relay: str, folder: Path) -> Child:
    if relay == "pipes":
        to_child, from_server = os.pipe()
        to_server, from_child = os.pipe()
        process = _popen(script, "pipes", to_child, from_child)
        os.close(to_child)
        os.close(from_child)
        return Child(process, ServerPeer(to_server, from_server))
    if relay == "tcp":
        listener = socket.create_server(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "rr.sock"))
        listener.listen()
        address = f"unix://{folder}/rr.sock"
    with listener:
        process = _popen(script, address, subprocess.DEVNULL, subprocess.DEVNULL)
        descriptor = listener.accept()[0].detach()
    return Child(process, ServerPeer(descriptor, descriptor))


def _popen(script: Path, relay: str, stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {"RR_RELAY": relay, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": ""}
    return subprocess.Popen(
        [sys.executable, str(script)], env=environment, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE
    )


def body_of(frame: Frame) -> bytes:
    return frame.payload[frame.options[0] :]


@pytest.mark.parametrize("relay", ["pipes", "tcp", "unix"])
def test_the_example_answers_over_every_relay_and_stop_ends_it(spawn: Spawn, relay: str) -> None:
    child = spawn(EXAMPLE, relay)
    hello = Frame(Flag.JSON, HEAD + b"Hello, world!\n", (len(HEAD),))
    assert child.server.ask(context()) == hello
    assert child.server.ask(context()) == hello
    child.server.send(STOP_WORKER)
    assert child.end() == (0, "")


@pytest.mark.parametrize("relay", ["pipes", "tcp"])
def test_a_worker_exits_quietly_without_its_server(spawn: Spawn, relay: str) -> None:
    child = spawn(EXAMPLE, relay)
    child.server.close()
    assert child.end() == (0, "")


def test_the_routes_of_the_example_answer(spawn: Spawn) -> None:
    child = spawn(EXAMPLE)
    told = child.server.ask(context("/json?a=1"))
    assert json.loads(body_of(told)) == {"method": "GET", "query": {"a": ["1"]}, "agent": "test"}
    form = child.server.ask(context("/form", parsed=True), b'{"a":"1"}')
    assert json.loads(body_of(form)) == {"a": "1"}
    error = child.server.ask(context("/error"))
    assert (error.flags, error.options) == (Flag.ERROR, ())
    frame: Frame | None = child.server.ask(context("/stream"))
    pieces = b""
    while frame is not None and frame.stream & Stream.STREAM:
        pieces += body_of(frame)
        frame = child.server.receive()
    assert pieces.endswith(b"2\n1\nlift-off\n")


def test_printed_text_never_reaches_the_stream(spawn: Spawn) -> None:
    child = spawn(
        "import os, subprocess, sys\n"
        "from pyroadrunner.sdk import http\n"
        "print('early')\n"
        "def handler(request):\n"
        "    print('printed')\n"
        "    os.write(1, b'written\\n')\n"
        "    subprocess.run([sys.executable, '-c', 'import sys; print(repr(sys.stdin.read()) + \" from a child\")'])\n"
        "    return 'ok'\n"
        "http.serve(handler)\n"
    )
    assert body_of(child.server.ask(context())) == b"ok"
    child.server.send(STOP_WORKER)
    code, text = child.end()
    assert code == 0
    assert set(text.splitlines()) == {"early", "printed", "written", "'' from a child"}
    assert child.server.receive() is None


def test_the_sdk_brings_neither_an_event_loop_nor_the_server_into_the_worker() -> None:
    code = (
        "import sys; import pyroadrunner.sdk.http;"
        "print(*({'asyncio', 'uvloop', 'h2corn', 'yaml', 'typer', 'pyroadrunner.contracts'} & sys.modules.keys()))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    assert subprocess.check_output([sys.executable, "-c", code], env=environment).strip() == b""


def test_every_example_in_the_manual_is_a_file_that_these_tests_run() -> None:
    shown = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python-workers.md").read_text(), re.S)
    assert EXAMPLE.read_text() in shown
