"""Metrics of the engine for a statsd daemon: a UDP packet with the updates of each interval."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

from pyroadrunner.contracts import PoolStats
from pyroadrunner.plugins.temporal.config import StatsdConfig
from pyroadrunner.plugins.temporal.core import MetricUpdate, Runtime

_KINDS = ("c", "g", "ms")  # counter, gauge, histogram: the engine's durations are milliseconds


class StatsdReporter:
    """Reports at intervals.

    Args:
        queues: gives the figures of a pool by the name of its gauge.
    """

    def __init__(
        self, config: StatsdConfig, runtime: Runtime, queues: Mapping[str, Callable[[], Awaitable[PoolStats]]]
    ) -> None:
        self._config = config
        self._runtime = runtime
        self._queues = queues
        self._transport: asyncio.DatagramTransport | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the socket, and report from now on.

        Raises:
            OSError, ValueError: the address is invalid.
        """
        host, _, port = self._config.host_port.rpartition(":")
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(host.strip("[]") or "127.0.0.1", int(port))
        )
        self._task = asyncio.create_task(self._run(), name="temporal: statsd")

    async def stop(self) -> None:
        """Send the last report."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._report()
        if self._transport is not None:
            self._transport.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._config.flush_interval)
            await self._report()

    async def _report(self) -> None:
        updates = list(self._runtime.metrics())
        for name, stats in self._queues.items():
            updates.append(MetricUpdate(name=name, kind=1, value=(await stats()).queued, attributes={}))
        if self._transport is not None and not self._transport.is_closing():
            for packet in packets(lines(updates, self._config), self._config.flush_bytes):
                self._transport.sendto(packet)


def lines(updates: Iterable[MetricUpdate], config: StatsdConfig) -> Iterator[str]:
    """The updates in statsd's format."""
    for update in updates:
        name = f"{config.prefix}.{update.name}" if config.prefix else update.name
        tags = {f"{config.tag_prefix}{key}": value for key, value in {**update.attributes, **config.tags}.items()}
        suffix = ""
        if config.tag_separator:
            name += "".join(f".{key}{config.tag_separator}{value}" for key, value in tags.items())
        elif tags:
            suffix = "|#" + ",".join(f"{key}:{value}" for key, value in tags.items())
        yield f"{name}:{update.value:g}|{_KINDS[update.kind]}{suffix}"


def packets(found: Iterable[str], limit: int) -> Iterator[bytes]:
    """The lines in packets of at most ``limit`` bytes, as long as no line is longer."""
    packet = b""
    for line in found:
        encoded = line.encode()
        if packet and len(packet) + 1 + len(encoded) > limit:
            yield packet
            packet = b""
        packet += b"\n" + encoded if packet else encoded
    if packet:
        yield packet
