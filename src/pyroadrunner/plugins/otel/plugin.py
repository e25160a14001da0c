"""Lifecycle of the ``otel`` plugin: traces of what other plugins do, by ``contracts.Tracing``."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from typing import Any

from pyroadrunner.contracts import Plugin, Span, Tracing
from pyroadrunner.log import Log
from pyroadrunner.plugins.otel.config import OtelConfig
from pyroadrunner.plugins.otel.errors import OtelNotInstalled, OtelRefused

log = Log("otel")

_MOST_SECONDS = 5.0  # the end waits no longer than this for a collector
_GIVING_UP_SECONDS = 1.0


class OtelPlugin(Plugin, Tracing):
    """The ``otel`` section. The SDK is imported at the start, so that a missing package is said in our words."""

    name = "otel"
    weight = 900  # before those who trace, and so stopped after them

    def __init__(self, config: OtelConfig) -> None:
        self._config = config
        self._module: Any = None
        self._provider: Any = None
        self._begin: Any = None

    def __repr__(self) -> str:
        return f"OtelPlugin({self._provider!r})"

    async def start(self) -> None:
        """Set up the SDK; nothing is sent yet, so a collector may come later.

        Raises:
            OtelNotInstalled: a Python package is missing.
            OtelRefused: the SDK does not take the settings.
        """
        try:
            self._module = import_module("pyroadrunner.plugins.otel.provider")
            self._provider = self._module.Provider(self._config, os.environ)
        except ModuleNotFoundError as missing:
            raise OtelNotInstalled(missing.name or "?") from missing
        except Exception as wrong:  # of any kind, as the settings are
            raise OtelRefused(wrong) from wrong
        self._begin = self._provider.begin

    async def stop(self, grace: float) -> None:
        """Send what is left, for some seconds at most."""
        provider, self._provider = self._provider, None
        if provider is None:
            return
        closed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def close() -> None:
            try:
                provider.flush_and_close()
            finally:
                try:
                    loop.call_soon_threadsafe(closed.set)
                except RuntimeError:  # the loop is over: nobody waits any more
                    pass

        # Not the loop's executor: the interpreter's end would wait for its threads.
        threading.Thread(target=close, name="otel-close", daemon=True).start()
        if not await _within(closed, min(grace, _MOST_SECONDS)):
            log.warning("the collector does not take the last traces in time; they are lost", seconds=_MOST_SECONDS)
            provider.give_up()
            await _within(closed, _GIVING_UP_SECONDS)
        provider.forget()

    def begin_trace(
        self, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Mapping[str, str | int]
    ) -> Span:
        """The span of a request, part of the trace that its headers name."""
        span: Span = self._begin(name, headers, attributes)
        return span

    @property
    def propagated_headers(self) -> Collection[bytes]:
        """Names of the headers that carry a trace."""
        names: Collection[bytes] = self._module.CARRIERS
        return names


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
