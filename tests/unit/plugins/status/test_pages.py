"""Responses to probes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import pytest

from pyroadrunner.admin.app import AdminRequest
from pyroadrunner.admin.response import AdminResponse
from pyroadrunner.contracts import HasMonitoringPages, MonitoringPage, PipelineState
from pyroadrunner.plugins.status.checks import Check, Checks
from pyroadrunner.plugins.status.pages import Pages
from support.log import logged


class Told:
    """A plugin with a scripted status; an exception is raised, and ``...`` never returns."""

    def __init__(self, name: str, healthy: Any = True, ready: Any = True) -> None:
        self.name = name
        self._healthy = healthy
        self._ready = ready

    async def healthy(self) -> bool:
        return await _answer(self._healthy)

    async def ready(self) -> bool:
        return await _answer(self._ready)


async def _answer(value: Any) -> bool:
    if isinstance(value, Exception):
        raise value
    if value is ...:
        await asyncio.Event().wait()
    return bool(value)


def ask(target: str, plugins: Sequence[Told], *, stopping: bool = False, code: int = 555) -> AdminResponse:
    pages = Pages(Checks(plugins, code, 0.0 if any(p._healthy is ... for p in plugins) else 20.0), code)
    if stopping:
        pages.stopping = True
    path, _, query = target.partition("?")
    return asyncio.run(pages.answer(AdminRequest(path, parse_qs(query))))


def entries(response: AdminResponse) -> list[tuple[str, str, int]]:
    return [tuple(entry.values()) for entry in json.loads(response.body)]


BAD = "internal server error, see logs"


def test_healthy_is_200_with_roadrunners_body() -> None:
    answer = ask("/health", [Told("http")])
    assert answer.status == 200
    assert answer.body == b'[{"plugin_name":"http","error_message":"","status_code":200}]'
    assert answer.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize(("path", "code"), [("/health", 200), ("/ready", 555), ("/ready/", 555)])
def test_a_busy_plugin_is_healthy_and_not_ready(path: str, code: int) -> None:
    answer = ask(path, [Told("http", ready=False)])
    assert answer.status == code
    assert entries(answer)[0][2] == code


def test_an_unhealthy_plugin_is_reported_with_the_others() -> None:
    answer = ask("/health", [Told("http"), Told("jobs", healthy=False)])
    assert answer.status == 555
    assert entries(answer) == [("http", "", 200), ("jobs", BAD, 555)]


def test_requested_plugins_are_reported_and_unknown_ones_left_out() -> None:
    plugins = [Told("http"), Told("jobs", healthy=False), Told("grpc")]
    assert entries(ask("/health?plugin=http&plugin=grpc", plugins)) == [("http", "", 200), ("grpc", "", 200)]
    with logged("status") as log:
        answer = ask("/health?plugin=nope", plugins)
    assert (answer.status, answer.body) == (200, b"[]")
    assert log.of("plugin does not exist or has no status") == [{"plugin": "nope"}]
    assert ask("/health", []).body == b"[]"


@pytest.mark.parametrize("healthy", [ValueError("bug"), ...])
def test_a_plugin_that_fails_or_hangs_is_unhealthy_and_hides_no_other(healthy: Any) -> None:
    with logged("status") as log:
        answer = ask("/health", [Told("jobs", healthy=healthy)])
    assert answer.status == 555
    assert entries(answer) == [("jobs", BAD, 555)]
    assert len(log.of("check failed")) + len(log.of("a plugin did not answer its health check in time")) == 1


@pytest.mark.parametrize(("path", "code"), [("/health", 200), ("/ready", 503), ("/jobs", 503), ("/else", 404)])
def test_while_stopping_it_is_healthy_and_not_ready(path: str, code: int) -> None:
    answer = ask(path, [Told("http")], stopping=True)
    assert answer.status == code
    assert code == 404 or answer.body == "service is shutting down\n"


@pytest.mark.parametrize("path", ["/", "/healthz", "/health/x"])
def test_there_are_no_other_pages(path: str) -> None:
    assert ask(path, [Told("http")]).status == 404


def test_without_jobs_there_are_no_pipelines() -> None:
    answer = ask("/jobs", [Told("http")])
    assert (answer.status, answer.body) == (555, "jobs plugin not found\n")


def test_one_plugin_can_be_checked_over_rpc() -> None:
    checks = Checks([Told("http", ready=False)], 503, 20.0)
    assert asyncio.run(checks.code(Check.HEALTH, "http")) == 200
    assert asyncio.run(checks.code(Check.READY, "http")) == 503
    assert asyncio.run(checks.code(Check.READY, "jobs")) is None


class Queues:
    """A plugin with two pipelines; the second has this error."""

    name = "jobs"

    def __init__(self, error: str = "") -> None:
        self._error = error

    async def pipelines(self) -> list[PipelineState]:
        ready = PipelineState(pipeline="p", driver="memory", queue="p", active=2, ready=True, priority=5, state="ready")
        return [ready, PipelineState(pipeline="q", driver="amqp", state="connecting", error_message=self._error)]


def ask_jobs(queues: Queues) -> AdminResponse:
    return asyncio.run(Pages(Checks([], 555, 20.0), 555, [queues]).answer(AdminRequest("/jobs", {})))


def test_pipelines_are_listed_with_roadrunners_keys_in_its_order() -> None:
    answer = ask_jobs(Queues())
    assert answer.status == 200
    assert json.loads(answer.body)[0] == {
        "pipeline": "p",
        "priority": 5,
        "ready": True,
        "queue": "p",
        "active": 2,
        "delayed": 0,
        "reserved": 0,
        "driver": "memory",
        "error_message": "",
        "state": "ready",
    }
    assert list(json.loads(answer.body)[0])[:2] == ["pipeline", "priority"]


def test_a_pipeline_with_an_error_is_told_with_the_code_of_unavailability() -> None:
    answer = ask_jobs(Queues("dial tcp: refused"))
    assert answer.status == 555
    assert [one["error_message"] for one in json.loads(answer.body)] == ["", "dial tcp: refused"]


def test_a_plugin_says_what_is_wrong_and_stays_healthy() -> None:
    class Explained(Told):
        def status_message(self) -> str:
            return "redis is away"

    plugin = Explained("websocket", ready=False)
    checks = Checks([plugin, Told("http")], 503, 20.0, [plugin])

    def shown(check: Check) -> list[tuple[str, str, int]]:
        found = asyncio.run(checks.entries(check))
        return [(one.plugin_name, one.error_message, one.status_code) for one in found]

    assert shown(Check.READY) == [("websocket", "redis is away", 503), ("http", "", 200)]
    assert shown(Check.HEALTH) == [("websocket", "redis is away", 200), ("http", "", 200)]


class Paged(HasMonitoringPages):
    """A plugin with a page."""

    name = "paged"

    def monitoring_pages(self) -> Mapping[str, Callable[[Mapping[str, Sequence[str]]], Awaitable[MonitoringPage]]]:
        async def page(query: Mapping[str, Sequence[str]]) -> MonitoringPage:
            return MonitoringPage(status=200, body=str(dict(query)).encode())

        return {"/sd": page}


def test_a_page_of_a_plugin_is_served() -> None:
    pages = Pages(Checks([], 503, 20.0), 503, (), [Paged()])
    found = asyncio.run(pages.answer(AdminRequest("/sd/", {"kind": ["http"]})))
    assert (found.status, found.content) == (200, b"{'kind': ['http']}")
    assert found.content_type == "application/json"
    assert asyncio.run(pages.answer(AdminRequest("/other", {}))).status == 404
