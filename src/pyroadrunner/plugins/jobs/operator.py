"""What operators do with jobs on the broker: look at them, retry dead letters, purge.

Every driver can do it with :meth:`Driver.take` alone: take, then release, push elsewhere, or delete. The server holds
the looked-at jobs for a moment, so other consumers do not get them meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from pyroadrunner.plugins.jobs.dead_letters import origin, revived
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, Delivery, Done, Job
from pyroadrunner.plugins.jobs.errors import JobsError, NoAnswer
from pyroadrunner.plugins.jobs.pipeline import JobPipeline
from pyroadrunner.plugins.jobs.pipelines import Pipelines

_LOOKED_AT = 100  # jobs, unless the caller says otherwise
_AT_ONCE = 1000


class NoOrigin(JobsError):
    """A dead letter does not say where it has failed, or that pipeline is gone."""

    def __init__(self, job: Job, name: str) -> None:
        where = f"its pipeline {name} does not exist" if name else "it has no header that names its pipeline"
        super().__init__(f"the job {job.id} can't be retried: {where}")


async def peek(pipeline: JobPipeline, limit: int, ids: Collection[str]) -> list[Job]:
    """Jobs that wait on the broker, or those of them with these ids; they stay there."""
    async with _taken(pipeline, limit or _LOOKED_AT, ids) as taken:
        return [delivery.job for delivery in taken if not ids or delivery.job.id in ids]


async def buried_in(pipelines: Pipelines, name: str, limit: int, ids: Collection[str]) -> list[Job]:
    """The dead letters of a pipeline; without a name those of all dead letter pipelines."""
    found: list[Job] = []
    for pipeline in _targets(pipelines, name):
        jobs = await peek(pipeline, limit, ids)
        found += [replace(job, pipeline=pipeline.name) for job in jobs if origin(job)]
    return found


async def retry(pipelines: Pipelines, name: str, limit: int, ids: Collection[str]) -> int:
    """Put dead letters back into the pipelines where they have failed, without the history in their headers.

    Returns:
        how many.

    Raises:
        NoOrigin, BrokerError: of the first that can't be retried; those before it are.
    """
    count = 0
    for pipeline in _targets(pipelines, name):
        count += await _retry_from(pipelines, pipeline, limit, ids)
    return count


async def _retry_from(pipelines: Pipelines, pipeline: JobPipeline, limit: int, ids: Collection[str]) -> int:
    """One job at most once: a job that fails again meanwhile stays, or this would never end."""
    retried: set[str] = set()
    while True:
        size = min(_AT_ONCE, limit - len(retried)) if limit else _AT_ONCE
        before = len(retried)
        async with _taken(pipeline, size, ids) as taken:
            full = len(taken) >= size
            for delivery in list(taken):
                job = delivery.job
                if not origin(job) or job.id in retried or (ids and job.id not in ids):
                    continue
                try:
                    target = pipelines.find(origin(job))
                except JobsError as error:
                    raise NoOrigin(job, origin(job)) from error
                await _within(pipeline, target.push([replace(revived(job), pipeline=target.name)]))
                taken.remove(delivery)
                await _within(pipeline, pipeline.driver.ack(delivery))
                retried.add(job.id)
        if ids or not full or len(retried) == before or len(retried) == limit:
            return len(retried)


async def purge(pipeline: JobPipeline, ids: Collection[str]) -> int:
    """Delete the jobs that wait on the broker, or those of them with these ids.

    Returns:
        how many.
    """
    count = 0
    while True:
        async with _taken(pipeline, _AT_ONCE, ids) as taken:
            chosen = [delivery for delivery in taken if not ids or delivery.job.id in ids]
            full = not ids and len(taken) == _AT_ONCE
            for delivery in chosen:
                taken.remove(delivery)
                await _within(pipeline, pipeline.driver.ack(delivery))
            count += len(chosen)
        if not full or not chosen:
            return count


def _targets(pipelines: Pipelines, name: str) -> Sequence[JobPipeline]:
    return [pipelines.find(name)] if name else [pipelines.find(one) for one in pipelines.dead_letter_names()]


@asynccontextmanager
async def _taken(pipeline: JobPipeline, limit: int, ids: Collection[str]) -> AsyncIterator[list[Delivery]]:
    """Jobs held by this call; those that are left in the list at its end are released.

    Args:
        limit: how many; with ``ids`` as many as it takes to find these.
    """
    taken: list[Delivery] = []
    missing = set(ids)
    try:
        while True:
            size = _AT_ONCE if ids else limit
            try:
                async with asyncio.timeout(pipeline.timeout):
                    await pipeline.connection.wait()
                    found = await pipeline.driver.take(size)
            except TimeoutError:
                raise NoAnswer(pipeline.name, pipeline.timeout) from None
            taken += found
            missing -= {delivery.job.id for delivery in found}
            if not missing or len(found) < size:
                break
        yield taken
    finally:
        for delivery in reversed(taken):
            try:
                await _within(pipeline, pipeline.driver.release(delivery))
            except (BrokerError, NoAnswer):
                break  # the broker delivers them again when the connection ends


async def _within(pipeline: JobPipeline, pending: Done) -> None:
    try:
        async with asyncio.timeout(pipeline.timeout):
            if pending is not None:
                await pending
    except TimeoutError:
        raise NoAnswer(pipeline.name, pipeline.timeout) from None
