"""The pages of ``jobs`` on the dashboard: pipelines, and failed jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pyroadrunner.contracts import (
    Action,
    Column,
    Page,
    PageInfo,
    RoadRunnerError,
    Row,
    Table,
    UnknownAction,
    excerpt,
)
from pyroadrunner.plugins.jobs.dead_letters import AT, ERROR, REASON, TRIES, origin, revived
from pyroadrunner.plugins.jobs.drivers.contract import Job
from pyroadrunner.plugins.jobs.failures import Failure, Failures
from pyroadrunner.plugins.jobs.operator import buried_in, purge, retry
from pyroadrunner.plugins.jobs.pipeline import JobPipeline
from pyroadrunner.plugins.jobs.pipelines import Pipelines

PIPELINES, FAILED = "pipelines", "failed"
_MOST = 100  # dead letters on the page

_INFOS = (
    PageInfo(name=PIPELINES, title="Jobs"),
    PageInfo(name=FAILED, title="Failed jobs", refresh=0),  # looking at dead letters takes them from the broker
)
_PIPELINE_COLUMNS = (
    Column(key="pipeline", label="Pipeline"),
    Column(key="driver", label="Driver"),
    Column(key="state", label="State", kind="state"),
    Column(key="active", label="Waiting", kind="number"),
    Column(key="delayed", label="Delayed", kind="number"),
    Column(key="reserved", label="Held", kind="number"),
    Column(key="running", label="Running", kind="number"),
    Column(key="rate", label="Jobs/s", kind="number"),
    Column(key="done", label="Done", kind="number"),
    Column(key="failed", label="Failed", kind="number"),
    Column(key="error", label="Error"),
)
_PIPELINE_ACTIONS = (
    Action(name="pause", label="Pause"),
    Action(name="resume", label="Resume"),
)
_LETTER_COLUMNS = (
    Column(key="job", label="Job"),
    Column(key="id", label="Id", kind="code"),
    Column(key="from", label="Pipeline"),
    Column(key="reason", label="Reason"),
    Column(key="attempts", label="Attempts", kind="number"),
    Column(key="at", label="Failed", kind="time"),
    Column(key="error", label="Error"),
)
_LETTER_ACTIONS = (
    Action(name="retry", label="Retry"),
    Action(name="delete", label="Delete", confirm="Delete this job for good?", danger=True),
)
_FAILURE_COLUMNS = (
    Column(key="job", label="Job"),
    Column(key="id", label="Id", kind="code"),
    Column(key="pipeline", label="Pipeline"),
    Column(key="attempts", label="Attempts", kind="number"),
    Column(key="at", label="Failed", kind="time"),
    Column(key="then", label="Then"),
    Column(key="error", label="Error"),
)
_FAILURE_ACTIONS = (Action(name="push", label="Run again"),)


class JobPages:
    """The pages.

    Args:
        failures: ``None`` = they are not kept.
    """

    infos: Sequence[PageInfo] = _INFOS

    def __init__(self, pipelines: Pipelines, failures: Failures | None) -> None:
        self._pipelines = pipelines
        self._failures = failures
        self._looks: dict[str, tuple[float, int]] = {}  # time and number of jobs at the last look

    async def page(self, name: str) -> Page:
        return await (self._failed() if name == FAILED else self._running())

    async def run_action(self, page: str, action: str, row: str) -> str:
        """Run an action.

        Raises:
            NoSuchPipeline, BrokerError, NoAnswer, UnknownAction
        """
        if page == PIPELINES and action == "pause":
            await self._pipelines.pause(row)
            return f"{row} is paused. Jobs that run go on."
        if page == PIPELINES and action == "resume":
            await self._pipelines.resume(row)
            return f"{row} receives jobs."
        if page == FAILED and action in ("retry", "delete"):
            name, _, job = row.partition("/")
            return await self._with_letter(action, name, job)
        if page == FAILED and action == "retry-all" and not row:
            return f"{await retry(self._pipelines, '', 0, ())} jobs run again."
        if page == FAILED and action == "push":
            return await self._push_again(row)
        raise UnknownAction(page, action)

    # -- pipelines -----------------------------------------------------------------------------------------------------

    async def _running(self) -> Page:
        now = time.monotonic()
        rows = await asyncio.gather(*(self._row(pipeline, now) for pipeline in self._pipelines))
        self._looks = {name: look for name, look in self._looks.items() if now - look[0] < 60}
        table = Table(
            title="Pipelines",
            columns=_PIPELINE_COLUMNS,
            rows=rows,
            actions=_PIPELINE_ACTIONS,
            empty="There are no pipelines.",
            note="Waiting, delayed and held jobs are counted by the broker.",
        )
        return Page(blocks=[table])

    async def _row(self, pipeline: JobPipeline, now: float) -> Row:
        state = await pipeline.look()
        figures = pipeline.figures
        ended = figures.done + figures.failed
        before, count = self._looks.get(pipeline.name, (now, ended))
        self._looks[pipeline.name] = now, ended
        return Row(
            id=pipeline.name,
            cells={
                "pipeline": pipeline.name,
                "driver": state.driver,
                "state": state.state,
                "active": state.active,
                "delayed": state.delayed,
                "reserved": state.reserved,
                "running": pipeline.lane.running,
                "rate": round((ended - count) / (now - before), 1) if now > before else None,
                "done": figures.done,
                "failed": figures.failed,
                "error": state.error_message,
            },
            actions=["resume"] if state.state == "paused" else ["pause"],
        )

    # -- failed jobs ---------------------------------------------------------------------------------------------------

    async def _failed(self) -> Page:
        """Dead letters of all pipelines, and the last failures of this server."""
        blocks, error = [], ""
        names = self._pipelines.dead_letter_names()
        if names:
            letters: list[Job] = []
            try:
                letters = await buried_in(self._pipelines, "", _MOST, ())
            except RoadRunnerError as wrong:
                error = str(wrong)
            blocks.append(
                Table(
                    title="Dead letters",
                    columns=_LETTER_COLUMNS,
                    rows=[_letter(job) for job in letters],
                    actions=_LETTER_ACTIONS,
                    empty="No job has failed for good.",
                    note=f"Kept in: {', '.join(names)}. At most {_MOST} jobs of each are shown.",
                )
            )
        if self._failures is not None:
            blocks.append(
                Table(
                    title="Last failures",
                    columns=_FAILURE_COLUMNS,
                    rows=[_failure(one) for one in self._failures],
                    actions=_FAILURE_ACTIONS,
                    empty="No job has failed since the start.",
                    note="The last 50 failed runs of this server. A dropped job is kept here only.",
                )
            )
        actions = [Action(name="retry-all", label="Retry all dead letters", confirm="Retry all dead letters?")]
        return Page(blocks=blocks, actions=actions if names else (), error=error)

    async def _with_letter(self, action: str, name: str, job: str) -> str:
        if action == "retry":
            count = await retry(self._pipelines, name, 0, {job})
            done = f"The job {job} runs again."
        else:
            count = await purge(self._pipelines.find(name), {job})
            done = f"The job {job} was deleted."
        return done if count else f"The job {job} is not there any more."

    async def _push_again(self, row: str) -> str:
        failure = self._failures.take(int(row)) if self._failures is not None and row.isdecimal() else None
        if failure is None or not (failure.lost and failure.whole):
            return "The job is not kept any more."
        target = self._pipelines.find(failure.job.pipeline)
        pending = target.push([replace(revived(failure.job), pipeline=target.name)])
        if pending is not None:
            await pending
        return f"The job {failure.job.id} was pushed again."


def _letter(job: Job) -> Row:
    def header(name: str) -> str:
        values = job.headers.get(name)
        return values[0] if values else ""

    cells = {
        "job": job.name,
        "id": job.id,
        "from": origin(job),
        "reason": header(REASON),
        "attempts": header(TRIES),
        "at": _moment(header(AT)),
        "error": _first_line(header(ERROR)),
    }
    details = {"Error": header(ERROR), **_details(job)}
    return Row(id=f"{job.pipeline}/{job.id}", cells=cells, actions=["retry", "delete"], details=details)


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _failure(one: Failure) -> Row:
    return Row(
        id=str(one.number),
        cells={
            "job": one.job.name,
            "id": one.job.id,
            "pipeline": one.job.pipeline,
            "attempts": one.attempts,
            "at": one.at,
            "then": one.then,
            "error": _first_line(one.error),
        },
        actions=["push"] if one.lost and one.whole else [],
        details={"Error": one.error, **_details(one.job)},
    )


def _details(job: Job) -> dict[str, str]:
    headers = "\n".join(f"{name}: {', '.join(values)}" for name, values in job.headers.items())
    return {"Payload": excerpt(bytes(job.payload)), "Headers": excerpt(headers)}


def _first_line(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= 120 else f"{line[:120]}..."
