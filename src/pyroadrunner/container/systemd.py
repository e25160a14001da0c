"""What systemd is told (sd_notify): a datagram to the socket it names. Nothing happens where it is not there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from pyroadrunner.log import Log

_log = Log("endure")


def notify(state: str) -> bool:
    """Tell systemd a state such as ``READY=1``; whether it was told. Never raises, never blocks.

    (sd_notify(3): ``NOTIFY_SOCKET`` is a path, or ``@`` and the name of an abstract socket.)
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address[0] == "@":
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(state.encode(), socket.MSG_DONTWAIT, address)
    except OSError as wrong:
        _log.warning("systemd could not be notified", state=state, error=str(wrong))
        return False
    return True


async def report_ready(watchdog_seconds: int, say: Callable[[str], None]) -> None:
    """Tell that the server is ready; then, with a watchdog, that it is alive, until cancelled."""
    if not notify("READY=1"):
        return
    say("[INFO] sdnotify: notified")
    if watchdog_seconds > 0:
        say(f"[INFO] sdnotify: watchdog enabled, timeout: {watchdog_seconds} seconds")
        while True:
            notify("WATCHDOG=1")
            await asyncio.sleep(watchdog_seconds)
