"""How many files and connections this process may have open, and who may have how many of them.

Each connection takes one. When they are used up nothing works any more, from the next worker to the log: so the doors
stop a good deal before, and who comes then waits in the kernel's queue.
"""

from __future__ import annotations

import resource
import sys

_ENOUGH = 1 << 20  # a limit that is higher brings nothing, and some programs we start walk through all of it
_MACOS_MOST = 10_240  # OPEN_MAX: setrlimit there refuses more, whatever the hard limit says
_LEAST = 64


def raise_limit() -> None:
    """Let this process and its children have as many as they may ask for: the limit that is in force (often 1024) is
    that of programs from the time of ``select``. Go programs do so since 1.19, and give their children the old one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most(hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        pass  # a sandbox that does not allow it: what there is has to do


def most(hard: int) -> int:
    """What :func:`raise_limit` makes of a hard limit. Pure."""
    enough = _ENOUGH if sys.platform != "darwin" else _MACOS_MOST
    return enough if hard == resource.RLIM_INFINITY else min(hard, enough)


def share(part: int) -> int:
    """One of so many parts of what this process may have open, 64 at least."""
    return max(_LEAST, most(resource.getrlimit(resource.RLIMIT_NOFILE)[0]) // part)
