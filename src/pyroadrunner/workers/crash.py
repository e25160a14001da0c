"""A worker that ended without being told to: collect its output and exit status, build the error and the log line.

What the fields of the log line say is decided in ``crash_report.py``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pyroadrunner.goridge.errors import FrameError, RelayClosed, RelayError, RemoteFrameError
from pyroadrunner.goridge.relay import Relay
from pyroadrunner.goridge.stdout_text import contains_frame, printed_text
from pyroadrunner.log import Log
from pyroadrunner.workers.call import Call
from pyroadrunner.workers.child_process import Child
from pyroadrunner.workers.crash_report import crash_fields
from pyroadrunner.workers.errors import BadReply, WorkerCrashed, WorkerError
from pyroadrunner.workers.output import OutputReader

OUTPUT_TIMEOUT = 0.2  # seconds to read what a dead worker left in its pipes
_EXIT_TIMEOUT = 0.5  # seconds a worker that closed its relay has to exit before it is killed
_GARBAGE_TIMEOUT = 0.3  # seconds a worker may go on writing text; killed at once, only the first line of a dump is seen
_POLL_INTERVAL = 0.005  # seconds
_STDERR_LINES = 200  # kept on the error, for a developer

log = Log("server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """How a worker ended.

    Attributes:
        pid: of the worker.
        cause: why the server gave it up: the relay was closed, or carried something that is no answer.
        status: exit code, or the negative number of a signal.
        killed: whether the server killed it.
        garbage: text that it wrote to stdout in place of an answer.
        stderr: its last lines since its last call began.
    """

    pid: int
    cause: RelayError | FrameError
    status: int
    killed: bool
    garbage: str
    stderr: str

    def error(self) -> WorkerError:
        """The error for the call that it ran."""
        if isinstance(self.cause, RelayClosed | RemoteFrameError):
            return WorkerCrashed(self.pid, str(self.cause), self.status, self.stderr, self.garbage)
        return BadReply(f"sync_worker_receive_frame: {self.cause}", self.pid)

    def report(self, pool: str, call: Call | None, now: float) -> None:
        """Write the log line.

        Args:
            call: what it ran; ``None`` = it was idle.
            now: seconds of the loop's clock.
        """
        fields: dict[str, object] = {"pool": pool, "pid": self.pid}
        if call is not None:
            fields["request"] = call.describe()
            fields["elapsed"] = int((now - call.began) * 1000)
        fields |= crash_fields(
            self.status,
            stderr=self.stderr,
            garbage=self.garbage,
            broken="" if isinstance(self.cause, RelayClosed) else str(self.cause),
            busy=call is not None,
            killed=self.killed,
        )
        if call is None and not self.garbage and self.status == 0:
            log.info("worker exited", **fields)
        else:
            log.error("worker died", **fields)


async def collect_crash(
    child: Child, relay: Relay, stderr: OutputReader, cause: RelayError | FrameError, *, kill: bool
) -> Crash:
    """Wait for the end of the process and read what it has left in its pipes.

    Args:
        kill: kill it at once, after the text that it is writing; else it has half a second to exit by itself.
    """
    killed = False
    if kill:
        await _read_garbage(child, relay)
        killed = not child.exited.done()
        child.kill()
    if await child.wait(_EXIT_TIMEOUT) is None and not child.exited.done():
        killed = True
        child.kill()
        await child.wait()
    await _read_rest(relay, stderr)
    return Crash(
        pid=child.pid,
        cause=cause,
        status=child.exited.result(),
        killed=killed,
        garbage=printed_text(relay.garbage),
        stderr=stderr.tail(_STDERR_LINES),
    )


async def _read_garbage(child: Child, relay: Relay) -> None:
    """Let a worker that writes text finish it: until its answer follows, it exits, or the time is up."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _GARBAGE_TIMEOUT
    while relay.garbage and not child.exited.done() and loop.time() < until:
        if contains_frame(relay.garbage):
            return
        await asyncio.sleep(_POLL_INTERVAL)


async def _read_rest(relay: Relay, stderr: OutputReader) -> None:
    """Read both pipes to their end; a process that the worker started may hold them open, so not for long."""
    loop = asyncio.get_running_loop()
    until = loop.time() + OUTPUT_TIMEOUT
    await asyncio.wait([stderr.closed], timeout=OUTPUT_TIMEOUT)
    while not relay.lost and loop.time() < until:  # noqa: ASYNC110 - only after garbage, where no event comes
        await asyncio.sleep(_POLL_INTERVAL)
