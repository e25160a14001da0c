"""Start the plugins in order, run them together, stop them in reverse order."""

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
_LAST_SECONDS = 1.0  # for `run` to return after its plugin has stopped


class Container:
    """Plugins in the order of their start.

    Args:
        plugins: constructed.
        logging: called when the first plugin, the log, has started; writes lines that had to wait for the log.
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
        """Start all plugins. After a failure or cancellation the caller must :meth:`stop` the plugins that did start. A
        plugin whose start fails releases its resources itself.

        Raises:
            StartFailed: a plugin refused to start, with a message.
            Exception: any other exception of a plugin, which is a bug.
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
        """Wait until a plugin's ``run`` fails, and raise its error; wait without limit if none fails.

        Not a ``TaskGroup``: it would cancel the other plugins immediately, but they must stop in order.

        Raises:
            RunFailed: the plugin failed with a message.
            Exception: any other exception of a plugin, which is a bug.
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
        """Stop the started plugins in reverse order. Each gets the rest of ``grace`` (seconds).

        Returns:
            The errors of plugins that raised. They are logged, and the other plugins are stopped too.
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
        """Wait for ``run`` to return after its plugin has stopped; cancel it if it does not."""
        for task in [task for task, owner in self._runs.items() if owner is plugin]:
            await asyncio.wait([task], timeout=_LAST_SECONDS)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # reported by `failed`; mark it as retrieved for asyncio
            del self._runs[task]
