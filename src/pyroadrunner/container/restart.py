"""SIGUSR2: replace this process by a new one with the same process id, without interrupting requests.

Theory of operation. systemd, Docker (where it is 1), Laravel Octane and `.pid` know our process id. Only exec keeps it,
but exec ends all workers and connections. So a child stands in meanwhile:

1. The server starts a *stand-in*: the same command in the same environment, with the config as it is now. It boots
   workers of its own, takes over the addresses (``net/takeover.py``) and reports that it is ready. If it fails, it
   reports the reason and the server keeps running.
2. The server lets its connections end, stops in order, and executes itself: the *successor*.
3. The successor boots, takes over the addresses from the stand-in and closes the channel between the two. The
   stand-in sees the end of the channel, lets its connections end and exits. It does the same if the process it stands
   in for dies.

The stand-in prints nothing on stdout, writes no `.pid` and does not notify systemd.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from pyroadrunner import installation
from pyroadrunner.container.signals import STOP
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log
from pyroadrunner.net import activation, takeover
from pyroadrunner.workers.child_process import Child, start_child

_STAND_IN = "PYROADRUNNER_STAND_IN"  # descriptor of the channel
_SUCCESSOR = "PYROADRUNNER_SUCCESSOR"  # the same, and the process id of the stand-in
_SOCKETS = "PYROADRUNNER_SOCKETS"  # descriptors and names of sockets passed to us
_SIGNALS = "PYROADRUNNER_SIGNALS"  # descriptor of a pipe: numbers of signals that came right before exec
_MANAGER = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_LISTEN = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
_EVERY_SECONDS = 0.2  # between two checks whether the stand-in has exited
_MOST_TEXT = 1 << 16  # bytes of a stand-in's message

_log = Log("endure")


class RestartFailed(RoadRunnerError):
    """The stand-in failed to start; the old server keeps running."""


@dataclass(frozen=True)
class LaunchContext:
    """Folder and environment at the start, for re-executing the process: dotenv files and ``-w`` change them."""

    folder: str
    env: Mapping[str, str]

    @property
    def command(self) -> list[str]:
        return installation.command(installation.file(), sys.executable, sys.orig_argv)

    def environment(self, *, without: Sequence[str] = (), **more: str) -> dict[str, str]:
        kept = {name: value for name, value in self.env.items() if name not in (*_LISTEN, *without)}
        sockets = ":".join(f"{one.fd}={one.name}" for one in activation.received())
        return {**kept, **more, **({_SOCKETS: sockets} if sockets else {})}

    def start_again(self, stand_in: StandIn | None) -> None:
        """Re-execute the process with the same id, arguments, folder and environment; it reads the config again. Does
        not return.

        Raises:
            RoadRunnerError: exec failed.
        """
        more = {} if stand_in is None else {_SUCCESSOR: f"{stand_in.channel.fileno()}={stand_in.pid}"}
        fds = [one.fd for one in activation.received()] + ([] if stand_in is None else [stand_in.channel.fileno()])
        # No Python handler sees a signal that a thread of an extension takes while exec begins. The interpreter's own C
        # handler writes its number to this pipe at once.
        caught, catching = os.pipe()
        os.set_blocking(catching, False)
        signal.set_wakeup_fd(catching, warn_on_full_buffer=False)
        more[_SIGNALS] = str(caught)
        fds.append(caught)
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # until the successor has handlers: the default would end it
        try:
            for fd in fds:
                os.set_inheritable(fd, True)
            os.chdir(self.folder)
            os.execve(self.command[0], self.command, self.environment(**more))
        except OSError as wrong:
            raise RoadRunnerError(f"restart failed: {wrong}") from wrong


class Role:
    """The role of this process: the first server, a stand-in, or the successor that replaces a stand-in.

    Attributes:
        stand_in: whether it is a stand-in.
    """

    def __init__(self, channel: socket.socket | None = None, *, replaces: int = 0) -> None:
        self.stand_in = channel is not None and not replaces
        self._channel = channel
        self._replaces = replaces
        self._reaped = False  # from then on another process may have its id

    def __repr__(self) -> str:
        return f"Role({'stand-in' if self.stand_in else f'replaces {self._replaces}' if self._replaces else 'first'})"

    @classmethod
    def of(cls, env: MutableMapping[str, str]) -> Role:
        """Read the role from the environment and remove its variables."""
        stand_in, successor, sockets = (env.pop(name, "") for name in (_STAND_IN, _SUCCESSOR, _SOCKETS))
        _repeat_signals(env.pop(_SIGNALS, ""))
        for one in sockets.split(":") if sockets else ():
            fd, _, name = one.partition("=")
            activation.adopt(int(fd), name)
        if not stand_in and not successor:
            return cls()
        fd, _, pid = (successor or stand_in).partition("=")
        os.set_inheritable(int(fd), False)
        channel = socket.socket(fileno=int(fd))
        channel.setblocking(False)
        takeover.begin()
        return cls(channel, replaces=int(pid or 0))

    @property
    def successor(self) -> bool:
        return self._replaces > 0

    async def ready(self) -> None:
        """Report that everything has started and new connections arrive here."""
        await takeover.complete()
        if self._channel is None:
            return
        if self.stand_in:
            self._send(ready=True)
        else:
            self._channel.close()
            self._channel = None

    def failed(self, why: str) -> None:
        """As a stand-in: report to the server why the start failed."""
        self._send(failed=why)

    def _send(self, **words: object) -> None:
        if self._channel is not None:
            try:
                self._channel.send(json.dumps(words).encode()[:_MOST_TEXT] + b"\n")
            except OSError:  # the server has exited, which `wait_until_released` notices
                pass

    async def wait_until_released(self) -> None:
        """As a stand-in: wait until the server no longer needs it."""
        if self._channel is not None and self.stand_in:
            try:
                await asyncio.get_running_loop().sock_recv(self._channel, 1)
            except OSError:
                pass
        else:
            await asyncio.Event().wait()

    async def reap(self) -> None:
        """As a successor: reap the stand-in, which is a child of our process id."""
        while self._replaced_runs():  # noqa: ASYNC110 - the program before exec started it
            await asyncio.sleep(_EVERY_SECONDS)

    def stop_replaced(self) -> None:
        """As a successor that stops: ask the stand-in, which may still have requests, to stop too.

        The second call asks it to stop immediately.
        """
        if self._replaced_runs():
            os.kill(self._replaces, signal.SIGTERM)

    async def wait_replaced(self, grace: float) -> None:
        """As a successor that stops: wait until the stand-in has exited.

        Our supervisor (systemd, a container) kills all remaining processes once we have exited. A stand-in that still
        runs after ``grace`` seconds is killed.
        """
        try:
            async with asyncio.timeout(grace):
                await self.reap()
        except TimeoutError:
            if self._replaced_runs():
                os.kill(self._replaces, signal.SIGKILL)

    def _replaced_runs(self) -> bool:
        if self._replaces and not self._reaped:
            self._reaped = _ended(self._replaces)
        return self._replaces > 0 and not self._reaped


def _repeat_signals(pipe: str) -> None:
    """Raise stop signals that came right before exec once more; they stay pending until ``Signals.watch``.

    Args:
        pipe: number of the descriptor that has them; empty = there was no exec.
    """
    if not pipe:
        return
    os.set_blocking(int(pipe), False)
    with open(int(pipe), "rb", buffering=0) as caught:
        numbers = caught.read(1024) or b""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    for number in STOP:
        if number in numbers:
            signal.raise_signal(number)


def _ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:  # already reaped, as PID 1
        return True


class StandIn:
    """A child process that serves while this process restarts.

    Attributes:
        channel: closing it releases the stand-in.
        pid: its process id.
    """

    def __init__(self, channel: socket.socket, child: Child) -> None:
        self.channel = channel
        self.pid = child.pid
        self._child = child

    def __repr__(self) -> str:
        return f"StandIn({self._child!r})"

    @classmethod
    def start(cls, origin: LaunchContext) -> StandIn:
        """Start the stand-in. It may take over the addresses before :meth:`come_up` returns, so from here on it must be
        stopped gracefully.

        Raises:
            RestartFailed: the process can't be started.
        """
        takeover.allow_takeover()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                env = origin.environment(without=_MANAGER, **{_STAND_IN: str(theirs.fileno())})
                fds = [theirs.fileno(), *(one.fd for one in activation.received())]
                child = start_child(origin.command, env=env, folder=origin.folder, pass_fds=fds, stdout=1, stderr=2)
        except OSError as wrong:
            ours.close()
            takeover.allow_takeover(on=False)
            raise RestartFailed(f"{origin.command[0]}: {wrong.strerror or wrong}") from wrong
        return cls(ours, child)

    async def come_up(self) -> None:
        """Wait until it accepts new connections. A cancellation does not affect the stand-in.

        Raises:
            RestartFailed: it failed to start and has exited; the text contains its message.
        """
        words = await _line(self.channel)
        if words.get("ready"):
            return
        status = await self._child.wait(10.0)
        await self.release(0.0)
        takeover.allow_takeover(on=False)
        raise RestartFailed(str(words.get("failed") or f"the new process ended, exit status {status}"))

    def stop(self) -> None:
        """Ask it to stop together with the server. The second call asks it to stop immediately."""
        self._child.signal(signal.SIGTERM)

    async def release(self, grace: float) -> None:
        """Release it, and wait until it has exited; it is killed if it still runs after ``grace`` seconds."""
        self.channel.close()
        if await self._child.wait(grace) is None:
            self._child.kill()
            await self._child.wait()


async def _line(channel: socket.socket) -> dict[str, object]:
    """Read the next message; empty if the other side has closed the channel."""
    loop = asyncio.get_running_loop()
    data = b""
    while not data.endswith(b"\n"):
        try:
            more = await loop.sock_recv(channel, _MOST_TEXT)
        except OSError:
            more = b""
        if not more:
            return {}
        data += more
    try:
        words: dict[str, object] = json.loads(data)
    except ValueError:  # a truncated message
        return {"failed": data.decode(errors="replace")}
    return words
