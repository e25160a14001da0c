"""The ``logs`` plugin: first to start, last to stop. Until it has started nothing is written."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial

from pyroadrunner.log import ROOT
from pyroadrunner.plugins.logger.config import ChannelConfig, LogsConfig
from pyroadrunner.plugins.logger.handler import ChannelHandler, ForeignHandler
from pyroadrunner.plugins.logger.lines import Encoder, encoder
from pyroadrunner.plugins.logger.outputs import Output, open_output
from pyroadrunner.plugins.logger.rotation import RotatingOutput
from pyroadrunner.plugins.logger.sink import Sink


class LoggerPlugin:
    """Installs handlers on the ``rr`` logger, on each channel with settings of its own, and on the root logger (there
    for warnings and worse of other libraries, so that nothing of theirs appears on stderr unasked)."""

    name = "logs"
    weight = 1000  # before all others, which log while they start

    def __init__(self, config: LogsConfig) -> None:
        self._config = config
        self._sinks: dict[str, Sink] = {}
        self._err_outputs: dict[str, Output] = {}
        self._installed: list[tuple[logging.Logger, logging.Handler]] = []

    def __repr__(self) -> str:
        return f"LoggerPlugin(mode={self._config.mode}, sinks={list(self._sinks.values())})"

    async def start(self) -> None:
        """Open the outputs and take over the log.

        Raises:
            OutputError: a file can't be opened.
        """
        scheduler = LoopScheduler(asyncio.get_running_loop())
        try:
            route = self._route(self._config)
            channels = {
                name: (config, self._route(config))
                for name, config in self._config.channels.items()
                if config != ChannelConfig()  # RoadRunner takes `http: {}` for nothing
            }
        except BaseException:
            self._close_outputs()
            raise
        _save_lookups()
        threshold = self._config.threshold()
        self._install(logging.getLogger(ROOT), ChannelHandler([route]), threshold)
        for name, (config, own) in channels.items():
            logger = logging.getLogger(f"{ROOT}.{name}")
            logger.propagate = False
            self._install(logger, ChannelHandler([own]), config.threshold())
        self._install(logging.getLogger(), ForeignHandler([route]), max(threshold, logging.WARNING))
        logging.captureWarnings(True)
        for sink in self._sinks.values():
            sink.attach(scheduler)

    async def stop(self, grace: float) -> None:
        """Write what is left and close. Lines that come later are not written."""
        logging.captureWarnings(False)
        for logger, handler in self._installed:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET if logger.name != "root" else logging.WARNING)
            logger.propagate = logger.name != ROOT
        self._installed.clear()
        self._close_outputs()

    def _install(self, logger: logging.Logger, handler: logging.Handler, level: int) -> None:
        logger.addHandler(handler)
        logger.setLevel(level)
        self._installed.append((logger, handler))

    def _route(self, config: ChannelConfig) -> tuple[Encoder, list[Sink]]:
        complain = self._complainer(config.err_output)
        rotated = config.file_logger_options
        if rotated is not None:
            sinks = [self._sink(rotated.log_output, partial(RotatingOutput, rotated), complain)]
        else:
            sinks = [self._sink(name, partial(open_output, name), complain) for name in config.output]
        draw = encoder(config.mode, as_json=config.is_json(), ending=config.line_ending, coloured=_colours_wanted())
        return draw, sinks

    def _sink(self, target: str, make: Callable[[], Output], complain: Callable[[str], None]) -> Sink:
        """The sink of a target; channels that name the same one share it, so that their lines keep their order."""
        key = target if target in ("stdout", "stderr") else os.path.abspath(target)
        if key not in self._sinks:
            self._sinks[key] = Sink(make(), complain)
        return self._sinks[key]

    def _complainer(self, names: Iterable[str]) -> Callable[[str], None]:
        outputs = []
        for name in names:
            if name not in self._err_outputs:
                self._err_outputs[name] = open_output(name)
            outputs.append(self._err_outputs[name])

        def complain(text: str) -> None:
            for output in outputs:
                try:
                    output.write(f"rr: {text}\n".encode())
                except OSError:  # nobody is left to be told
                    pass

        return complain

    def _close_outputs(self) -> None:
        for sink in self._sinks.values():
            sink.close()
        for output in self._err_outputs.values():
            output.close()
        self._sinks.clear()
        self._err_outputs.clear()


class LoopScheduler:
    """The running loop, as sinks see it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()

    def soon(self, call: Callable[[], None]) -> None:
        try:
            if threading.get_ident() == self._thread:
                self._loop.call_soon(call)
            else:
                self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # the loop is closed: a crash on its way out still has its lines written
            call()

    def when_writable(self, fd: int, call: Callable[[], None] | None) -> None:
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self.when_writable, fd, call)
        elif call is None:
            self._loop.remove_writer(fd)
        else:
            self._loop.add_writer(fd, call)


def _save_lookups() -> None:
    """Leave out what no line shows: each record would look up its thread, process and task."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.logAsyncioTasks = False  # type: ignore[attr-defined]  # Python 3.12


def _colours_wanted() -> bool:
    """Whether stdout is a terminal that shows colours (RoadRunner asks stdout, wherever the lines go)."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
