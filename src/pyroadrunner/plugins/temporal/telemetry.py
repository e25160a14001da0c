"""Log and metrics of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from pyroadrunner.contracts import Log, PoolStats
from pyroadrunner.plugins.temporal.config import MetricsConfig, PrometheusConfig, StatsdConfig
from pyroadrunner.plugins.temporal.core import LogEntry, Runtime
from pyroadrunner.plugins.temporal.failures import connection_text
from pyroadrunner.plugins.temporal.statsd import StatsdReporter

log = Log("temporal")

# What ``workflows.py`` and ``activities.py`` say better.
_SAID_ELSEWHERE = ("Failing workflow task", "Activity not found on completion", "Tried to complete untracked local")
_GAUGES = 1.0  # seconds between two looks at the pools
_BUFFER = 100_000  # updates of metrics between two reports

Stats = Callable[[], Awaitable[PoolStats]]


class Telemetry:
    """The engine's runtime, and what reports its metrics.

    Args:
        config: ``None`` = no metrics.
        queues: gives the figures of a pool by the name of its gauge.
        on_repeated: called with the reason each time that a call to Temporal has failed and is repeated.
    """

    def __init__(
        self, config: MetricsConfig | None, queues: Mapping[str, Stats], on_repeated: Callable[[str], None]
    ) -> None:
        self._config = config
        self._queues = queues
        self._on_repeated = on_repeated
        self._reporter: StatsdReporter | None = None
        self._gauges: asyncio.Task[None] | None = None

    async def start(self) -> Runtime:
        """The runtime. Metrics are served from now on.

        Raises:
            OSError, RuntimeError: the address of the metrics can't be used.
        """
        config = self._config
        if config is None:
            return Runtime(self._write)
        if config.driver == "statsd":
            statsd = config.statsd or StatsdConfig()
            runtime = Runtime(self._write, buffer=_BUFFER)
            self._reporter = StatsdReporter(statsd, runtime, self._queues)
            await self._reporter.start()
            return runtime
        prometheus = config.prometheus or PrometheusConfig()
        prefix = f"{prometheus.prefix}_temporal_" if prometheus.prefix else "temporal_"
        runtime = Runtime(self._write, prometheus=prometheus.address, prefix=prefix)
        before = f"{prometheus.prefix}_" if prometheus.prefix else ""
        setters = {name: runtime.gauge(before + name, "Calls that wait for a worker.") for name in self._queues}
        self._gauges = asyncio.create_task(self._follow(setters), name="temporal: gauges")
        return runtime

    async def _follow(self, setters: Mapping[str, Callable[[int], None]]) -> None:
        while True:
            for name, stats in self._queues.items():
                setters[name]((await stats()).queued)
            await asyncio.sleep(_GAUGES)

    async def stop(self) -> None:
        """Send the last report."""
        if self._gauges is not None:
            self._gauges.cancel()
            await asyncio.gather(self._gauges, return_exceptions=True)
        if self._reporter is not None:
            await self._reporter.stop()

    def _write(self, entry: LogEntry) -> None:
        """Write a line of the engine's log."""
        fields = {str(name): str(value) for name, value in entry.fields.items()}
        if entry.message.startswith("gRPC call ") and "retried" in entry.message:
            self._on_repeated(connection_text(fields.get("error", entry.message)))
            log.debug(entry.message, **fields)
        elif entry.level == "error":
            log.error(entry.message, **fields)
        elif entry.level == "warning" and not entry.message.startswith(_SAID_ELSEWHERE):
            log.warning(entry.message, **fields)
        else:
            log.debug(entry.message, **fields)
