"""How a worker ended, read from a fake child in virtual time; the error and the log line made of it."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from pyroadrunner.goridge.errors import RelayClosed, RelayError
from pyroadrunner.goridge.frame import Flag, encode_payload
from pyroadrunner.workers.call import Call
from pyroadrunner.workers.crash import Crash, collect_crash
from pyroadrunner.workers.errors import BadReply, WorkerCrashed
from pyroadrunner.workers.payload import Payload
from support.fake_workers import FakeProcess
from support.log import logged
from support.virtual_time import in_virtual_time

CLOSED = RelayClosed(mid_frame=False)
GARBAGE = b"PHP Warning: no\n"


def collecting(process: FakeProcess, *, kill: bool) -> asyncio.Task[Crash]:
    return asyncio.create_task(collect_crash(process.child, process.relay, process.stderr, CLOSED, kill=kill))


def ignored_process() -> FakeProcess:
    """A process whose worker ignores the loss of the relay: the test collects the crash."""
    process = FakeProcess(4_200_000)
    process.relay.on_lost = lambda _error: None
    return process


def crash(**changes: Any) -> Crash:
    fields = {"pid": 7, "cause": CLOSED, "status": 255, "killed": False, "garbage": "", "stderr": ""}
    return Crash(**fields | changes)


async def seconds(task: asyncio.Task[Crash]) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await task
    return loop.time() - began


# -- collecting --------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_worker_that_exits_by_itself_is_not_killed() -> None:
    process = ignored_process()
    process.stderr.data_received(b"no memory\n")
    process.exit(255)
    found = await collecting(process, kill=False)
    assert (found.status, found.killed, found.stderr) == (255, False, "no memory")
    assert process.child.signals == []


@in_virtual_time
async def test_a_worker_that_has_closed_its_relay_and_does_not_exit_is_killed() -> None:
    process = ignored_process()
    process.close_relay()
    task = collecting(process, kill=False)
    assert await seconds(task) == pytest.approx(0.5)
    assert (task.result().status, task.result().killed) == (-signal.SIGKILL, True)


@in_virtual_time
async def test_a_worker_that_broke_the_protocol_is_killed_at_once() -> None:
    process = ignored_process()
    task = collecting(process, kill=True)
    assert await seconds(task) == 0.0
    assert task.result().killed


@in_virtual_time
async def test_text_is_read_for_a_while_before_the_worker_is_killed() -> None:
    process = ignored_process()
    process.write(GARBAGE)
    task = collecting(process, kill=True)
    await asyncio.sleep(0.1)
    process.write(b"and more\n")
    assert await seconds(task) == pytest.approx(0.2, abs=0.01)
    assert task.result().garbage == "PHP Warning: no\nand more\n"


@in_virtual_time
async def test_text_is_complete_when_a_reply_follows_it_or_the_worker_exits() -> None:
    for finish in (lambda process: process.write(encode_payload(b"", b"x", Flag.RAW)), lambda process: process.exit(1)):
        process = ignored_process()
        process.write(GARBAGE)
        finish(process)
        task = collecting(process, kill=True)
        assert await seconds(task) < 0.02
        assert task.result().garbage == GARBAGE.decode()


@in_virtual_time
async def test_pipes_that_another_process_holds_open_are_read_for_a_short_time_only() -> None:
    process = ignored_process()
    process.child.on_exit = lambda: None
    process.exit(1)
    assert await seconds(collecting(process, kill=False)) == pytest.approx(0.2, abs=0.01)


# -- the error ---------------------------------------------------------------------------------------------------------


def test_a_closed_relay_is_a_crash_with_status_stderr_and_text() -> None:
    error = crash(status=-11, stderr="last line", garbage="printed").error()
    assert isinstance(error, WorkerCrashed)
    assert (error.pid, error.exit_status, error.stderr, error.garbage) == (7, -11, "last line", "printed")


def test_a_malformed_reply_is_a_bad_reply() -> None:
    error = crash(cause=RelayError("two options")).error()
    assert isinstance(error, BadReply)
    assert str(error) == "sync_worker_receive_frame: two options"


# -- the log line ------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_line_of_a_crash_names_the_call_and_its_time() -> None:
    loop = asyncio.get_running_loop()
    call = Call(Payload(b"x"), loop.create_future(), loop.time(), describe=lambda: "GET /")
    with logged("server") as log:
        crash().report("http", call, loop.time() + 1.5)
    [(level, message, fields)] = log.lines
    assert (level, message) == ("ERROR", "worker died")
    assert fields | {"pool": "http", "pid": 7, "request": "GET /", "elapsed": 1500, "exit": "exit code 255"} == fields


@pytest.mark.parametrize(
    ("changes", "level", "message"),
    [
        ({"status": 0}, "INFO", "worker exited"),
        ({"status": 1}, "ERROR", "worker died"),
        ({"status": 0, "garbage": "dumped"}, "ERROR", "worker died"),
    ],
)
def test_an_idle_worker_that_exits_with_0_is_no_error(changes: dict[str, Any], level: str, message: str) -> None:
    with logged("server") as log:
        crash(**changes).report("http", None, 0.0)
    [(logged_level, text, fields)] = log.lines
    assert (logged_level, text) == (level, message)
    assert "request" not in fields


def test_a_malformed_reply_is_named_in_the_line() -> None:
    with logged("server") as log:
        crash(cause=RelayError("two options"), killed=True, status=-9).report("http", None, 0.0)
    assert log.of("worker died")[0]["error"] == "two options"
