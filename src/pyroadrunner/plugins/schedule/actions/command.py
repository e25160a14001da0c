"""Run a command. Its output is logged, line by line."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Mapping, Sequence

from pyroadrunner.config.expand import as_environment
from pyroadrunner.contracts import Log
from pyroadrunner.plugins.schedule.actions.contract import ActionFailed, Occasion
from pyroadrunner.workers.child_process import Child, Credentials, start_child
from pyroadrunner.workers.output import OutputReader

TERMINATION = 5.0  # seconds between SIGTERM and SIGKILL
_LAST = 1.0  # seconds to wait for the kernel after SIGKILL, and for remaining output after the exit

log = Log("schedule")


class RunCommand:
    """Implements :class:`~pyroadrunner.plugins.schedule.actions.contract.Action`. The command gets
    ``RR_SCHEDULE_ENTRY``, ``RR_SCHEDULE_RUN`` and ``RR_SCHEDULE_TIME`` in its environment."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], credentials: Credentials) -> None:
        self._command = list(command)
        self._env = dict(env)
        self._credentials = credentials

    def __str__(self) -> str:
        return shlex.join(self._command)

    async def run(self, occasion: Occasion) -> str:
        def line(text: str) -> None:
            if text := text.rstrip():
                log.info(text, entry=occasion.entry)

        output = OutputReader(line)
        childs_end = await output.open()
        try:
            child = start_child(
                self._command,
                env={
                    **os.environ,
                    **as_environment(self._env, os.environ),
                    "RR_SCHEDULE_ENTRY": occasion.entry,
                    "RR_SCHEDULE_RUN": occasion.id,
                    "RR_SCHEDULE_TIME": occasion.time,
                },
                stdout=childs_end,
                stderr=childs_end,
                credentials=self._credentials,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL in the command
            output.close()
            raise ActionFailed(f"{self._command[0]}: {error}") from error
        finally:
            os.close(childs_end)
        try:
            status = await _end(child)
            await asyncio.wait([output.closed], timeout=_LAST)
        finally:
            output.close()
        if status:
            how = f"exit status {status}" if status > 0 else f"killed by {signal.Signals(-status).name}"
            tail = " ".join(output.tail(1).split())
            raise ActionFailed(f"{how}{f': {tail}' if tail else ''}")
        return "exit status 0"


async def _end(child: Child) -> int:
    """Wait for the exit. When cancelled, end the process group before returning."""
    try:
        status = await child.wait()
    except asyncio.CancelledError:
        child.signal(signal.SIGTERM)
        try:
            await child.wait(TERMINATION)
        finally:
            child.kill()
            await child.wait(_LAST)
        raise
    assert status is not None
    return status
