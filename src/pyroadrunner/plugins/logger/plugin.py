"""The ``logs`` plugin: first to start, last to stop. Nothing is logged before it has started."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pyroadrunner.contracts import LogLine, LogSource, Plugin, PreparedReload, Reloadable
from pyroadrunner.plugins.logger.config import LogsConfig
from pyroadrunner.plugins.logger.routing import LogRouting


class LoggerPlugin(Plugin, LogSource, Reloadable):
    """Installs handlers on the ``rr`` logger, on each channel with its own settings, and on the root logger. The latter
    gets warnings and errors of other libraries, so that they do not write to stderr themselves."""

    name = "logs"
    weight = 1000  # before all other plugins, which log while they start

    def __init__(self, config: LogsConfig) -> None:
        self._config = config
        self._routing: LogRouting | None = None
        self._listeners: tuple[Callable[[LogLine], None], ...] = ()

    def __repr__(self) -> str:
        return f"LoggerPlugin(mode={self._config.mode}, {self._routing})"

    async def start(self) -> None:
        """Open the outputs and install the handlers.

        Raises:
            OutputError: a file can't be opened.
        """
        self._routing = LogRouting(self._config)
        _save_lookups()
        self._routing.install(LoopScheduler(asyncio.get_running_loop()))
        self._routing.listeners = self._listeners
        logging.captureWarnings(True)

    async def stop(self, grace: float) -> None:
        """Flush and close. Later lines are dropped."""
        logging.captureWarnings(False)
        if self._routing is not None:
            self._routing.remove()

    def listen(self, listener: Callable[[LogLine], None]) -> Callable[[], None]:
        """Call ``listener`` with each line of every channel; a reload keeps it."""

        def end() -> None:
            self._become(tuple(one for one in self._listeners if one is not listener))

        self._become((*self._listeners, listener))
        return end

    def _become(self, listeners: tuple[Callable[[LogLine], None], ...]) -> None:
        self._listeners = listeners
        if self._routing is not None:
            self._routing.listeners = listeners

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        """All keys are reloadable."""
        return ("",)

    async def prepare_reload(self, section: LogsConfig, whole: Mapping[str, Any]) -> PreparedReload:
        """Open the outputs of the new section; applying it flushes and closes the old ones.

        Raises:
            OutputError: a file can't be opened.
        """
        routing = LogRouting(section)
        scheduler = LoopScheduler(asyncio.get_running_loop())

        def apply() -> None:
            if self._routing is not None:
                self._routing.remove()
            self._config, self._routing = section, routing
            routing.install(scheduler)
            routing.listeners = self._listeners

        return PreparedReload(apply, routing.close)


class LoopScheduler:
    """The scheduler of sinks, on the running loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()

    def soon(self, call: Callable[[], None]) -> None:
        try:
            if threading.get_ident() == self._thread:
                self._loop.call_soon(call)
            else:
                self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # the loop is closed, after a crash: write the lines directly
            call()

    def when_writable(self, fd: int, call: Callable[[], None] | None) -> None:
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self.when_writable, fd, call)
        elif call is None:
            self._loop.remove_writer(fd)
        else:
            self._loop.add_writer(fd, call)


def _save_lookups() -> None:
    """Disable lookups that no format uses: thread, process and task of each record."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.logAsyncioTasks = False  # type: ignore[attr-defined]  # Python 3.12
