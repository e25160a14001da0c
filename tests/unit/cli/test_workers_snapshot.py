"""The calls of ``rr workers`` to the server."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.cli.workers.snapshot import take
from pyroadrunner.sdk.rpc.errors import CallFailed


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


def test_the_details_are_requested() -> None:
    server = FakeServer(
        {
            "informer.List": ["http"],
            "informer.WorkerDetails": {"workers": [{"pid": 2}, {"pid": 1}]},
            "informer.Jobs": None,
        }
    )
    [view] = take(server, [])  # type: ignore[arg-type]
    assert [worker["pid"] for worker in view.workers] == [1, 2]
    assert "informer.Workers" not in server.asked


@pytest.mark.parametrize("workers", [[{"pid": 1}], None])
def test_roadrunner_itself_is_asked_for_workers(workers: list[dict[str, Any]] | None) -> None:
    server = FakeServer(
        {
            "informer.List": ["http"],
            "informer.WorkerDetails": CallFailed("rpc: can't find method informer.WorkerDetails"),
            "informer.Workers": {"workers": workers},
            "informer.Jobs": None,
        }
    )
    [view] = take(server, [])  # type: ignore[arg-type]
    assert (view.workers, view.error) == (workers or [], "")


def test_any_other_error_is_shown_instead_of_the_workers() -> None:
    failure = CallFailed("no")
    server = FakeServer({"informer.List": ["http"], "informer.WorkerDetails": failure})
    [view] = take(server, [])  # type: ignore[arg-type]
    assert (view.workers, view.error) == ([], "no")
    assert server.asked == ["informer.List", "informer.WorkerDetails"]
