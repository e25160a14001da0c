"""``rr serve`` on its own terminal: the visible output, and Ctrl-C."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from support.server import RR, completed, environment

_READY = " ready"
_CTRL_C = b"\x03"


class Terminal:
    """The server in ``folder``; ``with`` waits until it is ready, and stops it at the end.

    Args:
        env: in addition to ``TERM=xterm``.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], env: Mapping[str, str] | None = None) -> None:
        self.config = completed(config)
        self.timeout = 30.0
        (folder / ".rr.yaml").write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        self._folder = folder
        self._env = environment({"TERM": "xterm", **(env or {})})
        self._seen = b""
        self._master = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.config['http']['address']}"

    @property
    def text(self) -> str:
        """All output so far, unchanged."""
        return self._seen.decode().replace("\r\n", "\n")

    @property
    def plain(self) -> str:
        """All output so far, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.text)

    def wait_for(self, text: str) -> None:
        """Return once ``text`` was written (ignoring colours).

        Raises:
            AssertionError: the server has exited, or the time is over.
        """
        deadline = time.monotonic() + self.timeout
        while text not in self.plain:
            assert self._read(deadline), f"waiting for {text!r}: {self.plain}"

    def ctrl_c(self) -> int:
        """Press Ctrl-C and wait for the exit; return the exit code."""
        os.write(self._master, _CTRL_C)
        deadline = time.monotonic() + self.timeout
        while self._read(deadline):
            pass
        assert self._process is not None
        return self._process.wait(self.timeout)

    def _read(self, deadline: float) -> bool:
        """Wait for more output; False at its end."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # Linux raises EIO when the other side has closed
            return False
        self._seen += data
        return bool(data)

    def __enter__(self) -> Terminal:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [str(RR), "serve"],
            cwd=self._folder,
            env=self._env,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)
        try:
            self.wait_for(_READY)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(self.timeout)
        os.close(self._master)


def _take_terminal() -> None:
    """Make it the controlling terminal: only then Ctrl-C sends a signal."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
