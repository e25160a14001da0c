"""Which process is the server: named so that another one of this machine can tell whether it sees the same."""

from __future__ import annotations

import os


def identity_of(pid: int) -> str:
    """The machine since its last boot, and when the process was started; empty where that can't be told (macOS), or
    there is no such process. With it, a process id of another container is not taken for one of ours."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot, open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()  # the name before it may hold blanks
            return f"{boot.read().strip()}:{int(fields[19])}"  # starttime: proc(5), field 22
    except (OSError, IndexError, ValueError):
        return ""


class ServerProcess:
    """The process that users know as the server, from inside of it or of its stand-in.

    Args:
        stand_in: whether this process stands in for its parent, which is the server then.
    """

    def __init__(self, *, stand_in: bool) -> None:
        self._parent = os.getppid() if stand_in else 0

    @property
    def pid(self) -> int:
        """As of now: a stand-in whose parent has died is on its own."""
        return self._parent if self._parent and os.getppid() == self._parent else os.getpid()
