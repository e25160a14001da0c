"""Push jobs to a pipeline, with figures and spans."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from time import monotonic

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.jobs.drivers.contract import Done, Job
from pyroadrunner.plugins.jobs.errors import CallFailed
from pyroadrunner.plugins.jobs.figures import Pushes
from pyroadrunner.plugins.jobs.pipeline import JobPipeline
from pyroadrunner.plugins.jobs.tracing import PushTracer


class Push:
    """One push with its figures, spans and errors.

    Args:
        figures: of its kind: single, or in batches.
        operation: begins the text of an error.
        tracer: adds the trace to the headers of the jobs.
    """

    __slots__ = ("_began", "_figures", "_jobs", "_operation", "_pipeline", "_spans")

    def __init__(
        self, pipeline: JobPipeline, jobs: Sequence[Job], figures: Pushes, operation: str, tracer: PushTracer
    ) -> None:
        self._pipeline = pipeline
        self._jobs, self._spans = tracer.publish(jobs, pipeline)
        self._figures = figures
        self._operation = operation
        self._began = monotonic()

    def begin(self) -> Done:
        """Push; ``None`` = done.

        Raises:
            CallFailed: here, or when the result is awaited.
        """
        pending: Done = None
        try:
            pending = self._pipeline.push(self._jobs)
        except RoadRunnerError as error:
            raise self._failed(error) from error
        finally:
            if pending is None:
                self._end_spans()
        if pending is None:
            self._done()
            return None
        return self._wait(pending)

    async def _wait(self, pending: Awaitable[None]) -> None:
        try:
            await pending
        except RoadRunnerError as error:
            raise self._failed(error) from error
        finally:
            self._end_spans()
        self._done()

    def _end_spans(self) -> None:
        for span in self._spans:
            span.end()

    def _done(self) -> None:
        self._pipeline.figures.pushed += len(self._jobs)
        self._figures.count += len(self._jobs)
        self._figures.latency.add(monotonic() - self._began)

    def _failed(self, error: RoadRunnerError) -> CallFailed:
        self._pipeline.figures.push_errors += len(self._jobs)
        self._figures.count += len(self._jobs)
        for span in self._spans:
            span.fail(str(error))
        return CallFailed(f"{self._operation}:\n\t{self._pipeline.settings.driver}_push", error)
