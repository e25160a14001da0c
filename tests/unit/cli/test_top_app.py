"""The interactive view, without a terminal and without a server: keys pressed, texts read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from pyroadrunner.cli.top.actions import Actions
from pyroadrunner.cli.top.app import Settings, TopApp
from pyroadrunner.cli.top.table import LiveTable
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.sdk.rpc.errors import CallFailed, Unreachable
from support.overview import SECOND, STARTED, busy, overview, pipeline, plugin, pool, worker

NOWHERE = TcpAddress("127.0.0.1", 1)


class FakePoller:
    """Asks no server; the test says what one answers."""

    def __init__(self, _address: object, _interval: float, on_overview: Any, on_error: Any) -> None:
        self.answer: Callable[[Any], None] = on_overview
        self.fail: Callable[[Any], None] = on_error
        self.asked_again = threading.Event()

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def ask_now(self) -> None:
        self.asked_again.set()


class FakeActions(Actions):
    """Notes the calls; ``fails`` is raised instead."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.fails: CallFailed | None = None

    def _call(self, method: str, argument: Any) -> None:
        self.calls.append((method, argument))
        if self.fails is not None:
            raise self.fails


SERVER = (
    plugin(
        "http",
        pools=[pool("http"), pool("http.slow", workers=1, busy=1)],
        workers=[worker(1), worker(2), busy(3, "GET /slow", STARTED + 50 * SECOND, "http.slow")],
    ),
    plugin("jobs", pools=[], pipelines=[pipeline("mails"), pipeline("reports", state="paused")]),
    plugin("service", workers=[worker(4, "", command="sleep 9", statusStr="", created=0)]),
)


class Screen:
    """The view and its server.

    Attributes:
        poller: what the server answers.
        actions: what it was asked to do.
    """

    def __init__(self, settings: Settings) -> None:
        self.actions = FakeActions()
        self.app = TopApp(NOWHERE, settings, actions=lambda _: self.actions, poller=self._poll)
        self.pilot: Pilot[None]

    def _poll(self, *arguments: Any) -> Any:
        self.poller = FakePoller(*arguments)
        return self.poller

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    def start_over(self) -> None:
        """The cursors in the first rows, the focus on the workers, nothing called."""
        for name in ("pools", "pipelines", "workers"):
            self.table(name).move_cursor(row=0)
        self.app.screen.set_focus(self.table("workers"))
        self.actions.calls = []
        self.poller.asked_again.clear()

    async def answer(self, *plugins: Any, **more: Any) -> None:
        self.poller.answer(overview(*plugins, **more))
        await self.pilot.pause()

    def text(self, name: str) -> str:
        return str(self.app.query_one(f"#{name}", Static).render())

    def rows(self, name: str = "workers") -> list[list[str]]:
        return [[str(cell) for cell in row] for row in self.table(name).cells.values()]

    def pids(self) -> list[int]:
        return [int(row[0]) for row in self.rows()]

    def table(self, name: str) -> LiveTable:
        return self.app.query_one(f"#{name}", LiveTable)

    def headers(self, name: str = "workers") -> list[str]:
        return [str(header) for header in self.table(name).headers]


def view(
    test: Callable[[Screen], Coroutine[Any, Any, None]],
    *,
    settings: Settings | None = None,
    size: tuple[int, int] = (120, 32),
) -> None:
    """Run a test on a view that has had one answer."""

    async def main() -> None:
        screen = Screen(settings or Settings(sort="pid"))
        async with screen.app.run_test(size=size) as screen.pilot:
            await screen.answer(*SERVER)
            await test(screen)

    asyncio.run(main())


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_workers_pools_and_pipelines_are_shown() -> None:
    async def test(screen: Screen) -> None:
        assert screen.text("title") == "pyroadrunner 1.2.3, pid 4711, up 1 min 0 s"
        assert screen.pids() == [1, 2, 3, 4]
        assert screen.rows()[2][-3:] == ["http.slow", "10 s", "GET /slow"]
        assert [row[0] for row in screen.rows("pools")] == ["http", "http.slow"]
        assert [row[:2] for row in screen.rows("pipelines")] == [["mails", "ready"], ["reports", "paused"]]

    view(test)


def test_rates_appear_with_the_second_answer() -> None:
    async def test(screen: Screen) -> None:
        assert "requests/s -" in screen.text("figures")
        await screen.answer(plugin("http", pools=[pool("http", calls=1500)]), after=61.0)
        assert "requests/s 500" in screen.text("figures")

    view(test)


def test_the_longest_call_is_on_top_unless_told_otherwise() -> None:
    async def test(screen: Screen) -> None:
        assert screen.pids()[0] == 3
        assert "FOR ▼" in screen.headers()

    view(test, settings=Settings())


def test_without_the_overview_only_workers_are_shown_until_o_is_pressed() -> None:
    async def test(screen: Screen) -> None:
        assert not screen.table("pools").is_on_screen
        await screen.press("o")
        assert screen.table("pools").is_on_screen
        assert screen.headers()[:6] == ["PID ▲", "STATUS", "EXECS", "MEMORY", "CPU %", "CREATED"]  # RoadRunner's

    view(test, settings=Settings(overview=False, sort="pid"))


def test_sorting_goes_through_the_columns_and_back() -> None:
    async def test(screen: Screen) -> None:
        await screen.press("S")
        assert screen.pids() == [4, 3, 2, 1]
        await screen.press("s")
        assert "STATUS ▲" in screen.headers()
        for _ in range(8):
            await screen.press("s")
        assert screen.pids() == [1, 2, 3, 4]

    view(test)


