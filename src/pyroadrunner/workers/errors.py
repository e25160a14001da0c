"""Errors of calls and pools. The data is on the exception; the text is made from it."""

from __future__ import annotations

from pyroadrunner.config.durations import format_duration
from pyroadrunner.errors import RoadRunnerError

# Texts are RoadRunner's where a client may see or match them (spec: pool errors; roadrunner-server/pool).
STDOUT_HELP = "https://docs.roadrunner.dev/error-codes/stdout-crc"
SOFT_ERROR = "sync_worker_receive_frame: SoftJobError: "  # before the text of a worker that keeps running
_SHOWN = 8192  # characters of printed text in the message; the whole text is on the exception
_ALLOCATE_HELP = "https://docs.roadrunner.dev/error-codes/allocate-timeout"


class PoolError(RoadRunnerError):
    """A call without a reply.

    Attributes:
        retry_after: seconds to wait before the next try; ``None`` if a retry does not help.
    """

    retry_after: int | None = None


class QueueFull(PoolError):
    """``max_queue_size`` calls wait or run; the call was refused immediately."""

    retry_after = 1

    def __init__(self, pool: str, limit: int) -> None:
        super().__init__("static_pool_exec: QueueSize: max queue size reached")
        self.pool = pool
        self.limit = limit


class NoFreeWorker(PoolError):
    """No worker became free within ``allocate_timeout``."""

    retry_after = 1

    def __init__(self, pool: str, waited: float) -> None:
        shown = format_duration(round(waited, 1 if waited >= 1 else 3))
        super().__init__(
            f"static_pool_exec: NoFreeWorkers:\n\tstatic_pool_exec: no worker of the pool {pool} became free within "
            f"allocate_timeout (waited {shown})"
        )
        self.pool = pool
        self.waited = waited


class PoolClosed(PoolError):
    """The pool stops and takes no more calls."""

    retry_after = 1

    def __init__(self, pool: str) -> None:
        super().__init__(
            "static_pool_exec: Workers watcher stopped:\n\tstatic_pool_exec:\n\tworker_watcher_get_free_worker"
        )
        self.pool = pool


class EmptyPayload(PoolError):
    """A call with neither context nor body: a worker would read it as the order to stop."""

    def __init__(self) -> None:
        super().__init__("static_pool_exec: payload can not be empty")


class TooManyWorkers(PoolError):
    """The pool has as many workers as a pool may have."""

    def __init__(self) -> None:
        super().__init__("WorkerAllocate: container is full, maximum number of workers reached")


class NoSuchWorker(PoolError):
    """No running worker of the pool has this pid."""

    def __init__(self, pool: str, pid: int) -> None:
        super().__init__(f"the pool {pool} has no worker with the pid {pid}; it may have been replaced")
        self.pid = pid


class LeaseEnded(PoolError):
    """The leased worker takes no more calls; this one was not run. Take another lease for it.

    Attributes:
        reason: the name of the worker's state, or what happened.
    """

    def __init__(self, pid: int, reason: str) -> None:
        super().__init__(f"the lease of worker {pid} has ended: {reason}")
        self.pid = pid
        self.reason = reason


class WorkerRefused(PoolError):
    """Several workers in a row did not run the call."""

    def __init__(self, attempts: int) -> None:
        super().__init__(
            f'{attempts} workers in a row handed the request back ({{"stop":true}}) or exited without reading it'
        )
        self.attempts = attempts


class WorkerError(PoolError):
    """The worker ``pid`` failed to answer this call."""

    def __init__(self, text: str, pid: int) -> None:
        super().__init__(text)
        self.pid = pid


class WorkerFailed(WorkerError):
    """The worker answered with an error frame and keeps running (RoadRunner's "soft job error").

    Attributes:
        payload: of the frame.
        text: the same as text.
    """

    def __init__(self, text: str, pid: int, payload: bytes | None = None) -> None:
        super().__init__(f"{SOFT_ERROR}{text}", pid)
        self.payload = text.encode() if payload is None else payload
        self.text = text


class BadReply(WorkerError):
    """The worker sent a frame that is not a valid reply (no or several options, a context longer than the payload)."""


class ExecTimeout(WorkerError):
    """The call ran longer than ``exec_ttl``; its worker was killed."""

    def __init__(self, pid: int, limit: float) -> None:
        super().__init__("worker_exec_with_timeout: ExecTTL: context deadline exceeded", pid)
        self.limit = limit


class WorkerCrashed(WorkerError):
    """The worker exited, or was killed, while it ran the call.

    Attributes:
        exit_status: exit code, negative signal number, or ``None`` if unknown.
        stderr: its last lines.
        garbage: text it wrote to stdout in place of a frame, or "".
    """

    def __init__(self, pid: int, cause: str, exit_status: int | None, stderr: str, garbage: str) -> None:
        text = f"sync_worker_receive_frame: Network: {cause}"
        if garbage:
            text = (
                "sync_worker_receive_frame: Network:\n\tgoridge_frame_receive: validation failed on the message sent "
                f"to STDOUT, see: {STDOUT_HELP}, invalid message: {garbage[:_SHOWN]}"
            )
        super().__init__(text, pid)
        self.exit_status = exit_status
        self.stderr = stderr
        self.garbage = garbage


class WorkerStartError(PoolError):
    """A worker failed to start.

    Attributes:
        command: program and arguments.
        exit_status: exit code or negative signal number; ``None`` if it was still running and was killed.
        stderr: its last lines.
    """

    def __init__(self, command: list[str], reason: str, exit_status: int | None = None, stderr: str = "") -> None:
        text = f"WorkerAllocate: {reason}\n  command: {' '.join(command)}"
        if exit_status is not None:
            text += f"\n  ended:   {describe_exit(exit_status)}"
        if stderr:
            text += "\n  stderr:  " + stderr.rstrip("\n").replace("\n", "\n           ")
        super().__init__(text)
        self.command = command
        self.reason = reason
        self.exit_status = exit_status
        self.stderr = stderr


def no_hello(limit: float) -> str:
    """The reason for a worker that sent no hello within ``allocate_timeout`` seconds."""
    return (
        f"failed to spawn a worker, possible reasons: {_ALLOCATE_HELP}; it did not answer within allocate_timeout "
        f"({format_duration(limit)})"
    )


def describe_exit(status: int | None) -> str:
    """How a process ended, for people: ``exit code 7``, ``signal SIGKILL``.

    Args:
        status: as :attr:`subprocess.Popen.returncode`: exit code, or the negative number of a signal.
    """
    if status is None:
        return "still running"
    if status >= 0:
        return f"exit code {status}"
    import signal

    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
