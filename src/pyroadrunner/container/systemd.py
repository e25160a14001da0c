"""What systemd is told (sd_notify): a datagram to the socket it names. Nothing happens where it is not there."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import socket
import time
from collections.abc import Callable, MutableMapping

from pyroadrunner.log import Log

_STDERR = 2  # its descriptor: `sys.stderr` may have been replaced

_log = Log("endure")


class ServiceManager:
    """The service manager that started us, if any.

    Attributes:
        watchdog_seconds: how often it wants to hear that we live; 0 = not at all.
    """

    def __init__(self) -> None:
        self.watchdog_seconds = 0.0
        self._address = ""

    def __repr__(self) -> str:
        return f"ServiceManager({self._address!r}, watchdog={self.watchdog_seconds})"

    def connect(self, env: MutableMapping[str, str]) -> None:
        """Learn where it listens. The variables are taken out of the environment: they are for this process alone, and
        a library that finds them (h2corn) would say READY before everything has started.

        (sd_notify(3): ``NOTIFY_SOCKET`` is a path, or ``@`` and the name of an abstract socket. sd_watchdog_enabled(3):
        ``WATCHDOG_USEC`` is after how long a silent process is killed; half of it is a good interval.)
        """
        address = env.pop("NOTIFY_SOCKET", "")
        limit, pid = env.pop("WATCHDOG_USEC", ""), env.pop("WATCHDOG_PID", "")
        self._address = "\0" + address[1:] if address[:1] == "@" else address
        if limit.isdecimal() and pid in ("", str(os.getpid())):
            self.watchdog_seconds = int(limit) / 2e6

    def notify(self, state: str) -> bool:
        """Tell a state such as ``READY=1``; whether it was told. Never raises, never blocks."""
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto(state.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError as wrong:
            _log.warning("systemd could not be notified", state=state, error=str(wrong))
            return False
        return True

    def reloading(self) -> None:
        """A reload begins; ``READY=1`` ends it. With ``Type=notify-reload`` systemd waits for both."""
        self.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


manager = ServiceManager()  # there is one for a process, as there is one environment


async def report_ready(watchdog_seconds: float, say: Callable[[str], None]) -> None:
    """Tell that the server is ready; then, with a watchdog, that it is alive, until cancelled.

    Args:
        watchdog_seconds: 0 = as often as systemd wants.
    """
    if not manager.notify("READY=1"):
        return
    say("[INFO] sdnotify: notified")
    seconds = watchdog_seconds or manager.watchdog_seconds
    if seconds > 0:
        say(f"[INFO] sdnotify: watchdog enabled, timeout: {seconds:g} seconds")
        await keep_alive(seconds)


async def keep_alive(seconds: float) -> None:
    """Say that we live, until cancelled: a loop that is stuck does not.

    Shortly before systemd kills a stuck one, its stack goes to stderr. A thread of ``faulthandler`` writes it, which
    needs neither the loop nor the interpreter's lock; nothing else could tell any more where the loop stands.
    """
    limit = manager.watchdog_seconds * 2
    try:
        while True:
            manager.notify("WATCHDOG=1")
            if limit:
                faulthandler.dump_traceback_later((min(seconds, limit) + limit) / 2, file=_STDERR)
            await asyncio.sleep(seconds)
    finally:
        faulthandler.cancel_dump_traceback_later()
