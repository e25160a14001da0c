"""Identify the server process, so that another process can check whether a pid means the same process to both."""

from __future__ import annotations

import os


def identity_of(pid: int) -> str:
    """Boot id of the machine and start time of the process; empty if unknown (macOS) or if the process does not exist.
    It tells a pid of another container from one of ours."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot, open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()  # the name before it may contain spaces
            return f"{boot.read().strip()}:{int(fields[19])}"  # starttime: proc(5), field 22
    except (OSError, IndexError, ValueError):
        return ""


class ServerProcess:
    """The process that users know as the server, seen from itself or from its stand-in.

    Args:
        stand_in: whether this process is a stand-in. Then its parent is the server.
    """

    def __init__(self, *, stand_in: bool) -> None:
        self._parent = os.getppid() if stand_in else 0

    @property
    def pid(self) -> int:
        """The current pid: a stand-in whose parent has exited is the server itself."""
        return self._parent if self._parent and os.getppid() == self._parent else os.getpid()
