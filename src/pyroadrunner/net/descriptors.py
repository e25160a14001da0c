"""The limit of open files of this process, and how it is divided.

Each connection takes a descriptor. Without a free descriptor nothing works, from starting a worker to writing the log.
So each listener accepts only a share of them; further connections wait in the backlog.
"""

from __future__ import annotations

import resource
import sys

_ENOUGH = 1 << 20  # a higher limit brings nothing, and some child programs iterate over all possible descriptors
_MACOS_MOST = 10_240  # OPEN_MAX: setrlimit there refuses more, whatever the hard limit says
_LEAST = 64


def raise_limit() -> None:
    """Raise the soft limit of this process and its children to the hard limit: the soft limit (often 1024) is meant for
    programs that use ``select``. Go programs do so since 1.19, and restore the old limit for their children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most(hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        pass  # a sandbox forbids it: the current limit stays


def most(hard: int) -> int:
    """The limit that :func:`raise_limit` sets for a hard limit. Pure."""
    enough = _ENOUGH if sys.platform != "darwin" else _MACOS_MOST
    return enough if hard == resource.RLIM_INFINITY else min(hard, enough)


def share(part: int) -> int:
    """The current limit divided by ``part``, at least 64."""
    return max(_LEAST, most(resource.getrlimit(resource.RLIMIT_NOFILE)[0]) // part)
