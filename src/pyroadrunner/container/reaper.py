"""As PID 1 of a container every orphan becomes our child, and stays a zombie until we ask for its exit status."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_EVERY_SECONDS = 1.0


def reap(is_child: Callable[[int], bool]) -> list[int]:
    """Take the exit status of every dead child that is not ours; returns their pids.

    The status of a child the server started is somebody's to wait for: it is looked at (``WNOWAIT``) and left. Such a
    child hides those behind it, until its owner has taken it: then the next round finds them.
    """
    reaped: list[int] = []
    while True:
        try:
            seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # there are no children
            return reaped
        if seen is None or is_child(seen.si_pid):
            return reaped
        try:
            os.waitpid(seen.si_pid, os.WNOHANG)
        except ChildProcessError:  # somebody was faster
            continue
        reaped.append(seen.si_pid)


async def reap_forever(is_child: Callable[[int], bool]) -> None:
    """Reap once a second. Not on SIGCHLD: that signal is the loop's own, for the children it watches."""
    while True:
        reap(is_child)
        await asyncio.sleep(_EVERY_SECONDS)
