"""The metrics of ``jobs``: RoadRunner's, then ours per pipeline. (jobs.md, section 6)"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from pyroadrunner.contracts import MetricFamily, Sample
from pyroadrunner.plugins.jobs.figures import Histogram, PipelineFigures
from pyroadrunner.plugins.jobs.pipeline import JobPipeline

_STATES = ("connecting", "ready", "paused", "failed")


def job_metrics(pipelines: Iterable[JobPipeline], gone: PipelineFigures) -> Sequence[MetricFamily]:
    """All families.

    Args:
        gone: sums of destroyed pipelines, so that the totals never shrink.
    """
    found = list(pipelines)
    figures = [gone, *(pipeline.figures for pipeline in found)]
    return [*_totals(figures), *_pushes(found), *_per_pipeline(found)]


def _totals(figures: Sequence[PipelineFigures]) -> Iterator[MetricFamily]:
    totals: dict[str, tuple[str, str, Callable[[PipelineFigures], int]]] = {
        "jobs_ok": ("gauge", "Jobs whose worker has answered.", lambda one: one.done),
        "jobs_err": ("gauge", "Jobs whose worker has not answered properly.", lambda one: one.failed),
        "push_ok": ("gauge", "Pushed jobs.", lambda one: one.pushed),
        "push_err": ("gauge", "Jobs that could not be pushed.", lambda one: one.push_errors),
        "jobs_requeue": ("counter", "Jobs that their worker has put back.", lambda one: one.requeued),
    }
    for name, (kind, text, figure) in totals.items():
        yield MetricFamily(f"rr_jobs_{name}", kind, text, [Sample({}, sum(map(figure, figures)))])


def _pushes(pipelines: Sequence[JobPipeline]) -> Iterator[MetricFamily]:
    kinds = [
        ({"job": pipeline.name, "driver": pipeline.settings.driver, "source": source}, pushes)
        for pipeline in pipelines
        for source, pushes in (("single", pipeline.figures.single), ("batch", pipeline.figures.batch))
        if pushes.count
    ]
    yield MetricFamily(
        "rr_jobs_requests_total", "counter", "Pushed jobs.", [Sample(labels, pushes.count) for labels, pushes in kinds]
    )
    samples = [sample for labels, pushes in kinds for sample in _buckets(labels, pushes.latency)]
    yield MetricFamily("rr_jobs_push_latency", "histogram", "Duration of pushes.", samples)


def _per_pipeline(pipelines: Sequence[JobPipeline]) -> Iterator[MetricFamily]:
    gauges: dict[str, tuple[str, Callable[[JobPipeline], int]]] = {
        "queue": ("Jobs in the server that wait for a worker.", lambda one: len(one.lane)),
        "running": ("Jobs that run now.", lambda one: one.lane.running),
        "unsettled": ("Jobs that the server holds: waiting, running, being settled.", lambda one: one.unsettled),
    }
    for name, (text, figure) in gauges.items():
        samples = [Sample(_labels(one), figure(one)) for one in pipelines]
        yield MetricFamily(f"rr_jobs_pipeline_{name}", "gauge", text, samples)
    counters: dict[str, tuple[str, Callable[[PipelineFigures], int]]] = {
        "retries": ("Failed jobs that run again.", lambda one: one.retried),
        "dead_letters": ("Jobs moved to the dead letter pipeline.", lambda one: one.buried),
        "dropped": ("Failed jobs that were deleted.", lambda one: one.dropped),
    }
    for name, (text, count) in counters.items():
        samples = [Sample(_labels(one), count(one.figures)) for one in pipelines]
        yield MetricFamily(f"rr_jobs_pipeline_{name}_total", "counter", text, samples)
    yield MetricFamily(
        "rr_jobs_pipeline_state",
        "gauge",
        "1 for the current state of a pipeline, 0 for the others.",
        [Sample({**_labels(one), "state": state}, int(one.state == state)) for one in pipelines for state in _STATES],
    )
    yield MetricFamily(
        "rr_jobs_wait_seconds",
        "histogram",
        "Time from the arrival of a job in the server to its run.",
        [sample for one in pipelines for sample in _buckets(_labels(one), one.figures.waits)],
    )
    yield MetricFamily(
        "rr_jobs_run_seconds",
        "histogram",
        "Time that workers took for a job.",
        [sample for one in pipelines for sample in _buckets(_labels(one), one.figures.runs)],
    )


def _labels(pipeline: JobPipeline) -> dict[str, str]:
    return {"pipeline": pipeline.name, "driver": pipeline.settings.driver}


def _buckets(labels: dict[str, str], histogram: Histogram) -> Iterator[Sample]:
    so_far = 0
    for bound, count in zip((*map("{:g}".format, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        so_far += count
        yield Sample({**labels, "le": bound}, so_far, "_bucket")
    yield Sample(labels, histogram.total, "_sum")
    yield Sample(labels, so_far, "_count")
