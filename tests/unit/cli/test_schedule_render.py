from __future__ import annotations

from typing import Any

from pyroadrunner.cli.schedule import render

RUN: dict[str, Any] = {
    "id": "7",
    "entry": "report",
    "trigger": "schedule",
    "scheduled": 1_780_000_000.0,
    "began": 1_780_000_000.25,
    "seconds": 1.5,
    "outcome": "failed",
    "detail": "exit status 3: no\n database",
    "server": "web-1:12",
}
ENTRY: dict[str, Any] = {
    "entry": "report",
    "schedule": "0 3 * * * Europe/Berlin",
    "timezone": "Europe/Berlin",
    "action": "php artisan report:send",
    "running": 0,
    "next": 1_780_016_400.0,
    "last": RUN,
}


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line[0] == "│"]


def test_entries_with_their_next_and_last_runs_in_their_time_zone() -> None:
    new = {**ENTRY, "entry": "new", "next": None, "last": None}
    busy = {**ENTRY, "entry": "busy", "running": 2}
    _, report, second, third = cells(render.entries([ENTRY, new, busy]))
    assert report == [
        "report",
        "0 3 * * * Europe/Berlin",
        "php artisan report:send",
        "2026-05-29 03:00:00 CEST",
        "2026-05-28 22:26:40 CEST",
        "failed",
        "1.500 s",
    ]
    assert second[3:] == ["", "", "", ""]
    assert third[5] == "2 running"


def test_times() -> None:
    found = [{"entry": "report", "time": 1_780_016_400.0, "timezone": "Nowhere/At-All"}]
    assert cells(render.times(found))[1] == ["2026-05-29 01:00:00 UTC", "report"]


def test_runs_with_their_durations_and_outcomes() -> None:
    running = {**RUN, "outcome": "running", "seconds": None, "detail": ""}
    _, failed, second = cells(render.runs([RUN, running]))
    assert failed == [
        "2026-05-28 20:26:40 UTC",
        "report",
        "schedule",
        "failed",
        "1.500 s",
        "web-1:12",
        "exit status 3: no database",
    ]
    assert second[3:] == ["running", "", "web-1:12", ""]


def test_one_run_and_nothing_at_all() -> None:
    assert render.run(RUN) == "report: failed after 1.500 s: exit status 3: no database"
    assert [render.entries([]), render.times([]), render.runs([])] == ["no entries", "no runs", "no runs"]
