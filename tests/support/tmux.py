"""A program in a real terminal: tmux runs it, types keys, and reads the screen."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from support.programs import require
from support.server import environment

_PATIENCE = 60.0  # seconds until a wait fails


class Tmux:
    """``command`` in a terminal of its own, until the ``with`` ends. Skips the test if tmux is not installed.

    Args:
        folder: the working directory.
        size: columns and lines.
        env: added to the environment.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        size: tuple[int, int] = (120, 32),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._sockets = TemporaryDirectory(prefix="tmux-")  # a short path, and a tmux of its own for each test
        self._tmux = [require("tmux"), "-S", f"{self._sockets.name}/socket", "-f", os.devnull]
        self._folder = folder
        self._command = command
        self._size = size
        self._env = environment({"LANG": "C.UTF-8", "TERM": "screen-256color", **(env or {})})

    def keys(self, *keys: str) -> None:
        """Press keys: characters, or tmux's names (``Enter``, ``Escape``, ``Down``, ``C-c``)."""
        self._run("send-keys", "-t", "0", *keys)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the terminal."""
        self._run("resize-window", "-t", "0", "-x", str(columns), "-y", str(lines))

    def screen(self, *, colours: bool = False) -> str:
        """The text on the screen.

        Args:
            colours: with the escape sequences that set them.
        """
        return self._run("capture-pane", "-p", "-t", "0", *(["-e"] if colours else []))

    def wait_for(self, *texts: str) -> str:
        """Return the screen once it has all texts."""
        return self.wait_until(lambda screen: all(text in screen for text in texts), " and ".join(map(repr, texts)))

    def wait_without(self, text: str) -> str:
        """Return the screen once the text is gone."""
        return self.wait_until(lambda screen: text not in screen, f"the end of {text!r}")

    def wait_until(self, condition: Callable[[str], bool], what: str) -> str:
        """Return the screen once the condition holds for it."""
        deadline = time.monotonic() + _PATIENCE
        while not condition(screen := self.screen()):
            assert time.monotonic() < deadline, f"waiting for {what}:\n{screen}"
            time.sleep(0.05)
        return screen

    def process(self) -> int:
        """The pid of the program."""
        return int(self._run("display-message", "-p", "-t", "0", "#{pane_pid}"))

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._tmux, *arguments], cwd=self._folder, env=self._env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __enter__(self) -> Tmux:
        # The shell stays, also after Ctrl-C, so that the screen after the exit can be read.
        columns, lines = self._size
        line = f"trap : INT; {shlex.join(self._command)}; echo exit code $?; exec sleep 600"
        self._run("new-session", "-d", "-x", str(columns), "-y", str(lines), "sh", "-c", line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run([*self._tmux, "kill-server"], env=self._env, capture_output=True)
        self._sockets.cleanup()
