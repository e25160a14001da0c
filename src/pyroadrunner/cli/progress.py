"""Show on stderr what a command waits for: one changing line on a terminal, else a line every few seconds."""

from __future__ import annotations

import shutil
import sys
import time

from pyroadrunner.cli.console import complain, on_terminal
from pyroadrunner.cli.workers.box_drawing import cut

_FIRST_AFTER, _NEXT_AFTER = 1.0, 5.0  # seconds between lines if stderr is no terminal

_START_OF_LINE = "\r\x1b[K"


class Progress:
    """Progress output. Call :meth:`clear` at the end.

    Attributes:
        live: whether stderr is a terminal, where a line can change.
    """

    def __init__(self) -> None:
        self.live = on_terminal(sys.stderr)
        self._due = time.monotonic() + (0.0 if self.live else _FIRST_AFTER)

    @property
    def due(self) -> bool:
        """Whether it is time for the next line."""
        return time.monotonic() >= self._due

    def show(self, text: str) -> None:
        if self.live:
            sys.stderr.write(_START_OF_LINE + cut(text, shutil.get_terminal_size().columns - 1))
            sys.stderr.flush()
        else:
            complain(text, plain=True)
            self._due = time.monotonic() + _NEXT_AFTER

    def clear(self) -> None:
        """Idempotent."""
        if self.live:
            sys.stderr.write(_START_OF_LINE)
            sys.stderr.flush()
