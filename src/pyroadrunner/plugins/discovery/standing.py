"""How this server stands with its registry: one state out of the states of its tasks, one log line per change.

An outage breaks both the registration and the reading; it is logged once, and once more when both work again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from enum import Enum

from pyroadrunner.log import Log

log = Log("discovery")


class State(Enum):
    """The state of a task, or of all of them; the later ones outweigh the earlier ones."""

    REGISTERED = "registered"
    CONNECTED = "connected"
    CONNECTING = "connecting"
    TAKEN = "id taken"
    FAILED = "failed"


_ORDER = list(State)
_GOOD = (State.REGISTERED, State.CONNECTED)


class Standing:
    """The states of the tasks.

    Args:
        names: of the registry, the cluster and the server, for the log.
        parts: names of the tasks.
        goal: the state when all works: ``REGISTERED``, or ``CONNECTED`` if the registry is only read.
    """

    def __init__(self, names: Mapping[str, str], parts: Collection[str], goal: State) -> None:
        self._names = dict(names)
        self._goal = goal
        self._parts = dict.fromkeys(parts, (State.CONNECTING, ""))
        self._logged = (State.CONNECTING, False)

    def __repr__(self) -> str:
        return f"Standing({self.message() or self.state.value})"

    def add(self, part: str) -> None:
        """There is one more task."""
        self._parts[part] = (State.CONNECTING, "")

    @property
    def state(self) -> State:
        return self._worst()[0]

    @property
    def error(self) -> str:
        """The reason of the last failure; empty = none."""
        return self._worst()[1]

    def message(self) -> str:
        """For operators; empty = all is well."""
        state, error = self._worst()
        if state in _GOOD:
            return ""
        return f"{state.value}: {error}" if error else state.value

    def good(self, part: str) -> None:
        """A task has succeeded."""
        self._set(part, self._goal, "")

    def bad(self, part: str, state: State, error: str) -> None:
        """A task has failed, and tries again."""
        self._set(part, state, error)

    def _set(self, part: str, state: State, error: str) -> None:
        self._parts[part] = (state, error)
        now, why = self._worst()
        if (now, bool(why)) == self._logged:
            return
        was, self._logged = self._logged, (now, bool(why))
        if now in _GOOD:
            again = " again" if was[1] else ""
            text = "server is registered" if now is State.REGISTERED else "registry is read"
            log.info(f"{text}{again}", **self._names)
        elif why:
            log.write(_LEVELS[now], _TEXTS[now], {**self._names, "error": why})

    def _worst(self) -> tuple[State, str]:
        return max(self._parts.values(), key=lambda one: (_ORDER.index(one[0]), bool(one[1])))


_LEVELS = {State.CONNECTING: logging.WARNING, State.TAKEN: logging.ERROR, State.FAILED: logging.ERROR}
_TEXTS = {
    State.CONNECTING: "registry does not answer; requests are not affected, and the server tries again",
    State.TAKEN: "server is not registered: its id is taken",
    State.FAILED: "registry refuses the server; it tries again",
}
