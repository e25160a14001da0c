"""The start of a worker with a fake process: real pipes, no child. Virtual time."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from pyroadrunner.goridge.errors import RelayError
from pyroadrunner.goridge.frame import Flag, encode
from pyroadrunner.workers import spawn
from pyroadrunner.workers.errors import WorkerStartError
from pyroadrunner.workers.spawn import Spawner
from pyroadrunner.workers.worker import Worker
from support.fake_workers import FakeChild, FakeRelay
from support.log import logged
from support.virtual_time import in_virtual_time

HELLO = encode(Flag.CONTROL, b'{"pid":4321}')


class PipedChild(FakeChild):
    """A child without a process that holds its ends of the pipes."""

    def __init__(self, stdin: int, stdout: int, stderr: int) -> None:
        super().__init__(4_200_000)
        self.stdin, self.stdout, self.stderr = map(os.dup, (stdin, stdout, stderr)) if stdin >= 0 else (-1, -1, -1)
        self.on_exit = self.close

    def close(self) -> None:
        for end in (self.stdin, self.stdout, self.stderr):
            if end >= 0:
                os.close(end)


class Listener:
    """A relay listener whose clients the test connects."""

    def __init__(self) -> None:
        self.expected: dict[int, asyncio.Future[FakeRelay]] = {}
        self.forgotten: list[int] = []

    def expect(self, pid: int) -> asyncio.Future[FakeRelay]:
        self.expected[pid] = asyncio.get_running_loop().create_future()
        return self.expected[pid]

    def forget(self, pid: int) -> None:
        self.forgotten.append(pid)


class Starts:
    """Starts children that do what the test says; ``children`` are those that were started."""

    def __init__(self, act: Callable[[PipedChild], None] = lambda _child: None) -> None:
        self.children: list[PipedChild] = []
        self._act = act

    def __call__(self, _command: list[str], *, stdin: int, stdout: int, stderr: int, **_: Any) -> FakeChild:
        child = PipedChild(stdin, stdout, stderr)
        self.children.append(child)
        self._act(child)
        return child

    def spawner(self, listener: Any = None) -> Spawner:
        return Spawner(["php", "worker.php"], {}, pool="test", timeout=5.0, listener=listener, start=self)


def starts_that_write(stdout: bytes = b"", stderr: bytes = b"", *, status: int | None = None) -> Starts:
    """Each child writes, and exits with ``status``; ``None`` = it keeps running."""

    def act(child: PipedChild) -> None:
        os.write(child.stdout, stdout)
        os.write(child.stderr, stderr)
        if status is not None:
            child.end(status)

    return Starts(act)


async def failure(starts: Starts, listener: Any = None) -> WorkerStartError:
    """The error of a start that fails; its child has ended."""
    with pytest.raises(WorkerStartError) as caught:
        await starts.spawner(listener).spawn()
    assert all(child.exited.done() for child in starts.children)
    return caught.value


async def stop(worker: Worker, starts: Starts) -> None:
    starts.children[-1].end(0)
    assert await worker.wait_exited(5.0)


# -- pipes -------------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_child_that_says_hello_is_a_worker() -> None:
    starts = starts_that_write(HELLO)
    worker = await starts.spawner().spawn()
    assert (worker.pid, worker.state.label) == (4_200_000, "ready")
    assert f'{{"pid":{os.getpid()}}}'.encode() in os.read(starts.children[0].stdin, 100)
    await stop(worker, starts)


@in_virtual_time
async def test_stderr_is_logged_with_pool_and_pid() -> None:
    starts = starts_that_write(HELLO, b"booting\n")
    with logged("server") as log:
        worker = await starts.spawner().spawn()
        await stop(worker, starts)
    assert log.of("booting") == [{"pool": "test", "pid": 4_200_000}]


@in_virtual_time
async def test_a_child_that_exits_before_its_hello_fails_with_status_and_stderr() -> None:
    error = await failure(starts_that_write(b"", b"no such class\n", status=255))
    assert (error.exit_status, error.stderr, error.reason) == (255, "no such class", "EOF")
    assert "command: php worker.php" in str(error)


@in_virtual_time
async def test_a_child_that_closes_its_relay_and_does_not_exit_is_killed() -> None:
    def act(child: PipedChild) -> None:
        os.close(child.stdout)
        child.stdout = -1

    error = await failure(Starts(act))
    assert error.exit_status == -signal.SIGKILL


@in_virtual_time
async def test_text_in_place_of_the_hello_is_in_the_error() -> None:
    error = await failure(starts_that_write(b"<br>Parse error\n", status=255))
    assert "invalid message: <br>Parse error" in error.reason
    assert error.exit_status == 255


@in_virtual_time
async def test_a_child_that_writes_text_and_keeps_running_is_killed() -> None:
    starts = starts_that_write(b"Usage: php [options]\n")
    error = await failure(starts)
    assert "Usage: php" in error.reason
    assert starts.children[0].signals == [signal.SIGKILL]


@in_virtual_time
async def test_a_missing_script_is_named() -> None:
    error = await failure(starts_that_write(b"Could not open input file: worker.php\n", status=1))
    assert error.reason == "goridge_frame_receive: FileNotFound: Could not open input file: worker.php"


@in_virtual_time
async def test_a_frame_other_than_a_hello_is_refused() -> None:
    error = await failure(starts_that_write(encode(Flag.RAW, b"hello")))
    assert "no CONTROL flag" in error.reason


@in_virtual_time
async def test_a_silent_child_is_killed_after_the_timeout() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    starts = starts_that_write(b"", b"connecting to the database")
    error = await failure(starts)
    assert loop.time() - began == pytest.approx(5.0)
    assert "within allocate_timeout (5s)" in error.reason
    assert (error.exit_status, error.stderr) == (None, "connecting to the database")
    assert starts.children[0].signals == [signal.SIGKILL]


@in_virtual_time
async def test_a_cancelled_start_kills_the_child() -> None:
    starts = Starts()
    task = asyncio.create_task(starts.spawner().spawn())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert starts.children[0].signals == [signal.SIGKILL]


# -- a process that cannot be started ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file"), 'exec: "php": executable file not found in $PATH'),
        (PermissionError(errno.EACCES, "Permission denied"), 'exec: "php": permission denied'),
    ],
)
@in_virtual_time
async def test_a_command_that_cannot_be_run_is_named(error: OSError, reason: str) -> None:
    def act(_child: PipedChild) -> None:
        raise error

    starts = Starts(act)
    with pytest.raises(WorkerStartError) as caught:
        await starts.spawner().spawn()
    starts.children[0].close()
    assert caught.value.reason == reason


@in_virtual_time
async def test_a_start_without_free_descriptors_fails_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(spawn, "PipePair", refuse)
    assert (await failure(Starts())).reason == "too many open files"


# -- sockets -----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_child_that_connects_is_a_worker() -> None:
    listener, starts = Listener(), Starts()
    task = asyncio.create_task(starts.spawner(listener).spawn())
    await asyncio.sleep(0.1)
    listener.expected[4_200_000].set_result(FakeRelay())
    worker = await task
    assert (worker.pid, listener.forgotten) == (4_200_000, [])
    await stop(worker, starts)


@in_virtual_time
async def test_a_child_that_exits_before_it_connects_fails() -> None:
    listener = Listener()
    error = await failure(Starts(lambda child: child.end(3)), listener)
    assert (error.reason, error.exit_status) == ("exited before it connected to the relay", 3)
    assert listener.forgotten == [4_200_000]


@in_virtual_time
async def test_a_child_that_does_not_connect_in_time_is_killed() -> None:
    listener, starts = Listener(), Starts()
    error = await failure(starts, listener)
    assert "within allocate_timeout (5s)" in error.reason
    assert (starts.children[0].signals, listener.forgotten) == ([signal.SIGKILL], [4_200_000])


@in_virtual_time
async def test_a_listener_that_closes_meanwhile_fails_the_start() -> None:
    listener, starts = Listener(), Starts()
    task = asyncio.create_task(failure(starts, listener))
    await asyncio.sleep(0.1)
    listener.expected[4_200_000].set_exception(RelayError("the relay's listener was closed"))
    assert (await task).reason == "the relay's listener was closed"
