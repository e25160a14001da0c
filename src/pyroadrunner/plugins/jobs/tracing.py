"""The trace of a job: from the caller through the push to the worker, in the job's headers.

Headers are RoadRunner's: ``Traceparent``, ``Tracestate``, ``Baggage``, ``Uber-Trace-Id``, in this spelling. Those that
a caller has sent are found whatever their case, so the trace of an HTTP request continues. Without the section ``otel``
headers pass unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyroadrunner.contracts import Span, Tracing
from pyroadrunner.plugins.jobs.drivers.contract import Delivery, Headers, Job
from pyroadrunner.plugins.jobs.pipeline import JobPipeline


class PushTracer:
    """Begins and ends the spans of jobs.

    Args:
        tracing: a live view; empty without the section ``otel``.
    """

    def __init__(self, tracing: Sequence[Tracing]) -> None:
        self._plugins = tracing
        self._tracing: Tracing | None = None

    def start(self) -> None:
        """Find the plugin that records traces; all plugins are constructed now."""
        self._tracing = next(iter(self._plugins), None)

    def publish(self, jobs: Sequence[Job], pipeline: JobPipeline) -> tuple[Sequence[Job], Sequence[Span]]:
        """The jobs with the traces of their push, and its spans, to be ended when the broker has the jobs."""
        tracing = self._tracing
        if tracing is None:
            return jobs, ()
        spans = [self._begin(tracing, "publish", job, pipeline) for job in jobs]
        traced = [
            replace(job, headers=_with(job.headers, span, tracing)) for job, span in zip(jobs, spans, strict=True)
        ]
        return traced, spans

    def process(self, delivery: Delivery, pipeline: JobPipeline) -> Span | None:
        """The span of a run; the worker continues it."""
        tracing = self._tracing
        if tracing is None:
            return None
        span = self._begin(tracing, "process", delivery.job, pipeline)
        delivery.job = replace(delivery.job, headers=_with(delivery.job.headers, span, tracing))
        return span

    def _begin(self, tracing: Tracing, operation: str, job: Job, pipeline: JobPipeline) -> Span:
        names = tracing.propagated_headers
        carried = [
            (name.lower().encode(), values[0].encode())
            for name, values in job.headers.items()
            if values and name.lower().encode() in names
        ]
        attributes: dict[str, str | int] = {
            "messaging.system": pipeline.settings.driver,
            "messaging.destination.name": pipeline.name,
            "messaging.operation.type": "send" if operation == "publish" else "process",
            "messaging.message.id": job.id,
            "messaging.message.body.size": len(job.payload),
        }
        return tracing.begin_trace(f"{operation} {pipeline.name}", carried, attributes)


def _with(headers: Headers, span: Span, tracing: Tracing) -> Headers:
    own = {_spelled(name.decode()): [value.decode()] for name, value in span.headers()}
    if not own:
        return headers
    names = tracing.propagated_headers
    return {**{name: values for name, values in headers.items() if name.lower().encode() not in names}, **own}


def _spelled(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
