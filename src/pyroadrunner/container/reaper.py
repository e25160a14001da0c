"""Reap orphans. As PID 1 of a container we become their parent, and they stay zombies until we wait for them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_EVERY_SECONDS = 1.0


def reap(is_child: Callable[[int], bool]) -> list[int]:
    """Reap exited children that the server did not start; return their pids.

    The owner of a child that the server started waits for its exit status, so ``WNOWAIT`` leaves it. Such a child hides
    later ones until its owner has reaped it; the next round finds them.
    """
    reaped: list[int] = []
    while True:
        try:
            seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # no children
            return reaped
        if seen is None or is_child(seen.si_pid):
            return reaped
        try:
            os.waitpid(seen.si_pid, os.WNOHANG)
        except ChildProcessError:  # reaped elsewhere meanwhile
            continue
        reaped.append(seen.si_pid)


async def reap_forever(is_child: Callable[[int], bool]) -> None:
    """Reap once a second. Not on SIGCHLD: the event loop uses that signal for the children it watches."""
    while True:
        reap(is_child)
        await asyncio.sleep(_EVERY_SECONDS)
