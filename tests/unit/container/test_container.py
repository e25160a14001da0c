"""Plugins start one after the other and stop in reverse, whatever fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pyroadrunner.container import container as container_module
from pyroadrunner.container.container import Container
from pyroadrunner.container.errors import RunFailed, StartFailed, StopFailed
from support.log import logged
from support.plugins import Endless, Noting, Refused, Running, Undeclared


def test_stop_is_the_reverse_of_start() -> None:
    async def live() -> list[str]:
        notes: list[str] = []
        container = Container([Noting(name, notes) for name in "abc"])
        await container.start()
        assert await container.stop(5.0) == []
        assert await container.stop(5.0) == []
        return notes

    assert asyncio.run(live()) == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]


def test_what_waits_for_the_log_is_called_after_the_first_start() -> None:
    async def live() -> list[str]:
        notes: list[str] = []
        await Container([Noting("a", notes), Noting("b", notes)], logging=lambda: notes.append("log")).start()
        return notes

    assert asyncio.run(live()) == ["start a", "log", "start b"]


def test_a_failing_start_is_told_with_its_plugin_and_only_the_started_are_stopped() -> None:
    async def live() -> list[str]:
        notes: list[str] = []
        container = Container([Noting("a", notes), Noting("b", notes, "start"), Noting("c", notes)])
        with pytest.raises(StartFailed, match=r"^b: told to fail$"):
            await container.start()
        await container.stop(1.0)
        return notes

    assert asyncio.run(live()) == ["start a", "start b", "stop a"]


def test_a_stop_that_raises_does_not_keep_the_others_from_stopping() -> None:
    async def live() -> tuple[list[str], list[StopFailed]]:
        notes: list[str] = []
        container = Container([Noting("a", notes), Noting("b", notes, "stop", ValueError("x")), Noting("c", notes)])
        await container.start()
        return notes, await container.stop(1.0)

    notes, errors = asyncio.run(live())
    assert notes[3:] == ["stop c", "stop b", "stop a"]
    assert [str(error) for error in errors] == ["b: did not stop cleanly: ValueError: x"]


def test_each_is_told_what_is_left_of_the_grace() -> None:
    class Slow(Noting):
        async def stop(self, grace: float) -> None:
            await asyncio.sleep(grace)
            await super().stop(grace)

    async def live() -> tuple[list[float], list[float], list[float]]:
        first, slow, last = Noting("a", []), Slow("b", []), Noting("c", [])
        container = Container([first, slow, last])
        await container.start()
        await container.stop(0.01)
        return last.graces, slow.graces, first.graces

    (last,), (slow,), (first,) = asyncio.run(live())
    assert 0 < slow <= last <= 0.01
    assert first == 0.0


def test_methods_that_look_like_a_promise_are_not_called_and_a_debug_line_names_them() -> None:
    async def live() -> list[dict[str, Any]]:
        container = Container([Undeclared(), Noting("a", [])])
        with logged("endure") as log:
            await container.start()
            await container.stop(1.0)
        return log.of("plugin has the methods of a Protocol it does not inherit")

    assert asyncio.run(live()) == [
        {"plugin": "undeclared", "protocol": "HasRpc"},
        {"plugin": "undeclared", "protocol": "HasTask"},
    ]


def test_runs_begin_when_all_have_started_and_return_when_stopped() -> None:
    async def live() -> list[str]:
        notes: list[str] = []
        container = Container([Running("a", notes), Noting("b", notes)])
        await container.start()
        await asyncio.sleep(0)
        await container.stop(1.0)
        return notes

    assert asyncio.run(live()) == ["start a", "start b", "run a", "stop b", "stop a", "ran a"]


@pytest.mark.parametrize(
    ("error", "raised", "text"), [(Refused("gone"), RunFailed, "a: gone"), (KeyError("bug"), KeyError, "'bug'")]
)
def test_a_run_that_fails_is_told(error: Exception, raised: type[Exception], text: str) -> None:
    async def live() -> list[str]:
        notes: list[str] = []
        container = Container([Running("a", notes, "run", error), Running("b", notes)])
        await container.start()
        with pytest.raises(raised) as caught:
            await container.failed()
        assert str(caught.value) == text
        await container.stop(1.0)
        return notes

    assert asyncio.run(live())[-3:] == ["stop b", "ran b", "stop a"]


def test_a_run_that_does_not_return_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_module, "_LAST_SECONDS", 0.0)

    async def live() -> int:
        container = Container([Endless("a", [])])
        await container.start()
        await container.stop(1.0)
        return len(asyncio.all_tasks())

    assert asyncio.run(live()) == 1
