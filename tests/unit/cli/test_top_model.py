"""Rates, current CPU and the order of rows, computed from overviews."""

from __future__ import annotations

import pytest

from pyroadrunner.cli.plugin_names import UnknownPlugin
from pyroadrunner.cli.top.model import SORTS, Model, arranged
from support.overview import SECOND, STARTED, busy, overview, pipeline, plugin, pool, worker


def test_the_first_overview_has_no_rates_and_the_average_cpu() -> None:
    http = plugin("http", pools=[pool("http")], workers=[worker(1)])
    view = Model().update(overview(http))
    assert (view.pid, view.version, view.uptime) == (4711, "1.2.3", 60.0)
    assert (view.totals.requests_per_second, view.totals.jobs_per_second) == (None, None)
    assert (view.pools[0].calls_per_second, view.pools[0].calls, view.workers[0].cpu) == (None, 1000, 12.5)


def test_rates_are_differences_by_the_clock_of_the_server() -> None:
    model = Model()
    first = plugin("http", pools=[pool("http")], workers=[worker(1)])
    model.update(overview(first, after=60.0))
    later = plugin("http", pools=[pool("http", calls=1100, failed=5)], workers=[worker(1, cpuSeconds=11.0)])
    view = model.update(overview(later, after=62.0))
    assert (view.pools[0].calls_per_second, view.pools[0].failed_per_second) == (50.0, 1.0)
    assert (view.workers[0].cpu, view.pools[0].cpu) == (50.0, 50.0)


def test_after_a_restart_of_the_server_there_is_no_rate_below_zero() -> None:
    model = Model()
    model.update(overview(plugin("http", pools=[pool("http", calls=1_000_000)])))
    new = overview(plugin("http", pools=[pool("http", calls=1)]), after=61.0, pid=4712)
    assert model.update(new).pools[0].calls_per_second is None
    same_again = overview(plugin("http", pools=[pool("http", calls=0)]), after=62.0, pid=4712)
    assert model.update(same_again).pools[0].calls_per_second == 0.0


def test_a_pid_used_again_by_another_worker_has_no_old_cpu_time() -> None:
    model = Model()
    model.update(overview(plugin("http", workers=[worker(1, cpuSeconds=50.0)])))
    new = worker(1, created=STARTED + SECOND, cpuSeconds=0.1, CPUPercent=3.0)
    assert model.update(overview(plugin("http", workers=[new]), after=61.0)).workers[0].cpu == 3.0


def test_jobs_are_not_requests_and_their_failures_count_once() -> None:
    def at(after: float, number: int) -> dict[str, object]:
        return overview(
            plugin("http", pools=[pool("http", calls=number, failed=number, queued=2)]),
            plugin(
                "jobs",
                pools=[pool("jobs", calls=number, failed=number, queued=1)],
                pipelines=[pipeline("a", done=number, failed=number), pipeline("b", done=0, failed=0)],
            ),
            after=after,
        )

    model = Model()
    model.update(at(60.0, 0))
    totals = model.update(at(61.0, 10)).totals
    assert (totals.requests_per_second, totals.jobs_per_second, totals.errors_per_second) == (10.0, 20.0, 20.0)
    assert (totals.queued, totals.workers) == (2, 4)


def test_a_call_lasts_since_it_began_and_the_age_of_a_service_is_unknown() -> None:
    http = plugin("http", workers=[busy(1, "GET /slow", STARTED + 55 * SECOND)])
    service = plugin("service", workers=[worker(2, "", created=0, command="sleep 9", statusStr="")])
    first, second = Model().update(overview(http, service)).workers
    assert (first.busy_for, first.age, first.activity) == (5.0, 60.0, "GET /slow")
    assert (second.busy_for, second.age, second.activity, second.pool) == (None, None, "sleep 9", "")


@pytest.mark.parametrize(
    ("names", "pids", "pools"),
    [
        ([], [1, 2, 3], ["http", "http.slow", "jobs"]),
        (["http"], [1, 2], ["http", "http.slow"]),
        (["http.slow"], [2], ["http.slow"]),
    ],
)
def test_only_the_named_plugins_and_pools_are_shown(names: list[str], pids: list[int], pools: list[str]) -> None:
    found = overview(
        plugin("http", pools=[pool("http"), pool("http.slow")], workers=[worker(1), worker(2, "http.slow")]),
        plugin("jobs", pools=[pool("jobs")], workers=[worker(3, "jobs")], pipelines=[pipeline("mails")]),
    )
    view = Model(names).update(found)
    assert [row.pid for row in view.workers] == pids
    assert [row.name for row in view.pools] == pools
    assert len(view.pipelines) == (not names)


def test_an_unknown_plugin_is_refused() -> None:
    with pytest.raises(UnknownPlugin, match="no such plugin: htp; the server has: http"):
        Model(["htp"]).update(overview(plugin("http")))


ROWS = (
    Model()
    .update(
        overview(
            plugin(
                "http",
                workers=[
                    worker(3, memoryUsage=1, CPUPercent=1.2, numExecs=5),
                    busy(2, "GET /b", STARTED + 59 * SECOND, memoryUsage=2, CPUPercent=1.4, created=STARTED + 9),
                    busy(1, "GET /a", STARTED + 10 * SECOND, "http.slow", memoryUsage=3, CPUPercent=90.0),
                ],
            )
        )
    )
    .workers
)


@pytest.mark.parametrize(
    ("sort", "pids"),
    [
        ("pid", [1, 2, 3]),
        ("pool", [2, 3, 1]),
        ("status", [3, 2, 1]),
        ("execs", [2, 1, 3]),
        ("memory", [1, 2, 3]),
        ("cpu", [1, 2, 3]),
        ("created", [2, 3, 1]),
        ("for", [1, 2, 3]),
        ("now", [3, 1, 2]),
    ],
)
def test_workers_are_sorted_by_any_column(sort: str, pids: list[int]) -> None:
    assert [row.pid for row in arranged(ROWS, sort)] == pids


def test_the_order_can_be_reversed() -> None:
    assert [row.pid for row in arranged(ROWS, "pid", reverse=True)] == [3, 2, 1]
    assert [row.pid for row in arranged(ROWS, "for", reverse=True)] == [3, 2, 1]


def test_calls_of_less_than_a_second_keep_their_places() -> None:
    since = STARTED + 60 * SECOND - SECOND // 10
    workers = [busy(pid, "GET /", since - pid * 1000) for pid in (5, 6, 7)]
    rows = Model().update(overview(plugin("http", workers=workers))).workers
    assert [row.pid for row in arranged(rows, "for")] == [5, 6, 7]


@pytest.mark.parametrize(("text", "pids"), [("SLOW", [1]), ("get /b", [2]), ("working", [1, 2]), ("3", [3]), ("x", [])])
def test_rows_are_filtered_by_any_text_they_show(text: str, pids: list[int]) -> None:
    assert [row.pid for row in arranged(ROWS, "pid", text=text)] == pids


def test_every_column_of_workers_sorts() -> None:
    from pyroadrunner.cli.top.columns import WORKERS

    assert {column.key for column in WORKERS} == SORTS.keys()
