"""Why a worker has not answered properly, in the words of logs and dead letters. Pure."""

from __future__ import annotations

from pyroadrunner.contracts import ExecTimeout, WorkerCrashed, WorkerFailed
from pyroadrunner.workers.errors import describe_exit


def reason_of(error: Exception) -> str:
    """The text for a failed job."""
    if isinstance(error, WorkerFailed):
        return error.text
    if isinstance(error, ExecTimeout):
        return f"the job ran longer than exec_ttl ({error.limit:g} s), and its worker was killed"
    if isinstance(error, WorkerCrashed) and not error.garbage:
        text = f"the worker died: {describe_exit(error.exit_status)}"
        return f"{text}\n{error.stderr.strip()}" if error.stderr else text
    return str(error)
