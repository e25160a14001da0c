"""Numbers of commands, which become the ids of timers and activities in histories. Pure.

RoadRunner's engine takes the id that the event of a command will have: that of the task's start, plus 2, plus the
number of commands before it in the task. With the same numbers, runs that it has started continue here. Commands
without an event, and those that a replay does not see again (a refused update), are not counted. Neither are markers:
they differ between the engines, and a removed ``GetVersion`` must not change the ids behind it. Local activities have
numbers of their own for the same reason: tasks that only waited for them are missing in a replay.
"""

from __future__ import annotations


class Sequence:
    """The numbers of one run."""

    def __init__(self) -> None:
        self._last = 0
        self._last_local = 0
        self._started = -1
        self._commands = 0

    def __repr__(self) -> str:
        return f"Sequence(last={self._last}, started={self._started}, commands={self._commands})"

    def begin(self, history_length: int) -> None:
        """An activation begins. A task may have several: they have the same length of the history."""
        if history_length != self._started:
            self._started = history_length
            self._commands = 0

    def count(self) -> None:
        """A command with an event was added."""
        self._commands += 1

    def next(self) -> int:
        """The number of the next command. :meth:`count` follows when it was added."""
        self._last = max(self._last + 1, self._started + 2 + self._commands)
        return self._last

    def next_local(self) -> int:
        """The number of the next local activity."""
        self._last_local += 1
        return self._last_local
