"""Counters of the plugin. Pure."""

from __future__ import annotations


class Figures:
    """Counts.

    Attributes:
        attempts: by task and outcome.
        commands: by outcome.
    """

    def __init__(self) -> None:
        self.attempts: dict[tuple[str, str], int] = {}
        self.commands: dict[str, int] = {}

    def count(self, part: str, *, good: bool) -> None:
        key = (part, "ok" if good else "failed")
        self.attempts[key] = self.attempts.get(key, 0) + 1

    def command(self, outcome: str) -> None:
        """A command was ``done``, has ``failed``, or was ``refused``."""
        self.commands[outcome] = self.commands.get(outcome, 0) + 1
