"""Push a job."""

from __future__ import annotations

from pyroadrunner.contracts import NewJob, PushesJobs
from pyroadrunner.plugins.schedule.actions.contract import Occasion
from pyroadrunner.plugins.schedule.config import JobAction


class PushJob:
    """Implements :class:`~pyroadrunner.plugins.schedule.actions.contract.Action`. The id of the job is that of the
    run; the headers ``rr_schedule_entry`` and ``rr_schedule_time`` name the entry and the time."""

    def __init__(self, config: JobAction, jobs: PushesJobs) -> None:
        self._config = config
        self._jobs = jobs

    def __str__(self) -> str:
        return f"job {self._config.name} -> {self._config.pipeline}"

    async def run(self, occasion: Occasion) -> str:
        config = self._config
        headers = {
            **{name.decode(): [value.decode()] for name, value in occasion.trace},
            **{name: [value] for name, value in config.headers.items()},
            "rr_schedule_entry": [occasion.entry],
            "rr_schedule_time": [occasion.time],
        }
        await self._jobs.push_job(
            NewJob(
                id=occasion.id,
                name=config.name,
                pipeline=config.pipeline,
                payload=config.payload.encode(),
                headers=headers,
                priority=config.priority,
                delay=config.delay,
            )
        )
        return f"pushed {occasion.id}"
