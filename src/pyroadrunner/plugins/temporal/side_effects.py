"""Side effects: the engine has no command for them, so each is a local activity that returns its argument. Pure.

PHP does not run the closure of a side effect while it replays: it sends no value, and the history has it. So the
argument is a placeholder then. The history may lack the value: if a run is evicted while the local activity is open,
its task may be completed without the marker. Then the engine executes the placeholder. It fails; the task fails with
it, and the run and the length of its history are remembered: when the task is tried again, PHP is not told that it
replays this one activation, so that it runs the closure.
"""

from __future__ import annotations

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure

from pyroadrunner.plugins.temporal.failures import application

ACTIVITY = "__rr_side_effect"
_ENCODING = b"rr/placeholder"
_TYPE = "rr.SideEffectWithoutValue"


def placeholder(history_length: int) -> Payload:
    """The argument in a replay."""
    return Payload(metadata={"encoding": _ENCODING}, data=str(history_length).encode())


def failure_of(argument: Payload) -> Failure | None:
    """Why a side effect can't be executed; ``None`` if it can."""
    if argument.metadata.get("encoding") != _ENCODING:
        return None
    return application(argument.data.decode(), _TYPE, non_retryable=True)


def missing_value(failure: Failure) -> int | None:
    """The length of the history at which the value of a side effect is missing, if that is what a failure says."""
    while True:
        if failure.HasField("application_failure_info") and failure.application_failure_info.type == _TYPE:
            return int(failure.message)
        if not failure.HasField("cause"):
            return None
        failure = failure.cause


class Reevaluations:
    """Activations whose side effects PHP must compute although they are replayed.

    Args:
        limit: most runs; the oldest are forgotten, which costs them one more failed task.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._lengths: dict[str, set[int]] = {}
        self._limit = limit

    def add(self, run_id: str, history_length: int) -> None:
        self._lengths.setdefault(run_id, set()).add(history_length)
        if len(self._lengths) > self._limit:
            del self._lengths[next(iter(self._lengths))]

    def forget(self, run_id: str) -> None:
        """The run has ended."""
        self._lengths.pop(run_id, None)

    def needed(self, run_id: str, history_length: int) -> bool:
        return history_length in self._lengths.get(run_id, ())
