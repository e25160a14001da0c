"""Resets by ``resetter``, and their errors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pyroadrunner.plugins.resetter.errors import ResetFailed, UnknownPlugin
from pyroadrunner.plugins.resetter.plugin import ResetterPlugin
from pyroadrunner.workers.errors import WorkerStartError
from support.log import logged
from support.rpc import FakePlugin, FakePool, FakeSidecars, Refused


def call(method: str, argument: Any, *plugins: FakePlugin) -> Any:
    async def main() -> Any:
        result = ResetterPlugin(plugins).rpc_methods()[method].call(argument)
        return await result if hasattr(result, "__await__") else result

    return asyncio.run(main())


def test_plugins_with_pools_are_listed() -> None:
    assert call("List", True, FakePlugin("http"), FakePlugin("jobs")) == ["http", "jobs"]


def test_all_pools_of_the_plugin_and_of_no_other_are_reset() -> None:
    one, two, other = FakePool("http"), FakePool("http.slow"), FakePool("jobs")
    assert call("Reset", "http", FakePlugin("http", one, two), FakePlugin("jobs", other)) is True
    assert (one.resets, two.resets, other.resets) == (1, 1, 0)


@pytest.mark.parametrize("name", ["X", ""])
def test_an_unknown_plugin_is_refused_with_roadrunners_text(name: str) -> None:
    with pytest.raises(UnknownPlugin) as refused:
        call("Reset", name, FakePlugin("http"))
    assert str(refused.value) == f"resetter_rpc_reset:\n\tresetter_plugin_reset_by_name: no such plugin: {name}"


def test_a_pool_that_can_not_be_reset_is_named_with_its_reason_and_the_others_are_reset() -> None:
    broken = FakePool("http", fails=WorkerStartError(["php", "x.php"], "no hello", 1, "Fatal error"))
    fine = FakePool("http.slow")
    with pytest.raises(ResetFailed) as failed:
        call("Reset", "http", FakePlugin("http", broken, fine))
    assert "http: WorkerAllocate: no hello" in str(failed.value)
    assert "Fatal error" in str(failed.value)
    assert fine.resets == 1


def test_other_processes_are_restarted_and_their_failure_is_reported() -> None:
    async def main() -> None:
        fine, broken = FakeSidecars("service"), FakeSidecars("other", fails=Refused("no"))
        methods = ResetterPlugin([FakePlugin("http")], [fine, broken]).rpc_methods()
        assert methods["List"].call(True) == ["http", "service", "other"]
        assert await methods["Reset"].call("service") is True
        assert (fine.resets, broken.resets) == (1, 0)
        with pytest.raises(ResetFailed, match=r"^resetter_rpc_reset:\n\tother: no$"):
            await methods["Reset"].call("other")

    asyncio.run(main())


def test_a_bug_is_not_reported_as_a_failed_start() -> None:
    with pytest.raises(ZeroDivisionError):
        call("Reset", "http", FakePlugin("http", FakePool("http", fails=ZeroDivisionError())))


def test_one_pool_can_be_reset_by_its_name() -> None:
    one, two = FakePool("http"), FakePool("http.slow")
    assert call("Reset", "http.slow", FakePlugin("http", one, two)) is True
    assert (one.resets, two.resets) == (0, 1)
    with pytest.raises(UnknownPlugin):
        call("Reset", "http.fast", FakePlugin("http", one, two))


def test_a_reset_is_logged_on_the_channel_of_its_plugin() -> None:
    broken = FakePool("jobs", fails=Refused("no"))
    with logged("http") as http, logged("jobs") as jobs, logged("service") as service:
        assert call("Reset", "http", FakePlugin("http", FakePool("http")))
        assert call("Reset", "http.slow", FakePlugin("http", FakePool("http"), FakePool("http.slow")))
        with pytest.raises(ResetFailed):
            call("Reset", "jobs", FakePlugin("jobs", broken))
        asyncio.run(ResetterPlugin([], [FakeSidecars("service")]).rpc_methods()["Reset"].call("service"))
    received, done = "reset signal was received", "plugin was successfully reset"
    assert http.lines == [
        ("INFO", received, {}),
        ("INFO", done, {}),
        ("INFO", received, {"pool": "http.slow"}),
        ("INFO", done, {"pool": "http.slow"}),
    ]
    assert jobs.messages == [received, "reset failed"]
    assert service.messages == [received, done]
