"""The progress text of `rr stop`."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.cli.stop.render import waiting_for

NOW = 1000.0


def worker(status: str, activity: str = "", seconds: float = 0) -> dict[str, Any]:
    since = int((NOW - seconds) * 1e9) if activity else 0
    return {"pid": 1, "statusStr": status, "activity": activity, "activitySince": since}


@pytest.mark.parametrize(
    ("workers", "text"),
    [
        (None, "waiting for the server to end"),
        ([], "waiting for the server to end"),
        ([worker("stopping")], "waiting for 1 worker to end"),
        ([worker("ready"), worker("stopping")], "waiting for 2 workers to end"),
        ([worker("working")], "waiting for 1 request"),
        ([worker("working", "GET /slow", 3), worker("ready")], "waiting for 1 request: GET /slow (3.0 s)"),
        (
            [worker("working", "GET /a", 3), worker("working"), worker("working", "POST /b", 75)],
            "waiting for 3 requests: POST /b (1 min 15 s), GET /a (3.0 s), 1 more",
        ),
        (
            [worker("working", f"GET /{number}", 9 - number) for number in range(5)],
            "waiting for 5 requests: GET /0 (9.0 s), GET /1 (8.0 s), GET /2 (7.0 s), 2 more",
        ),
        ([worker("working", "GET /\x1b[2J", 1)], "waiting for 1 request: GET /?[2J (1.0 s)"),
        ([{"pid": 1, "statusStr": "working"}], "waiting for 1 request"),
    ],
)
def test_running_requests_are_shown_oldest_first(workers: list[dict[str, Any]] | None, text: str) -> None:
    assert waiting_for(workers, NOW) == text
