"""The calls of ``rr top`` to the server."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.cli.top.model import Model
from pyroadrunner.cli.top.overview import take
from pyroadrunner.sdk.rpc.errors import CallFailed
from support.overview import overview, plugin


class FakeServer:
    """Answers calls from a table; an exception is raised."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def call(self, method: str, _argument: Any = True) -> Any:
        self.asked.append(method)
        answer = self._answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_one_call_is_enough() -> None:
    server = FakeServer({"informer.Overview": overview(plugin("http"))})
    assert take(server)["plugins"][0]["name"] == "http"  # type: ignore[arg-type]
    assert server.asked == ["informer.Overview"]


THEIRS = {
    "pid": 7,
    "status": 2,
    "numExecs": 3,
    "created": 1_700_000_000_000_000_000,
    "memoryUsage": 1 << 20,
    "CPUPercent": 1.5,
    "command": "",
    "statusStr": "working",
}


def test_roadrunner_itself_is_asked_plugin_by_plugin() -> None:
    server = FakeServer(
        {
            "informer.Overview": CallFailed("rpc: can't find method informer.Overview"),
            "informer.List": ["http", "service"],
            "informer.WorkerDetails": CallFailed("rpc: can't find method informer.WorkerDetails"),
            "informer.Workers": {"workers": [dict(THEIRS), {**THEIRS, "pid": 8, "statusStr": "ready"}]},
            "informer.Jobs": [
                {
                    "Pipeline": "mails",
                    "Driver": "memory",
                    "Queue": "q",
                    "Active": 1,
                    "Delayed": 2,
                    "Reserved": 3,
                    "Ready": False,
                }
            ],
        }
    )
    view = Model().update(take(server))  # type: ignore[arg-type]
    assert [(pool.name, pool.workers, pool.busy, pool.free, pool.calls) for pool in view.pools] == [
        ("http", 2, 1, 1, 6)
    ]
    assert (view.pid, view.version, view.uptime) == (0, "", None)
    assert (view.pipelines[0].state, view.pipelines[0].reserved) == ("paused", 3)
    assert len(view.workers) == 4


def test_other_errors_are_not_hidden() -> None:
    server = FakeServer({"informer.Overview": CallFailed("no")})
    with pytest.raises(CallFailed, match=r"^no$"):
        take(server)  # type: ignore[arg-type]
