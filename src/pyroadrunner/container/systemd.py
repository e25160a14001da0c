"""Notify systemd (sd_notify): send datagrams to its socket. Does nothing if systemd did not start us."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import socket
import time
from collections.abc import Callable, MutableMapping

from pyroadrunner.log import Log

_STDERR = 2  # the descriptor: `sys.stderr` may have been replaced

_log = Log("endure")


class ServiceManager:
    """The service manager that started this process, if any.

    Attributes:
        watchdog_seconds: interval of the keep-alive messages; 0 = none.
    """

    def __init__(self) -> None:
        self.watchdog_seconds = 0.0
        self._address = ""

    def __repr__(self) -> str:
        return f"ServiceManager({self._address!r}, watchdog={self.watchdog_seconds})"

    def connect(self, env: MutableMapping[str, str]) -> None:
        """Read its address from the environment and remove the variables: they are for this process only, and a library
        that finds them (h2corn) would send READY before everything has started.

        (sd_notify(3): ``NOTIFY_SOCKET`` is a path, or ``@`` and the name of an abstract socket. sd_watchdog_enabled(3):
        ``WATCHDOG_USEC`` is the time after which a silent process is killed; half of it is a good interval.)
        """
        address = env.pop("NOTIFY_SOCKET", "")
        limit, pid = env.pop("WATCHDOG_USEC", ""), env.pop("WATCHDOG_PID", "")
        self._address = "\0" + address[1:] if address[:1] == "@" else address
        if limit.isdecimal() and pid in ("", str(os.getpid())):
            self.watchdog_seconds = int(limit) / 2e6

    def notify(self, state: str) -> bool:
        """Send a state such as ``READY=1``; return whether it was sent. Never raises, never blocks."""
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
        """Report the begin of a reload; ``READY=1`` ends it. With ``Type=notify-reload`` systemd waits for both."""
        self.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


manager = ServiceManager()  # one per process


async def report_ready(watchdog_seconds: float, say: Callable[[str], None]) -> None:
    """Report that the server is ready; then, with a watchdog, send keep-alive messages until cancelled.

    Args:
        watchdog_seconds: interval; 0 = the interval of systemd.
    """
    if not manager.notify("READY=1"):
        return
    say("[INFO] sdnotify: notified")
    seconds = watchdog_seconds or manager.watchdog_seconds
    if seconds > 0:
        say(f"[INFO] sdnotify: watchdog enabled, timeout: {seconds:g} seconds")
        await keep_alive(seconds)


async def keep_alive(seconds: float) -> None:
    """Send keep-alive messages until cancelled; a stuck loop sends none.

    Shortly before systemd kills a stuck process, its stack goes to stderr. A thread of ``faulthandler`` writes it,
    since it needs neither the loop nor the GIL. Nothing else could still show where the loop is stuck.
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
