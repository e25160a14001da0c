"""``rr workers`` and ``rr reset`` with a real ``rpc``: output and exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.goridge.frame import Flag, encode
from pyroadrunner.net.address import TcpAddress, UnixAddress, parse_address
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed, Unreachable
from support.rpc import FakePlugin, FakePool, Lab, Refused, running_rpc, worker
from support.server import RR, Stream, environment, free_port, rr


@contextmanager
def served(listen: str, *plugins: FakePlugin) -> Iterator[None]:
    """An ``rpc`` plugin in its own thread, running during the block."""
    up = threading.Event()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def main() -> None:
        async with running_rpc(Lab(), listen=listen, plugins=plugins):
            up.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    assert up.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


@pytest.fixture(params=["tcp", "unix"])
def listen(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"tcp://127.0.0.1:{free_port()}" if request.param == "tcp" else f"unix://{tmp_path}/rr.sock"


@pytest.fixture
def folder(tmp_path: Path, listen: str) -> Path:
    """The folder with ``.rr.yaml``."""
    (tmp_path / ".rr.yaml").write_text(f'version: "3"\nrpc: {{listen: "{listen}"}}\n')
    return tmp_path


HTTP = FakePlugin("http", FakePool("http", [worker(9), worker(7, status_str="working", status=2)]))
BROKEN = FakePlugin("jobs", FakePool("jobs", fails=Refused("no new workers")))


# -- rr workers --------------------------------------------------------------------------------------------------------


def test_workers_are_drawn_by_pid_without_colours_off_a_terminal(folder: Path, listen: str) -> None:
    with served(listen, HTTP, FakePlugin("jobs")):
        done = rr("workers", cwd=folder)
    assert (done.code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "Workers of [http]:"
    assert [line.split()[1:4:2] for line in lines[4:6]] == [["7", "working"], ["9", "ready"]]
    assert len(lines) == 7


def test_workers_of_one_plugin_as_json(folder: Path, listen: str) -> None:
    with served(listen, HTTP, FakePlugin("jobs")):
        done = rr("workers", "http", "--json", cwd=folder)
    data = json.loads(done.stdout)
    assert (done.code, list(data), [one["pid"] for one in data["http"]["workers"]]) == (0, ["http"], [7, 9])


@pytest.mark.parametrize("command", ["workers", "reset"])
def test_an_unknown_plugin_fails_with_the_known_ones(folder: Path, listen: str, command: str) -> None:
    with served(listen, HTTP):
        done = rr(command, "htp", cwd=folder)
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr == "no such plugin: htp; the server has: http\n"


@pytest.mark.parametrize("command", ["workers", "reset"])
def test_without_a_server_the_error_is_gos(folder: Path, listen: str, command: str) -> None:
    done = rr(command, cwd=folder)
    assert (done.code, done.stdout) == (1, "")
    words = "connection refused" if listen.startswith("tcp") else "no such file or directory"
    assert done.stderr.startswith(f"dial {listen.replace('://', ' ')}: connect: {words}\n")


# -- rr reset ----------------------------------------------------------------------------------------------------------


def test_a_reset_is_reported_on_stderr(folder: Path, listen: str) -> None:
    pool = FakePool("http")
    with served(listen, FakePlugin("http", pool)):
        done = rr("reset", cwd=folder)
    assert (done.code, done.stdout, pool.resets) == (0, "", 1)
    stamp = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"{stamp} resetting plugin: \[http\] \n{stamp} plugin reset: \[http\]\n", done.stderr)


def test_only_the_named_plugins_are_reset(folder: Path, listen: str) -> None:
    http, jobs = FakePool("http"), FakePool("jobs")
    with served(listen, FakePlugin("http", http), FakePlugin("jobs", jobs)):
        assert rr("reset", "jobs", "jobs", cwd=folder).code == 0
    assert (http.resets, jobs.resets) == (0, 1)


def test_a_silent_reset_writes_nothing_even_as_octane_calls_it(folder: Path, listen: str) -> None:
    (folder / "empty.yaml").write_text("")
    with served(listen, HTTP):
        assert rr("reset", "-s", cwd=folder).stderr == ""
        done = rr("reset", "-c", "empty.yaml", "-o", f"rpc.listen={listen}", "-s", cwd=folder)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("flags", [[], ["-s"]])
def test_a_failed_reset_is_reported_and_the_others_are_reset(folder: Path, listen: str, flags: list[str]) -> None:
    pool = FakePool("http")
    with served(listen, FakePlugin("http", pool), BROKEN):
        done = rr("reset", *flags, cwd=folder)
    assert (done.code, pool.resets) == (1, 1)
    assert "plugin was not reset: [jobs]: resetter_rpc_reset:\n\tjobs: no new workers" in done.stderr
    assert ("plugin reset: [http]" in done.stderr) is (not flags)


def test_a_reset_as_json(folder: Path, listen: str) -> None:
    with served(listen, HTTP, BROKEN):
        done = rr("reset", "--json", cwd=folder)
    assert (done.code, done.stderr) == (1, "")
    assert json.loads(done.stdout) == {
        "reset": ["http"],
        "failed": {"jobs": "resetter_rpc_reset:\n\tjobs: no new workers"},
    }


# -- rr workers -i -----------------------------------------------------------------------------------------------------


QUICK = """
import sys
from pyroadrunner.cli.main import main
from pyroadrunner.cli.workers import command
command.INTERVAL = 0.1
sys.exit(main())
"""


class Live:
    """``rr workers -i`` with its output on a pipe, redrawn ten times a second instead of once."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", QUICK, "workers", "-i", *flags],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self._changed = threading.Condition()
        self._out = Stream(self.process.stdout, self._changed)

    def wait_for(self, text: str, times: int = 1) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._out.text.count(text) >= times, 60), self._out.text

    def count(self, text: str) -> int:
        return self._out.text.count(text)

    def end(self, number: signal.Signals) -> tuple[int, bytes]:
        """Exit code and stderr."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            said = stderr.read()
        self._out.close()
        return code, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_live_view_survives_its_server_and_ends_on_a_signal(
    folder: Path, listen: str, number: signal.Signals
) -> None:
    busy = worker(7, status_str="working", activity="GET /slow", activity_since=1)
    plugin = FakePlugin("http", FakePool("http", [busy]))
    with served(listen, plugin):
        live = Live(folder)
        live.wait_for("GET /slow", times=2)
    live.wait_for("dial ")
    drawn = live.count("GET /slow")
    with served(listen, plugin):
        live.wait_for("GET /slow", times=drawn + 1)
        assert live.end(number) == (0, b"")


def test_the_live_view_ends_when_stdout_is_closed(folder: Path, listen: str) -> None:
    with served(listen, HTTP):
        live = subprocess.Popen([str(RR), "workers", "-i"], cwd=folder, env=environment(), stdout=subprocess.PIPE)
        assert live.stdout is not None
        assert live.stdout.readline() == b"Workers of [http]:\n"
        live.stdout.close()
        assert live.wait(60) == 0


def test_on_a_terminal_the_live_view_fits_and_restores_the_cursor(folder: Path, listen: str) -> None:
    import fcntl
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 6, 40, 0, 0))
    with served(listen, HTTP):
        live = subprocess.Popen(
            [str(RR), "workers", "-i"],
            cwd=folder,
            env=environment({"TERM": "xterm"}),
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
        )
        os.close(slave)
        shown = b""
        while shown.count(b"\x1b[H") < 2:
            shown += os.read(master, 4096)
        live.send_signal(signal.SIGINT)
        try:
            while data := os.read(master, 4096):
                shown += data
        except OSError:  # Linux reports EIO when the other side has closed
            pass
        assert live.wait(60) == 0
        assert live.stderr is not None
        with live.stderr as stderr:
            assert stderr.read() == b""
    os.close(master)
    text = shown.decode()
    assert text.startswith("\x1b[?25l")
    assert text.endswith("\x1b[?25h")
    first = text.split("\x1b[H")[1].split("\x1b[J")[0]
    assert first.count("\r\n") == 5
    assert all(len(re.sub(r"\x1b\[\w+", "", line)) <= 40 for line in first.splitlines())


# -- the client --------------------------------------------------------------------------------------------------------


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadOptions:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOTENV_PATH", raising=False)
    return LoadOptions()


@pytest.mark.parametrize(
    ("config", "address"),
    [
        ("rpc: {}", TcpAddress("127.0.0.1", 6001)),
        ('rpc: {listen: ""}', TcpAddress("127.0.0.1", 6001)),
        ("rpc: {listen: tcp://:7001}", TcpAddress("", 7001)),
        ("rpc: {listen: unix://rr.sock, other: 1}", UnixAddress("rr.sock")),
        ("rpc: {listen: '${NOT_SET:-unix://x}'}", UnixAddress("x")),
    ],
)
def test_the_address_is_read_from_the_config(options: LoadOptions, config: str, address: object) -> None:
    Path(".rr.yaml").write_text(config)
    assert server_address(options) == address


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ("http: {}", r"rpc service not specified in the configuration. Tip: add\n rpc:\n\r listen: rr_rpc_address$"),
        ("rpc:", r"rpc service not specified"),
        ("rpc: {listen: 127.0.0.1:6001}", r"invalid socket DSN \(tcp://:6001, unix://file.sock\)"),
        ("rpc: {listen: [1]}", r"\.rr\.yaml:1: rpc\.listen: "),
        ("rpc: 1", r"\.rr\.yaml:1: rpc: "),
        ("a: b: c", r"\.rr\.yaml"),
    ],
)
def test_a_config_without_an_address_is_refused(options: LoadOptions, config: str, text: str) -> None:
    Path(".rr.yaml").write_text(config)
    with pytest.raises(RoadRunnerError, match=text):
        server_address(options)


def test_without_a_config_the_default_address_is_used_unless_one_was_named(options: LoadOptions) -> None:
    assert server_address(options) == TcpAddress("127.0.0.1", 6001)
    with pytest.raises(RoadRunnerError, match=r"nope\.yaml"):
        server_address(LoadOptions(path="nope.yaml"))


def test_calls_finish_in_any_order_and_an_error_concerns_only_its_call(listen: str) -> None:
    with served(listen), RpcClient(parse_address(listen)) as client:
        assert client.call("lab.Echo", "x") == "x"
        with pytest.raises(CallFailed, match=r"^no$"):
            client.call("lab.Refuse", "no")
        results = dict(client.each("lab.Later", ["a", "b"]))
        assert results == {"a": "a", "b": "b"}
        assert list(client.each("lab.Echo", [])) == []


def test_a_late_reply_is_a_timeout_and_is_not_used_for_the_next_call(listen: str) -> None:
    with served(listen), RpcClient(parse_address(listen)) as client:
        with pytest.raises(Unreachable, match=r"did not answer within 0\.05 s"):
            client.call("lab.Wait", "gate", timeout=0.05)
        assert client.call("lab.Open", "gate") is True
        assert client.call("lab.Echo", "next") == "next"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not the RPC of a RoadRunner server"),
        (encode(Flag.JSON, b"x"), "is not the RPC of a RoadRunner server"),
        (b"\x15", "closed the connection"),
    ],
)
def test_a_foreign_server_at_the_address_is_reported(said: bytes, text: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = RpcClient(TcpAddress("127.0.0.1", server.getsockname()[1]))
        client.connect()
        accepted, _ = server.accept()
        accepted.sendall(said)
        accepted.shutdown(socket.SHUT_WR)
        with accepted, client, pytest.raises(Unreachable, match=text):
            client.call("rpc.Version")


def test_an_unknown_host_is_reported() -> None:
    with pytest.raises(Unreachable, match=r"^dial tcp: lookup no-such-host\.invalid: "):
        RpcClient(TcpAddress("no-such-host.invalid", 6001)).connect()


def test_no_library_for_terminals_or_protobuf_is_imported(folder: Path, listen: str) -> None:
    """They would take more time than the whole command may."""
    with served(listen, HTTP):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", str(RR), "workers"], cwd=folder, env=environment(), capture_output=True
        )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}
    assert "pyroadrunner.cli.workers.command" in imported
    assert not imported & {"rich", "textual", "typer", "google.protobuf", "asyncio", "uvloop", "psutil"}
