"""The action that runs a command, with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from pyroadrunner.plugins.schedule.actions.command import RunCommand
from pyroadrunner.plugins.schedule.actions.contract import ActionFailed, Occasion
from pyroadrunner.workers.child_process import SERVER_CREDENTIALS
from support.log import logged

OCCASION = Occasion(id="7", entry="report", time="2026-06-01T10:00:00+00:00")


def command(*words: str, **env: str) -> RunCommand:
    return RunCommand(words, env, SERVER_CREDENTIALS)


def sh(script: str, **env: str) -> RunCommand:
    return command("sh", "-c", script, **env)


def test_a_command_knows_its_run_and_its_output_is_logged() -> None:
    script = 'echo "$RR_SCHEDULE_ENTRY $RR_SCHEDULE_RUN $RR_SCHEDULE_TIME $MORE"; echo oops >&2'
    with logged("schedule") as lines:
        assert asyncio.run(sh(script, more="x").run(OCCASION)) == "exit status 0"
    assert lines.messages == ["report 7 2026-06-01T10:00:00+00:00 x", "oops"]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (sh("echo first; echo no database; exit 3"), "exit status 3: no database"),
        (sh("kill -KILL $$"), "killed by SIGKILL"),
        (command("/nowhere/at-all"), "/nowhere/at-all: [Errno 2] No such file or directory: '/nowhere/at-all'"),
    ],
)
def test_a_command_that_fails_says_how(action: RunCommand, message: str) -> None:
    with pytest.raises(ActionFailed) as failed:
        asyncio.run(action.run(OCCASION))
    assert str(failed.value) == message


async def cancelled(action: RunCommand, ready: Path, times: int) -> None:
    """Cancel an action once it has written to a named pipe."""
    os.mkfifo(ready)
    task = asyncio.create_task(action.run(OCCASION))
    await asyncio.to_thread(ready.read_text)
    for _ in range(times):
        task.cancel()
        await asyncio.wait([task], timeout=0.2)
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_cancelled_command_may_end_by_itself(tmp_path: Path) -> None:
    script = f"trap 'touch {tmp_path}/ended; exit 0' TERM; echo > {tmp_path}/ready; while :; do sleep 0.01; done"
    asyncio.run(cancelled(sh(script), tmp_path / "ready", 1))
    assert (tmp_path / "ended").exists()


def test_a_second_cancellation_kills_the_group(tmp_path: Path) -> None:
    script = f"trap '' TERM; echo $$ > {tmp_path}/pid; echo > {tmp_path}/ready; while :; do sleep 0.01; done"
    asyncio.run(cancelled(sh(script), tmp_path / "ready", 2))
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)
