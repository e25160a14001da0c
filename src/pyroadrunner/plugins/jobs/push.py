"""Push jobs to a pipeline, with figures."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from time import monotonic

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.jobs.drivers.contract import Done, Job
from pyroadrunner.plugins.jobs.errors import CallFailed
from pyroadrunner.plugins.jobs.figures import Pushes
from pyroadrunner.plugins.jobs.pipeline import JobPipeline


class Push:
    """One push with its figures and errors.

    Args:
        figures: of its kind: single, or in batches.
        operation: begins the text of an error.
    """

    __slots__ = ("_began", "_figures", "_jobs", "_operation", "_pipeline")

    def __init__(self, pipeline: JobPipeline, jobs: Sequence[Job], figures: Pushes, operation: str) -> None:
        self._pipeline = pipeline
        self._jobs = jobs
        self._figures = figures
        self._operation = operation
        self._began = monotonic()

    def begin(self) -> Done:
        """Push; ``None`` = done.

        Raises:
            CallFailed: here, or when the result is awaited.
        """
        try:
            pending = self._pipeline.push(self._jobs)
        except RoadRunnerError as error:
            raise self._failed(error) from error
        if pending is None:
            self._done()
            return None
        return self._end(pending)

    async def _end(self, pending: Awaitable[None]) -> None:
        try:
            await pending
        except RoadRunnerError as error:
            raise self._failed(error) from error
        self._done()

    def _done(self) -> None:
        self._pipeline.figures.pushed += len(self._jobs)
        self._figures.count += len(self._jobs)
        self._figures.latency.add(monotonic() - self._began)

    def _failed(self, error: RoadRunnerError) -> CallFailed:
        self._pipeline.figures.push_errors += len(self._jobs)
        self._figures.count += len(self._jobs)
        return CallFailed(f"{self._operation}:\n\t{self._pipeline.settings.driver}_push", error)
