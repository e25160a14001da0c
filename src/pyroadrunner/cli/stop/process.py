"""A process of this machine that is not our child: ask it to stop, wait for its exit."""

from __future__ import annotations

import os
import select
import signal
import time

from pyroadrunner.errors import RoadRunnerError

_EVERY_SECONDS = 0.05  # between two polls on systems without pidfd


class NotThere(RoadRunnerError):
    """No process has this id."""


class Process:
    """The process with this id. With pidfds (Linux), never a later process with the same id.

    Raises:
        NotThere
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._pidfd = -1
        try:
            os.kill(pid, 0)
            if hasattr(os, "pidfd_open"):
                self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            raise NotThere(f"no process has the PID {pid}") from None
        except OSError:  # another user's process, reported by terminate(); or a kernel before 5.3, or a seccomp filter
            pass

    def __repr__(self) -> str:
        return f"Process({self.pid})"

    def terminate(self) -> None:
        """Send SIGTERM. Does nothing if the process has exited.

        Raises:
            RoadRunnerError: the process belongs to another user.
        """
        try:
            if self._pidfd >= 0:
                signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)
            else:
                os.kill(self.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        except PermissionError:
            raise RoadRunnerError(f"the process {self.pid} belongs to another user; run rr stop as that user") from None

    def ended_within(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for the exit; return whether the process has exited."""
        if self._pidfd >= 0:
            return bool(select.select([self._pidfd], [], [], seconds)[0])
        until = time.monotonic() + seconds
        while _there(self.pid):
            if time.monotonic() >= until:
                return False
            time.sleep(_EVERY_SECONDS)
        return True


def _there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
