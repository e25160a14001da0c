"""The metrics of ``schedule``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pyroadrunner.contracts import MetricFamily, Sample
from pyroadrunner.plugins.schedule.entry import BOUNDS, Entry


def schedule_metrics(entries: Iterable[Entry], *, connected: bool) -> Sequence[MetricFamily]:
    """All families. Counters are of this server.

    Args:
        connected: whether the store answers.
    """
    found = list(entries)
    runs = [
        Sample({"entry": one.name, "outcome": outcome}, one.figures.outcomes[outcome])
        for one in found
        for outcome in ("ok", "failed", "skipped")
    ]
    seconds = [sample for one in found for sample in _buckets(one)]
    nexts = [Sample(_of(one), one.plan.next / 1000) for one in found if one.plan and one.plan.next is not None]
    last = [Sample(_of(one), one.figures.last_run / 1000) for one in found if one.figures.last_run]
    success = [Sample(_of(one), one.figures.last_success / 1000) for one in found if one.figures.last_success]
    return [
        MetricFamily("rr_schedule_runs_total", "counter", "Runs that have ended, by outcome.", runs),
        MetricFamily("rr_schedule_run_seconds", "histogram", "How long runs took.", seconds),
        MetricFamily(
            "rr_schedule_running", "gauge", "Runs that run now.", [Sample(_of(one), len(one.running)) for one in found]
        ),
        MetricFamily(
            "rr_schedule_missed_total",
            "counter",
            "Missed runs that were dropped.",
            [Sample(_of(one), one.figures.missed) for one in found],
        ),
        MetricFamily("rr_schedule_next_run_timestamp_seconds", "gauge", "Time of the next run.", nexts),
        MetricFamily("rr_schedule_last_run_timestamp_seconds", "gauge", "End of the last run.", last),
        MetricFamily("rr_schedule_last_success_timestamp_seconds", "gauge", "End of the last successful run.", success),
        MetricFamily(
            "rr_schedule_store_connected",
            "gauge",
            "Whether the store of claims and history answers.",
            [Sample({}, int(connected))],
        ),
    ]


def _of(entry: Entry) -> dict[str, str]:
    return {"entry": entry.name}


def _buckets(entry: Entry) -> Iterator[Sample]:
    so_far = 0
    for bound, count in zip((*map("{:g}".format, BOUNDS), "+Inf"), entry.figures.buckets, strict=True):
        so_far += count
        yield Sample({**_of(entry), "le": bound}, so_far, "_bucket")
    yield Sample(_of(entry), entry.figures.total, "_sum")
    yield Sample(_of(entry), so_far, "_count")
