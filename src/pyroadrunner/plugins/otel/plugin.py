"""The ``otel`` plugin: provides tracing to other plugins (``contracts.Tracing``)."""

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

_MOST_SECONDS = 5.0  # longest wait for the collector when the server stops
_GIVING_UP_SECONDS = 1.0


class OtelPlugin(Plugin, Tracing):
    """Tracing by the ``otel`` section. The SDK is imported at start, so that a missing package gives a clear error."""

    name = "otel"
    weight = 900  # before plugins that trace, and so stopped after them

    def __init__(self, config: OtelConfig) -> None:
        self._config = config
        self._module: Any = None
        self._provider: Any = None
        self._begin: Any = None

    def __repr__(self) -> str:
        return f"OtelPlugin({self._provider!r})"

    async def start(self) -> None:
        """Set up the SDK. Nothing is sent yet, so the collector may start later.

        Raises:
            OtelNotInstalled: a Python package is not installed.
            OtelRefused: the SDK refuses the settings.
        """
        try:
            self._module = import_module("pyroadrunner.plugins.otel.provider")
            self._provider = self._module.Provider(self._config, os.environ)
        except ModuleNotFoundError as missing:
            raise OtelNotInstalled(missing.name or "?") from missing
        except Exception as wrong:  # invalid settings raise any kind of exception
            raise OtelRefused(wrong) from wrong
        self._begin = self._provider.begin

    async def stop(self, grace: float) -> None:
        """Export the remaining spans, within a few seconds."""
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
                except RuntimeError:  # the loop is closed: nothing waits for the result
                    pass

        # Not the loop's executor: the interpreter would wait for its threads at exit.
        threading.Thread(target=close, name="otel-close", daemon=True).start()
        if not await _within(closed, min(grace, _MOST_SECONDS)):
            log.warning("the last traces could not be exported in time and are dropped", seconds=_MOST_SECONDS)
            provider.give_up()
            await _within(closed, _GIVING_UP_SECONDS)
        provider.forget()

    def begin_trace(
        self, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Mapping[str, str | int]
    ) -> Span:
        """Begin the span of a request, as part of the trace named in its headers."""
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
