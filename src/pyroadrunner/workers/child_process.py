"""Child processes of the server: start one in its own process group, wait for its exit, kill the group.

Not asyncio's subprocesses: uvloop's cannot set user, group and process group without running Python between fork and
exec. ``subprocess`` can (in C). A pidfd on the event loop reports the exit; on systems without pidfds (macOS) a thread
waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyroadrunner.errors import RoadRunnerError

_children: set[int] = set()


def is_child(pid: int) -> bool:
    """Whether this module waits for the process's exit status. As PID 1 the server reaps all others."""
    return pid in _children


def kill_all(but: int = 0) -> None:
    """Send SIGKILL to the group of every child, when the server exits without cleaning up.

    Args:
        but: the pid of a child that keeps running.
    """
    for pid in _children - {but}:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


class UnknownUser(RoadRunnerError):
    """``user`` or ``group`` does not exist on this machine."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The user and groups of a child, as ids. ``None`` = those of the server."""

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None

    @classmethod
    def of(cls, user: str, group: str) -> Credentials:
        """Resolve the names in a config; numbers are used as they are.

        A user brings all its groups (RoadRunner drops the supplementary ones, and ignores ``group``).

        Raises:
            UnknownUser: no such user or group.
        """
        uid = gid = None
        groups: tuple[int, ...] | None = None
        if user:
            uid, name, gid = _user(user)
            groups = () if gid is None else tuple(os.getgrouplist(name, gid))
        if group:
            gid = _group(group)
        return cls(uid, gid, groups)


SERVER_CREDENTIALS = Credentials()


def _user(user: str) -> tuple[int, str, int | None]:
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        if user.isdecimal():
            return int(user), "", None
        raise UnknownUser(f"there is no user `{user}` on this machine") from None
    return entry.pw_uid, entry.pw_name, entry.pw_gid


def _group(group: str) -> int:
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise UnknownUser(f"there is no group `{group}` on this machine") from None


class Child:
    """One running child.

    Attributes:
        pid: its process id, which is also that of its group.
        exited: done with the exit code, or the negative number of a signal. Shield it when waiting.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._loop = asyncio.get_running_loop()
        self.pid = process.pid
        self.exited: asyncio.Future[int] = self._loop.create_future()
        _children.add(self.pid)
        self._watch()

    def __repr__(self) -> str:
        return f"Child(pid={self.pid}, {self.exited.result() if self.exited.done() else 'running'})"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the group of the child. Does nothing once the child has exited."""
        if not self.exited.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL to the group. Idempotent."""
        self.signal(signal.SIGKILL)

    async def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the exit status; ``None`` if the child still runs after ``timeout`` seconds. Safe to cancel."""
        await asyncio.wait([self.exited], timeout=timeout)
        return self.exited.result() if self.exited.done() else None

    def _watch(self) -> None:
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # kernels before 5.3, or a seccomp filter
                pidfd = os.pidfd_open(self.pid)
                self._loop.add_reader(pidfd, self._at_pidfd, pidfd)
                return
        threading.Thread(target=self._wait_in_thread, name=f"wait-{self.pid}", daemon=True).start()

    def _at_pidfd(self, pidfd: int) -> None:
        self._loop.remove_reader(pidfd)
        os.close(pidfd)
        self._ended(self._process.wait())

    def _wait_in_thread(self) -> None:
        status = self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop has closed
            self._loop.call_soon_threadsafe(self._ended, status)

    def _ended(self, status: int) -> None:
        # Processes left in its group (a shell's children, an orphaned daemon) hold our pipes open.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        _children.discard(self.pid)
        if not self.exited.done():
            self.exited.set_result(status)


def start_child(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
    credentials: Credentials = SERVER_CREDENTIALS,
    folder: str | None = None,
    pass_fds: Sequence[int] = (),
) -> Child:
    """Run a command in its own process group, so that signals of the terminal do not reach it.

    Args:
        command: program and arguments; the program is looked up in the PATH of ``env``.
        env: its whole environment.
        stdin, stdout, stderr: descriptors for it; the caller closes its own copies.
        credentials: its user and groups.
        folder: its working directory; ``None`` = that of the server.
        pass_fds: descriptors that it inherits under the same numbers.

    Raises:
        OSError: the program does not exist or is not executable, or the server may not change the user.
    """
    process = subprocess.Popen(
        list(command),
        env=dict(env),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=folder,
        pass_fds=pass_fds,
        process_group=0,
        user=credentials.uid,
        group=credentials.gid,
        extra_groups=list(credentials.groups) if credentials.groups is not None else None,
    )
    return Child(process)
