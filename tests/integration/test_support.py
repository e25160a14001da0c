"""Helpers of other tests: brokers shared by processes, unique ports, complete output."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.server import Stream, environment

TESTS = Path(__file__).parents[1]
USER = """
import os, sys
from contextlib import contextmanager
from pathlib import Path
from support.brokers import Brokers

folder = Path(sys.argv[1])

def note(text):
    with (folder / "log").open("a") as log:
        log.write(text + "\\n")

@contextmanager
def broker(folder):
    note("started")
    yield {"pid": os.getpid()}
    note("ended")

brokers = Brokers(folder)
print(brokers.use("it", broker)["pid"], flush=True)
sys.stdin.readline()
note("used")
print("done", flush=True)
brokers.close()
"""
PORTS = """
import sys
from support.ports import free_port
print(*(free_port() for _ in range(20)), flush=True)
sys.stdin.readline()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python with a script; the process runs until it reads a line."""
    processes: list[subprocess.Popen[str]] = []

    def starting(script: str, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *args],
            env=environment({"PYTHONPATH": str(TESTS)}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield starting
    for process in processes:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_broker_is_started_by_its_first_user_and_stopped_after_the_last(tmp_path: Path, start: Start) -> None:
    users = [start(USER, str(tmp_path)) for _ in range(4)]
    [pid] = {int(line(user)) for user in users}
    [starter] = [user for user in users if user.pid == pid]
    killed, *others = [user for user in users if user is not starter]
    go_on(starter)
    assert line(starter) == "done"
    killed.kill()
    for other in others:
        go_on(other)
        assert other.wait(60) == 0
    assert starter.wait(60) == 0
    assert (tmp_path / "log").read_text().split() == ["started", "used", "used", "used", "ended"]


def test_a_broker_that_has_ended_is_started_again(tmp_path: Path, start: Start) -> None:
    for _ in range(2):
        user = start(USER, str(tmp_path))
        assert line(user) == str(user.pid)
        go_on(user)
        assert user.wait(60) == 0
    assert (tmp_path / "log").read_text().split() == ["started", "used", "ended"] * 2


def test_no_two_processes_hand_out_the_same_port(start: Start) -> None:
    given = [line(process).split() for process in [start(PORTS) for _ in range(3)]]
    assert len({port for ports in given for port in ports}) == 60
    try:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        lowest = 49152  # macOS
    assert max(int(port) for ports in given for port in ports) < lowest, "the system assigns none of them"


def test_earlier_output_is_seen() -> None:
    """Also if the reading thread has not processed it yet: here it waits for the lock."""
    source, sink = os.pipe()
    changed = threading.Condition()
    stream = Stream(os.fdopen(source, "rb"), changed)
    with changed:
        os.write(sink, b"one, ")
        assert stream.text == "one, "
        os.write(sink, b"two")
        assert stream.count("two") == 1
        os.close(sink)
        assert stream.text == "one, two"
    stream.close()
    assert stream.ended
