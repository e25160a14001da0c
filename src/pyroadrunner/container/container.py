"""The plugins' life: start one after the other, run together, stop in reverse."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Sequence

from pyroadrunner.container.errors import RunFailed, StartFailed, StopFailed
from pyroadrunner.container.promises import keeping, undeclared
from pyroadrunner.contracts import HasStopHook, HasTask, Plugin
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log

_log = Log("endure")  # RoadRunner's name for its container
_LAST_SECONDS = 1.0  # for a `run` to return once its plugin is stopped


class Container:
    """Plugins in the order of their start.

    Args:
        plugins: constructed.
        logging: called once the first plugin has started, which is the log: for what had to wait until lines are
            written.
    """

    def __init__(self, plugins: Sequence[Plugin], logging: Callable[[], None] = lambda: None) -> None:
        self.plugins = list(plugins)
        self._logging = logging
        self._started: list[Plugin] = []
        self._runs: dict[asyncio.Task[None], Plugin] = {}

    def __repr__(self) -> str:
        started = [plugin.name for plugin in self._started]
        return f"Container(plugins={[plugin.name for plugin in self.plugins]}, started={started})"

    async def start(self) -> None:
        """Start all. When one fails, or this is cancelled, the caller still has to :meth:`stop` those that did start;
        the one that did not has let go of everything by itself.

        Raises:
            StartFailed: a plugin refused, in words.
            Exception: whatever else a plugin's bug raises.
        """
        for plugin in self.plugins:
            try:
                await plugin.start()
            except RoadRunnerError as refused:
                raise StartFailed(plugin.name, str(refused)) from refused
            self._started.append(plugin)
            if len(self._started) == 1:
                self._logging()
                self._hint_at_promises()
        for plugin in self.plugins:
            for one in keeping([plugin], HasTask):
                self._runs[asyncio.create_task(one.run(), name=f"run {plugin.name}")] = plugin

    async def failed(self) -> None:
        """Wait until the first plugin's ``run`` ends in an error, and raise it; for ever when none does.

        No ``TaskGroup``: it would cancel the other plugins at once, and they have to be stopped in order.

        Raises:
            RunFailed: it said why in words.
            Exception: whatever else a plugin's bug raises.
        """
        running = set(self._runs)
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled() and (error := task.exception()) is not None:
                    if isinstance(error, RoadRunnerError):
                        raise RunFailed(self._runs[task].name, str(error)) from error
                    raise error
        await asyncio.Event().wait()

    async def stop(self, grace: float) -> list[StopFailed]:
        """Stop what was started, the last first. Each is told what is left of ``grace`` (seconds).

        Returns:
            one for each plugin that raised; it was logged, and the others were stopped all the same.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        errors: list[StopFailed] = []
        for hooked in keeping(self._started, HasStopHook):
            hooked.on_stopping()
        while self._started:
            plugin = self._started.pop()
            try:
                await plugin.stop(max(0.0, deadline - loop.time()))
            except Exception as wrong:
                trace = "".join(traceback.format_exception(wrong)).splitlines()
                _log.error("plugin did not stop cleanly", plugin=plugin.name, error=str(wrong), trace=trace)
                errors.append(StopFailed(plugin.name, wrong))
            await self._end_runs(plugin)
        return errors

    def _hint_at_promises(self) -> None:
        """Methods with the names of a Protocol's are not called for that; whether it was forgotten, only the author
        knows."""
        for plugin in self.plugins:
            for promise in undeclared(type(plugin)):
                _log.debug(
                    "plugin has the methods of a Protocol it does not inherit", plugin=plugin.name, protocol=promise
                )

    async def _end_runs(self, plugin: Plugin) -> None:
        """``run`` returns when its plugin is stopped; one that does not is cut off."""
        for task in [task for task, owner in self._runs.items() if owner is plugin]:
            await asyncio.wait([task], timeout=_LAST_SECONDS)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # `failed` has told it; asyncio need not tell it again
            del self._runs[task]
