"""A server's life: start everything, run until a signal or a failure, stop everything."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from pyroadrunner import temporary_files
from pyroadrunner.container.container import Container
from pyroadrunner.container.promises import keeping
from pyroadrunner.container.reaper import reap_forever
from pyroadrunner.container.reload.endure import Endure
from pyroadrunner.container.restart import LaunchContext, RestartFailed, Role, StandIn
from pyroadrunner.container.signals import Signals
from pyroadrunner.container.systemd import keep_alive, manager, report_ready
from pyroadrunner.contracts import HasConnections
from pyroadrunner.log import Log
from pyroadrunner.net import activation
from pyroadrunner.workers import child_process

_log = Log("endure")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended.

    Attributes:
        code: exit code, 0 or 1.
        failure: what failed first; ``None``: it was asked to end.
        restart: whether it is to start again.
        stand_in: who serves meanwhile.
    """

    code: int
    failure: Exception | None
    restart: bool = False
    stand_in: StandIn | None = None


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What a server's life needs of whoever runs it.

    Attributes:
        say: prints a line on stdout.
        on_ready: called when every plugin has started.
        on_forced_exit: called before a second signal ends the process.
        on_hang_up: called at each SIGHUP while it runs.
        origin: how to start it again.
        role: what it is in a hand-over.
        background: run from the start to the end and cancelled then.
    """

    say: Callable[[str], None]
    on_ready: Callable[[], None]
    on_forced_exit: Callable[[], None]
    on_hang_up: Callable[[], Awaitable[None]]
    origin: LaunchContext
    role: Role
    background: Sequence[Coroutine[Any, Any, None]] = ()


async def run_until_stopped(container: Container, endure: Endure, around: Hooks) -> Outcome:
    """Start, run and stop. Raises nothing: what failed is in the :class:`Outcome`.

    Args:
        endure: the section as it is at each moment.
    """
    return await _Lifecycle(container, endure, around).run_until_stopped()


class _Lifecycle:
    def __init__(self, container: Container, endure: Endure, around: Hooks) -> None:
        self._container = container
        self._endure = endure
        self._around = around
        self._signals = Signals(lambda: endure.config.grace_period, around.say, self._stop_for_good, self._exit_now)
        self._tasks: list[asyncio.Task[None]] = []
        self._handing_over: asyncio.Task[None] | None = None
        self._stand_in: StandIn | None = None
        self._stopping = False

    async def run_until_stopped(self) -> Outcome:
        role, signals = self._around.role, self._signals
        signals.watch()
        for coroutine in self._around.background:
            self._run_background(coroutine, "beside")
        if os.getpid() == 1:
            self._run_background(reap_forever(child_process.is_child), "reap")
        watchdog = self._endure.config.watchdog_sec or manager.watchdog_seconds
        if role.successor and watchdog:
            self._run_background(keep_alive(watchdog), "watchdog")  # systemd has been counting since the first start
        if role.stand_in:
            self._run_background(self._stop_when_released(), "stand-in")
        failure = await _until_stop(self._container.start(), signals)
        if failure is None and not signals.stop.is_set():
            await self._ready()
            failure = await _until_stop(self._container.failed(), signals)
        if not signals.restart:
            self._stop_for_good()
        errors = await self._container.stop(self._endure.config.grace_period)
        failure = failure or (errors[0] if errors else None)
        if role.stand_in and failure is not None:
            role.failed(str(failure))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if signals.restart:
            await signals.hold()
        if self._stand_in is not None and not signals.restart:
            await self._stand_in.release(self._endure.config.grace_period)
        if not signals.restart:
            await role.wait_replaced(self._endure.config.grace_period)
        signals.unwatch()
        if signals.restart:
            return Outcome(0, None, restart=True, stand_in=self._stand_in)
        return Outcome(1 if failure else 0, failure)

    async def _ready(self) -> None:
        await self._around.role.ready()
        self._around.on_ready()
        for one in activation.received():
            if not one.claimed:
                _log.warning("a socket that was passed on fits no address of the config", name=one.name)
        self._run_background(report_ready(self._endure.config.watchdog_sec, self._around.say), "systemd")
        self._run_background(_at_each(self._signals.hang_up, self._around.on_hang_up), "reload")
        self._handing_over = self._run_background(_at_each(self._signals.takeover, self._take_over), "hand over")
        self._run_background(self._around.role.reap(), "bury")

    async def _take_over(self) -> None:
        """SIGUSR2: have somebody stand in, let the connections end; then the stop begins."""
        if self._around.role.stand_in:
            return
        self._around.say("restart signal [SIGUSR2] received")
        manager.reloading()
        try:
            self._stand_in = StandIn.start(self._around.origin)
            await self._stand_in.come_up()
        except RestartFailed as why:
            self._stand_in = None
            manager.notify("READY=1")
            self._around.say(f"restart failed: {why}")
            _log.error("restart failed: the server goes on as it was", error=str(why))
            return
        retirement = self._endure.config.retirement
        _log.info("restart: a stand-in serves new connections", pid=self._stand_in.pid, retirement=retirement)
        await self._close_connections(retirement)
        self._signals.start_again()

    async def _stop_when_released(self) -> None:
        await self._around.role.wait_until_released()
        await self._close_connections(self._endure.config.retirement)
        self._signals.stop.set()

    async def _close_connections(self, seconds: float) -> None:
        """Give connections this time to end. Where no plugin keeps any, nobody waits for nothing."""
        retiring = keeping(self._container.plugins, HasConnections)
        for plugin in retiring:
            plugin.close_after_response()
        if retiring:
            await asyncio.sleep(seconds)

    def _stop_for_good(self) -> None:
        """The stop is no restart, or no longer one: have our other processes stop at the same time. Each is asked once,
        since a second signal would end it without a clean-up. Idempotent."""
        if self._stopping:
            return
        self._stopping = True
        manager.notify("STOPPING=1")
        if self._handing_over is not None:
            self._handing_over.cancel()
        if self._stand_in is not None:
            self._stand_in.stop()
        self._around.role.stop_replaced()

    def _exit_now(self) -> None:
        """Without a stop, but nothing is left: busy workers and services would never notice, and uploads would stay."""
        self._around.on_forced_exit()
        if self._stand_in is not None:
            self._stand_in.stop()  # it was asked before, so it does as we do; killed, it would leave its own children
        self._around.role.stop_replaced()
        child_process.kill_all(but=self._stand_in.pid if self._stand_in is not None else 0)
        temporary_files.delete_all()  # uploads of requests that were cut
        logging.shutdown()  # writes the lines that are queued
        os._exit(1)

    def _run_background(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.append(task)
        return task


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
