"""The page of ``temporal``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pyroadrunner.contracts import Figures, Table
from pyroadrunner.plugins.temporal.pages import queues_page
from pyroadrunner.plugins.temporal.worker_info import WorkerInfo


def host(**fields: Any) -> Any:
    info = WorkerInfo(task_queue="default", options={}, workflows=[], activities=["charge", "refund"])
    defaults = {"state": "ready", "error": "", "namespace": "shop", "running": {b"1": None}, "infos": [info]}
    return SimpleNamespace(**{**defaults, "cached_runs": lambda: 7, **fields})


def test_it_shows_the_connection_the_counters_and_the_task_queues() -> None:
    figures, table = queues_page(host()).blocks
    assert isinstance(figures, Figures)
    assert [figure.value for figure in figures.figures] == ["ready", "shop", 1, 7]
    assert isinstance(table, Table)
    [row] = table.rows
    assert (row.id, row.cells["activities"], row.details["Activity types"]) == ("default", 2, "charge\nrefund")


def test_a_server_that_is_away_is_an_error() -> None:
    assert queues_page(host(state="connecting", error="no route")).error == "no route"
