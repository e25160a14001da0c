"""A server's life: start everything, run until a signal or a failure, stop everything."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from pyroadrunner.container.container import Container
from pyroadrunner.container.orphans import reap_for_ever
from pyroadrunner.container.reload.endure import Endure
from pyroadrunner.container.signals import Signals
from pyroadrunner.container.systemd import notify, report_ready
from pyroadrunner.workers import children


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended: exit code 0 or 1, whether it is to start again, what failed first (``None``: it was asked to)."""

    code: int
    restart: bool
    failure: Exception | None


async def live(
    container: Container,
    endure: Endure,
    *,
    say: Callable[[str], None],
    on_ready: Callable[[], None],
    on_forced_exit: Callable[[], None],
    on_hang_up: Callable[[], Awaitable[None]],
    beside: tuple[Coroutine[Any, Any, None], ...] = (),
) -> Ending:
    """Start, run and stop. Raises nothing: what failed is in the :class:`Ending`.

    Args:
        endure: the section as it is at each moment.
        say: prints a line on stdout.
        on_ready: called when every plugin has started.
        on_forced_exit: called before a second signal ends the process.
        on_hang_up: called at each SIGHUP while it runs.
        beside: run from the start to the end and cancelled then.
    """

    def exit_now() -> None:
        """Without a clean-up. Workers see the end of their relay and leave by themselves."""
        on_forced_exit()
        logging.shutdown()  # writes the lines that are queued
        os._exit(1)

    signals = Signals(lambda: endure.config.grace_period, say, exit_now)
    signals.watch()
    tasks = [asyncio.create_task(coroutine) for coroutine in beside]
    if os.getpid() == 1:
        tasks.append(asyncio.create_task(reap_for_ever(children.is_ours), name="reap"))
    failure = await _until_stop(container.start(), signals)
    if failure is None and not signals.stop.is_set():
        on_ready()
        tasks.append(asyncio.create_task(report_ready(endure.config.watchdog_sec, say), name="systemd"))
        tasks.append(asyncio.create_task(_at_each(signals.hang_up, on_hang_up), name="reload"))
        failure = await _until_stop(container.failed(), signals)
    notify("STOPPING=1")
    errors = await container.stop(endure.config.grace_period)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    signals.unwatch()
    failure = failure or (errors[0] if errors else None)
    return Ending(1 if failure else 0, signals.restart and failure is None, failure)


async def _at_each(event: asyncio.Event, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await event.wait()
        event.clear()
        await act()


async def _until_stop(work: Coroutine[Any, Any, None], signals: Signals) -> Exception | None:
    """Let ``work`` run until it is done or a signal comes, which cancels it; what it raised, if anything."""
    task = asyncio.create_task(work)
    asked = asyncio.create_task(signals.stop.wait())
    await asyncio.wait([task, asked], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    task.cancel()  # does nothing to one that is done
    await asyncio.wait([task])
    if task.cancelled():
        return None
    error = task.exception()
    if error is None or isinstance(error, Exception):
        return error
    raise error
