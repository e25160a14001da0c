"""Everything between the pools and the server of Temporal: connects, polls, survives both ends.

Theory of operation: the workflow worker describes its task queues. A background task connects, with growing pauses
while the server is away, and polls them. When the workflow worker is replaced it is asked again: with the same task
queues, cached runs are evicted and replayed with their next task; with others, the polls begin anew on another
connection (the engine allows one worker of a task queue on each).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest, GetSystemInfoResponse

from pyroadrunner.contracts import Log, WorkerPool
from pyroadrunner.plugins.temporal.activities import RunningActivities
from pyroadrunner.plugins.temporal.config import TemporalConfig
from pyroadrunner.plugins.temporal.connection import client_settings
from pyroadrunner.plugins.temporal.core import Client, CoreWorker, RPCError, Runtime
from pyroadrunner.plugins.temporal.envelope import command, encode_json, write
from pyroadrunner.plugins.temporal.errors import BadAnswer, BadWorkerInfo, MetricsNotServed, WorkerLost, WorkerStopped
from pyroadrunner.plugins.temporal.failures import connection_text
from pyroadrunner.plugins.temporal.instance import Outgoing
from pyroadrunner.plugins.temporal.run import Rules
from pyroadrunner.plugins.temporal.side_effects import Reevaluations
from pyroadrunner.plugins.temporal.task_queue import TaskQueue
from pyroadrunner.plugins.temporal.telemetry import Telemetry
from pyroadrunner.plugins.temporal.worker_info import WorkerInfo, read_worker_info, worker_settings
from pyroadrunner.plugins.temporal.workflow_worker import WorkflowWorker
from pyroadrunner.plugins.temporal.wrappers import Wrappers
from pyroadrunner.version import ROADRUNNER_VERSION

log = Log("temporal")

_INFO = 60.0  # seconds for the description of the task queues
_PAUSES = (0.2, 0.5, 1.0, 2.0)
_PROBE = 1.0  # seconds between two questions whether the server is back
_AFTER_GRACE = 5.0  # seconds for results of killed activities to reach the server


class Host:
    """The connection and its task queues.

    Attributes:
        state: ``connecting`` or ``ready``.
        error: why it is not ready; empty = it is.
        infos: the task queues, as PHP described them.
        client: ``None`` = not connected.
        running: the activities.
    """

    def __init__(self, config: TemporalConfig, wrappers: Wrappers) -> None:
        self._config = config
        self._wrappers = wrappers
        self._ids = itertools.count(1)
        self._reevaluations = Reevaluations()
        self._activity_pool: WorkerPool | None = None
        self._queues: list[TaskQueue] = []
        self._retired: dict[TaskQueue, asyncio.Task[None]] = {}
        self._rebuild = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._api_key = ""
        self._telemetry: Telemetry | None = None
        self.runtime: Runtime | None = None
        self.client: Client | None = None
        self.worker: WorkflowWorker
        self.infos: list[WorkerInfo] = []
        self.running = RunningActivities()
        self.state = "connecting"
        self.error = ""

    def __repr__(self) -> str:
        return f"Host({self.state}, {self._queues!r})"

    async def start(self, workflows: WorkerPool, activities: WorkerPool | None) -> None:
        """Ask PHP for its task queues, and connect in the background.

        Raises:
            BadWorkerInfo: there are none.
            MetricsNotServed
        """
        self._activity_pool = activities
        self.worker = WorkflowWorker(workflows, self._on_lost, self._on_replaced)
        await self.worker.start()
        self.infos = await self._ask()
        self._api_key = next((info.api_key for info in self.infos if info.api_key), "")
        pools = {"rr_workflows_pool_queue_size": workflows.stats}
        if activities is not None:
            pools["rr_activities_pool_queue_size"] = activities.stats
        self._telemetry = Telemetry(self._config.metrics, pools, self._on_repeated)
        try:
            self.runtime = await self._telemetry.start()
        except (OSError, RuntimeError, ValueError) as failed:
            raise MetricsNotServed(failed) from failed
        self._task = asyncio.create_task(self._serve(self.runtime), name="temporal: connects")

    @property
    def namespace(self) -> str:
        return self._config.namespace

    def next_id(self) -> int:
        """An id for a command for PHP."""
        return next(self._ids)

    def update_api_key(self, key: str) -> None:
        """Use another key for this and later connections."""
        self._api_key = key
        if self.client is not None:
            self.client.update_api_key(key)

    def rules(self, info: WorkerInfo) -> Rules:
        """The rules of the runs of a task queue."""
        return Rules(
            task_queue=info.task_queue,
            namespace=self._config.namespace,
            next_id=self.next_id,
            behaviors=info.behaviors(),
            fail_on_panic=info.fails_on_panic,
            eager_activities=not info.options.get("disableeageractivities"),
            reevaluations=self._reevaluations,
        )

    def cached_runs(self) -> int:
        """How many runs are in memory."""
        return sum(len(queue.workflows) for queue in self._queues)

    # -- the workflow worker -------------------------------------------------------------------------------------------

    async def _ask(self) -> list[WorkerInfo]:
        """PHP's description of its task queues.

        Raises:
            BadWorkerInfo
        """
        options = {"rr_version": ROADRUNNER_VERSION, "ww_pid": self.worker.pid}
        frame = Outgoing(
            context=encode_json({"rr_id": "", "continue_as_new_suggested": False}),
            body=write([command(self.next_id(), "GetWorkerInfo", options)]),
        )
        try:
            async with asyncio.timeout(_INFO):
                said = await self.worker.exchange(frame, self.worker.generation, lambda: "GetWorkerInfo")
        except (BadAnswer, WorkerLost, WorkerStopped, TimeoutError) as failed:
            why = str(failed) or f"no answer in {_INFO:g} s"
            raise BadWorkerInfo(f"the worker did not describe its task queues: {why}") from failed
        return read_worker_info(said)

    def _on_lost(self) -> None:
        """The process is gone: let the engine forget what it had in memory."""
        for queue in self._queues:
            queue.evict_lost()

    async def _on_replaced(self) -> None:
        try:
            infos = await self._ask()
        except BadWorkerInfo as wrong:
            log.error("the new workflow worker can't be used; the old task queues stay", error=str(wrong))
            return
        if infos != self.infos:
            self.infos = infos
            self._rebuild.set()

    # -- the server ----------------------------------------------------------------------------------------------------

    async def _serve(self, runtime: Runtime) -> None:
        pauses = iter(_PAUSES)
        while True:
            try:
                if self.client is None:
                    settings = client_settings(self._config, self.infos[0].client_version, self._api_key)
                    self.client = await Client.connect(runtime, settings)
                await self._begin(self.client)
                pauses = iter(_PAUSES)
                await self._until_it_ends()
            except (RuntimeError, RPCError, OSError) as failed:
                self._not_ready(connection_text(str(failed)))
            self._retire_queues()
            self.client = None
            if self.error:
                await asyncio.sleep(next(pauses, _PAUSES[-1]))

    def _retire_queues(self) -> None:
        """Poll no more; running activities end in the background, with the old connection."""
        for queue in self._queues:
            queue.stop_polling()
            task = asyncio.create_task(self._retire(queue), name=f"temporal: retires {queue.name}")
            self._retired[queue] = task
        self._queues = []

    async def _retire(self, queue: TaskQueue) -> None:
        await queue.wait(None)
        del self._retired[queue]
        await queue.close()

    async def _begin(self, client: Client) -> None:
        self._rebuild.clear()
        for info in self.infos:
            settings = worker_settings(
                info,
                namespace=self._config.namespace,
                cached_runs=max(0, self._config.cache_size),
                activities=self._activity_pool is not None,
            )
            engine = CoreWorker.create(client, settings)
            queue = TaskQueue(
                engine, settings, self.rules(info), self.worker, self._activity_pool, self.running, self._wrappers
            )
            self._queues.append(queue)
            await engine.validate()
        for queue in self._queues:
            queue.start()
        self.state, self.error = "ready", ""
        log.info(
            "connected to Temporal",
            address=self._config.address,
            namespace=self._config.namespace,
            task_queues=[queue.name for queue in self._queues],
        )

    async def _until_it_ends(self) -> None:
        """Wait until a queue fails, or others are wanted."""
        rebuild = asyncio.ensure_future(self._rebuild.wait())
        failures = [queue.failed for queue in self._queues]
        ends: list[asyncio.Future[Any]] = [rebuild, *failures]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rebuild.cancel()
        failed = next((failure.result() for failure in failures if failure.done()), "")
        if failed:
            self._not_ready(failed)

    def _not_ready(self, error: str) -> None:
        if not self.error:
            log.error("not connected to Temporal; trying again", address=self._config.address, error=error)
        self.state, self.error = "connecting", error

    def _on_repeated(self, error: str) -> None:
        """The engine repeats a call that failed: the server is away, and all others will fail, too."""
        if self.state == "ready" and self.client is not None:
            self._not_ready(error)
            self._probe = asyncio.create_task(self._until_back(self.client), name="temporal: waits for the server")

    async def _until_back(self, client: Client) -> None:
        while True:
            await asyncio.sleep(_PROBE)
            try:
                await client.call("get_system_info", GetSystemInfoRequest(), GetSystemInfoResponse, timeout=_INFO)
            except (RPCError, RuntimeError) as failed:
                log.debug("Temporal is still away", error=str(failed))
                continue
            if self.client is client and self._queues:
                self.state, self.error = "ready", ""
                log.info("Temporal is back", address=self._config.address)
            return

    async def stop(self, grace: float, destroy_activities: Callable[[], Awaitable[None]]) -> None:
        """Poll no more, finish running tasks, release the engine.

        Args:
            destroy_activities: kills activities that still run at the end of the grace.
        """
        for task in (self._task, self._probe):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        for task in self._retired.values():
            task.cancel()
        queues = [*self._queues, *self._retired]
        self._queues = []
        for queue in queues:
            queue.stop_polling()
        done = await asyncio.gather(*(queue.wait(grace) for queue in queues))
        if not all(done):
            await destroy_activities()
            await asyncio.gather(*(queue.wait(_AFTER_GRACE) for queue in queues))
        await asyncio.gather(*(queue.close() for queue in queues))
        if self._telemetry is not None:
            await self._telemetry.stop()
        self.client = self.runtime = None
        if hasattr(self, "worker"):
            await self.worker.stop()
