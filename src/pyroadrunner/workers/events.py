"""Events of a pool and its subscribers: workers start and exit, a reset begins and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyroadrunner.log import Log

log = Log("server")


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A worker has said hello and takes calls."""

    pool: str
    pid: int


@dataclass(frozen=True, slots=True)
class WorkerGone:
    """The process of a worker has ended.

    Attributes:
        cause: the name of the first state in which it took no more calls: ``maxJobsReached``, ``ttlReached``,
            ``invalid`` (reset, or removed), ``execTTLReached``, ``errored``, ``stopping``...
        exit_status: exit code, or the negative number of a signal.
    """

    pool: str
    pid: int
    cause: str
    exit_status: int


@dataclass(frozen=True, slots=True)
class ResetBegan:
    """The pool starts new workers in place of all old ones."""

    pool: str


@dataclass(frozen=True, slots=True)
class ResetEnded:
    """The new workers serve and the old ones have exited; or the new ones failed to start.

    Attributes:
        error: why the old workers stayed; empty if they were replaced.
    """

    pool: str
    error: str = ""


PoolEvent = WorkerReady | WorkerGone | ResetBegan | ResetEnded
Listener = Callable[[PoolEvent], None]


class Subscribers:
    """Passes events to subscribers, in the order in which they happen."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def __repr__(self) -> str:
        return f"Subscribers({len(self._listeners)})"

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each event from now on.

        Returns:
            a function that ends the subscription; idempotent.
        """
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def emit(self, event: PoolEvent) -> None:
        """Call every subscriber. One that raises is logged; the others are still called."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:
                log.error("a listener of pool events failed", event=type(event).__name__, error=repr(error))
