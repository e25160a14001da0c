"""One task queue: polls the engine for workflow and activity tasks, and gives each to its handler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from pyroadrunner.contracts import Log, WorkerPool
from pyroadrunner.plugins.temporal.activities import Activities, RunningActivities
from pyroadrunner.plugins.temporal.core import ActivityTask, CoreWorker, PollShutdownError, WorkflowActivation
from pyroadrunner.plugins.temporal.run import Rules
from pyroadrunner.plugins.temporal.settings import WorkerSettings
from pyroadrunner.plugins.temporal.workflow_worker import WorkflowWorker
from pyroadrunner.plugins.temporal.workflows import Workflows
from pyroadrunner.plugins.temporal.wrappers import Wrappers

log = Log("temporal")

_FINALIZE = 5.0  # seconds
_Task = TypeVar("_Task")


class TaskQueue:
    """A polled task queue.

    Attributes:
        workflows: its cached runs.
        failed: done with an error when the engine can't poll any more.
    """

    def __init__(
        self,
        engine: CoreWorker,
        settings: WorkerSettings,
        rules: Rules,
        worker: WorkflowWorker,
        pool: WorkerPool | None,
        running: RunningActivities,
        wrappers: Wrappers,
    ) -> None:
        self.name = settings.task_queue
        self.workflows = Workflows(worker, rules, wrappers)
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._engine = engine
        self._settings = settings
        self._activities = Activities(engine, pool, running, self.name, settings.namespace, wrappers)
        self._tasks: set[asyncio.Task[None]] = set()
        self._polls: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"TaskQueue({self.name!r}, {self.workflows!r}, {len(self._tasks)} tasks)"

    def start(self) -> None:
        """Begin to poll."""
        if self._settings.workflows:
            self._polls.append(self._begin(self._poll(self._engine.poll_workflows, self._on_activation)))
        if self._settings.activities or self._settings.local_activities:
            self._polls.append(self._begin(self._poll(self._engine.poll_activities, self._on_activity)))

    def evict_lost(self) -> int:
        """Evict the runs that the present workflow worker does not have; they are replayed with their next task.

        Returns:
            their number.
        """
        lost = self.workflows.lost()
        for run_id in lost:
            self._engine.evict(run_id)
        return len(lost)

    def stop_polling(self) -> None:
        """Take no more tasks."""
        self.workflows.stopping = True
        self._engine.initiate_shutdown()

    async def wait(self, limit: float | None) -> bool:
        """Wait until all tasks have been completed.

        Returns:
            whether they have within ``limit`` seconds; ``None`` = no limit.
        """
        if not self._polls:
            return True
        _, late = await asyncio.wait(self._polls, timeout=limit)
        while not late and self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=limit)
        return not late

    async def close(self) -> None:
        """Release the engine's worker; what still runs is given up."""
        open_tasks = [*self._polls, *self._tasks]
        for task in open_tasks:
            task.cancel()
        await asyncio.gather(*open_tasks, return_exceptions=True)
        try:
            await asyncio.wait_for(self._engine.finalize_shutdown(), _FINALIZE)
        except (TimeoutError, RuntimeError) as error:
            log.debug("the engine's worker was not closed", task_queue=self.name, error=str(error))

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=f"temporal: polls {self.name}")

    async def _poll(self, poll: Callable[[], Awaitable[_Task]], handle: Callable[[_Task], Awaitable[None]]) -> None:
        while True:
            try:
                task = await poll()
            except PollShutdownError:
                return
            except RuntimeError as error:
                if not self.failed.done():
                    self.failed.set_result(str(error))
                return
            running = asyncio.ensure_future(handle(task))
            self._tasks.add(running)
            running.add_done_callback(self._tasks.discard)

    async def _on_activation(self, activation: WorkflowActivation) -> None:
        completion = await self.workflows.handle(activation)
        try:
            await self._engine.complete_workflow(completion)
        except RuntimeError as error:
            log.error("a workflow task could not be completed", run_id=activation.run_id, error=str(error))

    async def _on_activity(self, task: ActivityTask) -> None:
        if task.HasField("cancel"):
            self._activities.cancel(task)
            return
        completion = await self._activities.run(task)
        try:
            await self._engine.complete_activity(completion)
        except RuntimeError as error:
            log.error("an activity could not be completed", activity=task.start.activity_type, error=str(error))
