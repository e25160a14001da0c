"""``rr top`` as text and as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyroadrunner.cli.top.columns import PIPELINES, POOLS, WORKERS, fitting, rate
from pyroadrunner.cli.top.model import Model, View
from pyroadrunner.cli.top.plain import as_json, error_as_json, text
from pyroadrunner.errors import RoadRunnerError
from support.overview import SECOND, STARTED, busy, overview, pipeline, plugin, pool, worker


def seen(*plugins: dict[str, Any]) -> View:
    model = Model()
    model.update(overview(*plugins, after=3599.0))
    return model.update(overview(*plugins, after=3600.0))


SHOP = seen(
    plugin(
        "http",
        pools=[pool("http", busy=1, free=1, queued=3, oldestWait=1.25)],
        workers=[worker(7), busy(8, "GET /slow", STARTED + 3590 * SECOND)],
    ),
    plugin("jobs", pipelines=[pipeline("mails", active=5)]),
)

TEXT = """\
pyroadrunner 1.2.3, pid 4711, up 1 h 0 min
requests/s 0   jobs/s 0   errors/s 0   queue 3   busy 1 of 2   memory 48 MB   CPU 0 %
┌──────┬─────────┬──────┬───────┬─────────────┬─────────┬──────────┬────────┬───────┬───────┬────────┐
│ POOL │ WORKERS │ BUSY │ QUEUE │ OLDEST WAIT │ CALLS/S │ ERRORS/S │ MEMORY │ CPU % │ CALLS │ FAILED │
├──────┼─────────┼──────┼───────┼─────────────┼─────────┼──────────┼────────┼───────┼───────┼────────┤
│ http │       2 │    1 │     3 │       1.2 s │       0 │        0 │  48 MB │     0 │ 1,000 │      3 │
└──────┴─────────┴──────┴───────┴─────────────┴─────────┴──────────┴────────┴───────┴───────┴────────┘
┌──────────┬───────┬─────────┬────────┬─────────┬──────────┬────────┬──────────┬────────┬───────┐
│ PIPELINE │ STATE │ RUNNING │ ACTIVE │ DELAYED │ RESERVED │ JOBS/S │ ERRORS/S │ DRIVER │ ERROR │
├──────────┼───────┼─────────┼────────┼─────────┼──────────┼────────┼──────────┼────────┼───────┤
│ mails    │ ready │       0 │      5 │       0 │        0 │      0 │        0 │ memory │       │
└──────────┴───────┴─────────┴────────┴─────────┴──────────┴────────┴──────────┴────────┴───────┘
┌─────┬─────────┬───────┬────────┬───────┬────────────┬──────┬──────┬───────────┐
│ PID │ STATUS  │ EXECS │ MEMORY │ CPU % │  CREATED   │ POOL │ FOR  │    NOW    │
├─────┼─────────┼───────┼────────┼───────┼────────────┼──────┼──────┼───────────┤
│   7 │ ready   │ 1,234 │  24 MB │   0.0 │ 1 hour ago │ http │      │           │
│   8 │ working │ 1,234 │  24 MB │   0.0 │ 1 hour ago │ http │ 10 s │ GET /slow │
└─────┴─────────┴───────┴────────┴───────┴────────────┴──────┴──────┴───────────┘"""


def test_the_text_has_sums_pools_pipelines_and_workers() -> None:
    assert text(SHOP, coloured=False) == TEXT


def test_colours_are_added_only_on_request() -> None:
    assert "\x1b" not in text(SHOP, coloured=False)
    assert "queue \x1b[33m3\x1b[0m" in text(SHOP, coloured=True)
    assert "\x1b[32mworking\x1b[0m" in text(SHOP, coloured=True)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 150])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert all(len(line) <= width for line in text(SHOP, coloured=False, width=width).splitlines())


def test_narrow_terminals_keep_what_a_worker_does() -> None:
    assert [column.key for column in fitting(WORKERS, 40)] == ["pid", "status", "for", "now"]
    assert {"pool", "workers", "busy", "queue", "calls", "errors"} == {column.key for column in fitting(POOLS, 40)}
    assert len(fitting(PIPELINES, 0)) == len(PIPELINES)


def test_without_workers_it_says_so() -> None:
    assert text(seen(plugin("http")), coloured=False).endswith("\nno workers")


def test_control_characters_of_a_request_are_not_printed() -> None:
    evil = seen(plugin("http", workers=[busy(1, "GET /\x1b[2J", STARTED)]))
    assert "\x1b" not in text(evil, coloured=False)


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (0.0, "0"), (0.25, "0.2"), (12.4, "12"), (10231.0, "10,231")]
)
def test_rates_are_short(value: float | None, shown: str) -> None:
    assert rate(value) == shown


def keys(value: object) -> object:
    """The shape of a document: keys and types."""
    if isinstance(value, dict):
        return {name: keys(one) for name, one in value.items()}
    if isinstance(value, list):
        return [keys(value[0])] if value else []
    return type(value).__name__


def test_the_json_has_these_keys() -> None:
    """The schema that docs/top.md promises: scripts read it."""
    assert keys(json.loads(as_json(SHOP))) == {
        "server": {"pid": "int", "version": "str", "uptime": "float"},
        "totals": {
            "requests_per_second": "float",
            "jobs_per_second": "float",
            "errors_per_second": "float",
            "workers": "int",
            "busy": "int",
            "queued": "int",
            "memory": "int",
            "cpu": "float",
        },
        "pools": [
            {
                "plugin": "str",
                "name": "str",
                "workers": "int",
                "busy": "int",
                "free": "int",
                "queued": "int",
                "oldest_wait": "float",
                "calls": "int",
                "failed": "int",
                "calls_per_second": "float",
                "failed_per_second": "float",
                "memory": "int",
                "cpu": "float",
            }
        ],
        "pipelines": [
            {
                "plugin": "str",
                "name": "str",
                "driver": "str",
                "queue": "str",
                "state": "str",
                "error": "str",
                "running": "int",
                "active": "int",
                "delayed": "int",
                "reserved": "int",
                "done": "int",
                "failed": "int",
                "done_per_second": "float",
                "failed_per_second": "float",
            }
        ],
        "workers": [
            {
                "plugin": "str",
                "pool": "str",
                "pid": "int",
                "status": "str",
                "execs": "int",
                "memory": "int",
                "cpu": "float",
                "age": "float",
                "busy_for": "NoneType",
                "activity": "str",
            }
        ],
    }


def test_a_line_of_json_has_no_line_breaks_and_an_error_is_a_document_too() -> None:
    assert "\n" not in as_json(SHOP, indent=None)
    assert json.loads(error_as_json(RoadRunnerError("away"), 80)) == {"error": "away"}