def test_a_filter_hides_rows_until_escape() -> None:
    async def test(screen: Screen) -> None:
        await screen.press("slash", *"slow", "enter", "s", "S")  # after Enter, letters are keys again
        assert screen.pids() == [3]
        assert "STATUS ▼" in screen.headers()
        await screen.press("escape")
        assert len(screen.pids()) == 4

    view(test)


def test_the_cursor_stays_on_its_worker_when_rows_move() -> None:
    async def test(screen: Screen) -> None:
        await screen.press("down", "down")
        await screen.answer(plugin("http", pools=[pool("http.slow")], workers=[worker(3, "http.slow"), worker(9)]))
        await screen.press("R")
        assert screen.actions.calls == [("informer.RestartWorker", 3)]

    view(test)


def test_a_frozen_screen_does_not_change_until_space() -> None:
    async def test(screen: Screen) -> None:
        await screen.press("space")
        assert "frozen" in screen.text("title")
        await screen.answer(plugin("http", workers=[worker(9)]), after=61.0)
        assert screen.pids() == [1, 2, 3, 4]
        await screen.press("space")
        await screen.answer(plugin("http", workers=[worker(9)]), after=62.0)
        assert screen.pids() == [9]

    view(test)


def test_a_server_that_goes_away_and_comes_back_is_said_in_words() -> None:
    async def test(screen: Screen) -> None:
        screen.poller.fail(Unreachable("dial tcp 127.0.0.1:6001: connect: connection refused\nhint"))
        await screen.pilot.pause()
        message = screen.text("message")
        assert message.startswith("the server does not answer: dial tcp 127.0.0.1:6001: connect: connection refused\n")
        assert "old" in message
        assert screen.pids() == [1, 2, 3, 4]
        await screen.answer(*SERVER, pid=4712)
        assert screen.text("message") == "the server answers again, with the pid 4712"

    view(test)


def test_an_unknown_plugin_is_said() -> None:
    async def test(screen: Screen) -> None:
        assert screen.text("message") == "no such plugin: htp; the server has: http, jobs, service"

    view(test, settings=Settings(plugins=["htp"]))


@pytest.mark.parametrize("size", [(30, 8), (60, 14), (80, 24), (200, 60)])
def test_every_size_shows_workers_and_what_they_do(size: tuple[int, int]) -> None:
    async def test(screen: Screen) -> None:
        assert screen.table("workers").is_on_screen
        assert {"PID ▲", "NOW"} <= set(screen.headers())
        assert screen.table("pools").is_on_screen is (size[1] >= 20)
        await screen.pilot.resize_terminal(120, 40)
        await screen.pilot.pause()
        assert "CREATED" in screen.headers()
        assert screen.table("pools").is_on_screen

    view(test, size=size)


def test_help_lists_the_keys() -> None:
    async def test(screen: Screen) -> None:
        await screen.press("question_mark")
        assert "kill the selected worker" in str(screen.app.screen.query_one(Static).render())
        await screen.press("escape", "q")
        assert not screen.app.is_running

    view(test)


# -- what keys do ------------------------------------------------------------------------------------------------------


ACTIONS: list[tuple[list[str], list[tuple[str, Any]]]] = [
    (["k", "y"], [("informer.KillWorker", 1)]),
    (["k", "n"], []),
    (["k", "escape"], []),
    (["R"], [("informer.RestartWorker", 1)]),
    (["r", "y"], [("resetter.Reset", "http")]),
    (["r", "n"], []),
    (["plus"], [("informer.AddWorker", "http")]),
    (["minus"], [("informer.RemoveWorker", "http")]),
    (["down", "down", "minus"], [("informer.RemoveWorker", "http.slow")]),
    (["shift+tab", "shift+tab", "down", "plus"], [("informer.AddWorker", "http.slow")]),
    (["shift+tab", "p", "y"], [("jobs.Pause", {"pipelines": ["mails"]})]),
    (["shift+tab", "down", "p"], [("jobs.Resume", {"pipelines": ["reports"]})]),
    (["down", "down", "down", "r", "y"], [("resetter.Reset", "service")]),
    (["down", "down", "down", "k", "y"], []),
    (["p"], []),
]


def test_keys_act_on_the_selected_row() -> None:
    async def test(screen: Screen) -> None:
        for keys, calls in ACTIONS:
            screen.start_over()
            await screen.press(*keys)
            assert (keys, screen.actions.calls) == (keys, calls)
            assert screen.poller.asked_again.is_set() is bool(calls)

    view(test)


def test_the_outcome_is_said() -> None:
    async def test(screen: Screen) -> None:
        for keys, text in (
            (["k", "y"], "worker 1 was killed"),
            (["plus"], "http: a worker was added"),
            (["p"], "select a pipeline first: Tab moves to the next table"),
            (["down", "down", "down", "k"], "4 is no worker of a pool; r restarts all processes of service"),
        ):
            screen.start_over()
            await screen.press(*keys)
            assert screen.text("message") == text

    view(test)


def test_a_kill_names_the_request_that_fails() -> None:
    async def test(screen: Screen) -> None:
        await screen.press("down", "down", "k")
        assert str(screen.app.screen.query_one(Static).render()) == "Kill worker 3 of http.slow?\nGET /slow fails."

    view(test)


def test_a_refused_action_is_said() -> None:
    async def test(screen: Screen) -> None:
        screen.actions.fails = CallFailed("container is full")
        await screen.press("plus")
        assert screen.text("message") == "container is full"

    view(test)
