"""From a ``logs`` section to handlers and outputs. They are opened first and installed later, so that an error changes
nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from functools import partial

from pyroadrunner.log import ROOT
from pyroadrunner.plugins.logger.config import ChannelConfig, LogsConfig
from pyroadrunner.plugins.logger.encoders import Encoder, encoder
from pyroadrunner.plugins.logger.handler import ChannelHandler, ForeignHandler, Listener
from pyroadrunner.plugins.logger.outputs import Output, open_output
from pyroadrunner.plugins.logger.rotation import RotatingOutput
from pyroadrunner.plugins.logger.sink import Scheduler, Sink
from pyroadrunner.plugins.logger.terminal import terminal

Route = tuple[Encoder, list[Sink]]


class LogRouting:
    """The open outputs of one section.

    Attributes:
        listeners: get each line of all channels.

    Raises:
        OutputError: a file can't be opened.
    """

    def __init__(self, config: LogsConfig) -> None:
        self._config = config
        self._sinks: dict[str, Sink] = {}
        self._err_outputs: dict[str, Output] = {}
        self._last_resort = open_output("stderr")
        self._installed: list[tuple[logging.Logger, ChannelHandler]] = []
        self._listeners: tuple[Listener, ...] = ()
        self._channels: dict[str, tuple[ChannelConfig, list[Route]]] = {}
        try:
            self._main = self._routes(config)
            for name, channel in config.channels.items():
                if channel != ChannelConfig():  # RoadRunner ignores `http: {}`
                    self._channels[name] = (channel, self._routes(channel))
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"LogRouting(sinks={list(self._sinks.values())})"

    @property
    def listeners(self) -> tuple[Listener, ...]:
        return self._listeners

    @listeners.setter
    def listeners(self, listeners: tuple[Listener, ...]) -> None:
        self._listeners = listeners
        for _, handler in self._installed:
            handler.listeners = listeners

    def install(self, scheduler: Scheduler) -> None:
        """Install the handlers on all channels."""
        threshold = self._config.threshold()
        self._install(logging.getLogger(ROOT), ChannelHandler(self._main), threshold)
        for name, (config, own) in self._channels.items():
            logger = logging.getLogger(f"{ROOT}.{name}")
            logger.propagate = False
            self._install(logger, ChannelHandler(own), config.threshold())
        self._install(logging.getLogger(), ForeignHandler(self._main), max(threshold, logging.WARNING))
        for sink in self._sinks.values():
            sink.attach(scheduler)

    def remove(self) -> None:
        """Remove the handlers, flush and close."""
        for logger, handler in self._installed:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET if logger.name != "root" else logging.WARNING)
            logger.propagate = logger.name != ROOT
        self._installed.clear()
        self.close()

    def close(self) -> None:
        """Close the outputs. Idempotent."""
        for sink in self._sinks.values():
            sink.close()
        for output in self._err_outputs.values():
            output.close()
        self._last_resort.close()
        self._sinks.clear()
        self._err_outputs.clear()

    def _install(self, logger: logging.Logger, handler: ChannelHandler, level: int) -> None:
        logger.addHandler(handler)
        logger.setLevel(level)
        self._installed.append((logger, handler))

    def _routes(self, config: ChannelConfig) -> list[Route]:
        """Up to two routes: one for terminals, one for all other outputs."""
        complain = self._complainer(config.err_output)
        rotated = config.file_logger_options
        if rotated is not None:
            sinks = [self._sink(rotated.log_output, partial(RotatingOutput, rotated), complain)]
        else:
            sinks = [self._sink(name, partial(open_output, name), complain) for name in config.output]
        seen = [sink for sink in sinks if config.is_for_people() and os.isatty(sink.output.fileno())]
        others = [sink for sink in sinks if sink not in seen]
        routes: list[Route] = []
        if seen:
            routes.append((terminal(config.line_ending, coloured=_colours_wanted()), seen))
        if others:
            routes.append((encoder(config.mode, as_json=config.is_json(), ending=config.line_ending), others))
        return routes

    def _sink(self, target: str, make: Callable[[], Output], complain: Callable[[str], None]) -> Sink:
        """The sink of a target. Channels with the same target share it, so that their lines keep their order."""
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
            line = f"rr: {text}\n".encode()
            told = [_took(output, line) for output in outputs]
            if not any(told):
                _took(self._last_resort, line)  # the error outputs are probably on the same full disk

        return complain


def _took(output: Output, line: bytes) -> bool:
    try:
        return output.write(line) == len(line)
    except OSError:
        return False


def _colours_wanted() -> bool:
    """Whether terminals show colours (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
