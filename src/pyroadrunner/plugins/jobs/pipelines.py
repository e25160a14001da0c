"""All pipelines by name: those of the config, and those declared over RPC."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from pyroadrunner.contracts import EffectiveConfig, PipelineState, PoolFactory, WorkerPool
from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.config import JobsConfig, Pipeline, driver_of
from pyroadrunner.plugins.jobs.connection import State
from pyroadrunner.plugins.jobs.consumer import Consumer
from pyroadrunner.plugins.jobs.declaration import read_declaration, unknown_driver
from pyroadrunner.plugins.jobs.drivers.contract import Driver, Host, Job
from pyroadrunner.plugins.jobs.errors import (
    AlreadyDeclared,
    BadDeclaration,
    BrokersMissing,
    DeclarationRefused,
    DriverNotInstalled,
    NoDriverNamed,
    NoSuchPipeline,
)
from pyroadrunner.plugins.jobs.failures import Failures
from pyroadrunner.plugins.jobs.figures import PipelineFigures
from pyroadrunner.plugins.jobs.installed import installed_drivers
from pyroadrunner.plugins.jobs.outcome import Policy
from pyroadrunner.plugins.jobs.pipeline import JobPipeline, Settings
from pyroadrunner.plugins.jobs.tracing import PushTracer

log = Log("jobs")


class Pipelines:
    """Makes, finds and ends pipelines; starts a pool when the first of its pipelines is consumed.

    Attributes:
        gone: sums of the figures of destroyed pipelines.
        failures: the last ones; ``None`` = they are not kept.
    """

    def __init__(
        self, config: JobsConfig, factory: PoolFactory, effective: EffectiveConfig, tracer: PushTracer
    ) -> None:
        self.gone = PipelineFigures()
        self.failures = Failures() if effective.section("dashboard") is not None else None
        self._config = config
        self._effective = effective
        self._factory = factory
        self._tracer = tracer
        self._found: dict[str, JobPipeline] = {}
        self._dead_letters: dict[str, str] = {}
        self._consumers: dict[str, Consumer] = {}
        self._parallel = asyncio.Semaphore(config.options.parallelism)

    def __repr__(self) -> str:
        return f"Pipelines({list(self._found.values())})"

    def __iter__(self) -> Iterator[JobPipeline]:
        return iter(list(self._found.values()))

    def find(self, name: str) -> JobPipeline:
        """The pipeline with this name; keys of a config are lower-case, so the case may differ.

        Raises:
            NoSuchPipeline
        """
        found = self._found.get(name) or self._found.get(name.lower())
        if found is None:
            raise NoSuchPipeline(name)
        return found

    def pools(self) -> dict[str, WorkerPool]:
        """The started pools."""
        return {name: one.pool for name, one in self._consumers.items() if one.pool is not None}

    def dead_letter_names(self) -> list[str]:
        """The dead letter pipelines that exist, in the order of the config."""
        names = dict.fromkeys(self._dead_letters.values())
        return [name for name in names if name in self._found or name.lower() in self._found]

    async def look(self) -> list[PipelineState]:
        """The state of each pipeline."""
        return list(await asyncio.gather(*(pipeline.look() for pipeline in self)))

    async def start(self) -> None:
        """Make the pipelines of the config and begin to connect; start the workers of those that are consumed.

        Raises:
            DriverNotInstalled: the Python package of a driver is missing.
            BrokersMissing: ``require_brokers`` is set and a broker is away.
            WorkerStartError
        """
        for name, pool in self._config.pools().items():
            self._consumers[name] = Consumer(name, pool, self._factory, self._config.pipeline_size, self._tracer)
        for name, configured in self._config.pipelines.items():
            self._make(name, configured)
        if self._config.require_brokers:
            await self._require_brokers()
        consumed = [pipeline for pipeline in self if self._config.consumed(pipeline.name)]
        pools = {id(one): one for one in (self._consumer_of(pipeline) for pipeline in consumed)}
        await asyncio.gather(*(consumer.start() for consumer in pools.values()))
        for pipeline in consumed:
            await pipeline.resume()
        for pipeline in self:
            pipeline.connection.start()

    async def declare(self, values: Mapping[str, str]) -> None:
        """Make a pipeline at run time. It is paused, unless ``jobs.consume`` has its name.

        Raises:
            NoDriverNamed, AlreadyDeclared, BadDeclaration, DriverNotInstalled, WorkerStartError
            DeclarationRefused: the broker refuses the settings; the pipeline is not kept.
        """
        name, driver = values.get("name") or values.get("queue", ""), values.get("driver", "")
        if not driver:
            raise NoDriverNamed(name)
        if not name:
            raise BadDeclaration("the pipeline has no name")
        found = self._found.get(name)
        if found is not None:
            raise AlreadyDeclared(name, found.settings.driver)
        drivers = installed_drivers()
        if driver not in drivers:
            raise unknown_driver(driver, drivers)
        pipeline = self._make(name, read_declaration(driver, drivers[driver], values), driver)
        pipeline.connection.start()
        await self._first_attempt(pipeline)
        if self._config.consumed(name):
            await self.resume(name)

    async def pause(self, name: str) -> None:
        """See :meth:`JobPipeline.pause`."""
        await self.find(name).pause()

    async def resume(self, name: str) -> None:
        """Start the workers if these are the first jobs, and receive jobs.

        Raises:
            NoSuchPipeline, AlreadyRunning, BrokerError, NoAnswer, WorkerStartError
        """
        pipeline = self.find(name)
        await self._consumer_of(pipeline).start()
        await pipeline.resume()

    async def destroy(self, name: str) -> None:
        """End a pipeline: its waiting jobs go back to the broker, running ones have ``jobs.timeout`` to end.

        Raises:
            NoSuchPipeline
        """
        pipeline = self.find(name)
        del self._found[pipeline.name]
        self._dead_letters.pop(pipeline.name, None)
        async with self._parallel:
            await pipeline.close_intake()
            try:
                async with asyncio.timeout(self._config.timeout):
                    await pipeline.settled()
            except TimeoutError:
                log.warning("pipeline is destroyed while its jobs run", pipeline=pipeline.name, jobs=pipeline.unsettled)
            self._consumer_of(pipeline).remove(pipeline)
            await pipeline.close()
        self.gone.add(pipeline.figures)

    async def stop(self, grace: float) -> None:
        """Receive no more jobs, give back those that wait, finish those that run, close the connections."""
        until = asyncio.get_running_loop().time() + grace
        pipelines = list(self)
        await self._each(pipelines, lambda pipeline: _within(max(1.0, grace), pipeline.close_intake(), pipeline))
        left = max(0.0, until - asyncio.get_running_loop().time())
        await asyncio.gather(*(consumer.stop(left) for consumer in self._consumers.values()))
        left = max(1.0, until - asyncio.get_running_loop().time())
        # Without a connection nothing can be settled.
        await self._each(pipelines, lambda one: _within(left if one.connection.connected else 0.0, one.settled(), one))
        await self._each(pipelines, JobPipeline.close)
        self._found.clear()

    def reconfigure(self, config: JobsConfig) -> None:
        """Apply the pools of a changed config."""
        self._config = config
        for name, pool in config.pools().items():
            self._consumers[name].reconfigure(pool)

    # inside

    def _make(self, name: str, pipeline: Pipeline, driver: str = "") -> JobPipeline:
        driver = driver or driver_of(pipeline)
        info = installed_drivers()[driver]
        try:
            make = info.load()
        except ModuleNotFoundError as missing:
            raise DriverNotInstalled(name, driver, info.extra, missing.name or "?") from missing
        section = self._effective.section(info.section) if info.section else None
        if info.section_config is not None and not isinstance(section, info.section_config):
            section = info.section_config()
        consumer = self._consumers[self._config.pool_of(name)]

        def made(host: Host) -> Driver:
            return make(host, pipeline.config, section)

        async def bury(job: Job) -> None:
            target = self.find(pipeline.dead_letter)
            pending = target.push([replace(job, pipeline=target.name)])
            if pending is not None:
                await pending

        settings = Settings(
            name=name,
            driver=driver,
            priority=pipeline.config.priority,
            timeout=float(self._config.timeout),
            concurrency=pipeline.concurrency,
            policy=Policy(
                max_attempts=pipeline.max_attempts,
                initial=pipeline.backoff.initial,
                longest=pipeline.backoff.max,
                buries=bool(pipeline.dead_letter),
            ),
        )
        found = JobPipeline(settings, made, consumer.queue, consumer.wake, bury)
        found.failures = self.failures
        consumer.add(found)
        self._found[name] = found
        if pipeline.dead_letter:
            self._dead_letters[name] = pipeline.dead_letter
        return found

    def _consumer_of(self, pipeline: JobPipeline) -> Consumer:
        return self._consumers[self._config.pool_of(pipeline.name)]

    async def _first_attempt(self, pipeline: JobPipeline) -> None:
        """Wait for the first attempt to connect. A broker that is away may come back, refused settings are an error."""
        try:
            async with asyncio.timeout(self._config.timeout):
                await pipeline.connection.attempted()
        except TimeoutError:
            return
        if pipeline.connection.state is State.FAILED:
            error = pipeline.connection.error
            await self.destroy(pipeline.name)
            raise DeclarationRefused(pipeline.settings.driver, error)

    async def _require_brokers(self) -> None:
        pipelines = list(self)
        for pipeline in pipelines:
            pipeline.connection.start()
        await asyncio.gather(*(pipeline.connection.attempted() for pipeline in pipelines))
        failed = {one.name: one.connection.error for one in pipelines if not one.connection.connected}
        if failed:
            raise BrokersMissing(failed)

    async def _each(self, pipelines: Iterable[JobPipeline], do: Callable[[JobPipeline], Awaitable[None]]) -> None:
        async def one(pipeline: JobPipeline) -> None:
            async with self._parallel:
                await do(pipeline)

        await asyncio.gather(*(one(pipeline) for pipeline in pipelines))


async def _within(seconds: float, step: Awaitable[None], pipeline: JobPipeline) -> None:
    """A step of the stop: a broker that does not answer must not hold it up."""
    try:
        async with asyncio.timeout(seconds):
            await step
    except TimeoutError:
        log.warning(
            "pipeline does not stop in time; its jobs may run again", pipeline=pipeline.name, jobs=pipeline.unsettled
        )
