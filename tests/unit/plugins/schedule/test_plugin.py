"""The start and the reload of the plugin."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from pyroadrunner.config.effective import Leaf
from pyroadrunner.contracts import EffectiveConfig
from pyroadrunner.plugins.schedule.errors import (
    RedisNotInstalled,
    ScheduleError,
    SectionMissing,
    StoreNotUsable,
    UserUnknown,
)
from pyroadrunner.plugins.schedule.plugin import SchedulePlugin
from pyroadrunner.plugins.schedule.timetable import next_slot
from support.schedule import START, schedule_section
from support.virtual_time import in_virtual_time

DIRECT = "pyroadrunner.remote.redis.direct"


class Config(EffectiveConfig):
    def as_dict(self) -> dict[str, Any]:
        return {}

    def leaves(self) -> Sequence[Leaf]:
        return ()

    def section(self, name: str) -> msgspec.Struct | None:
        return None

    @property
    def experimental(self) -> bool:
        return False


def plugin(**keys: Any) -> SchedulePlugin:
    return SchedulePlugin(schedule_section(**keys), Config(), None, None)


@in_virtual_time
async def refusal(**keys: Any) -> ScheduleError:
    with pytest.raises(ScheduleError) as refused:
        await plugin(**keys).start()
    return refused.value


def test_an_action_needs_the_section_of_its_plugin() -> None:
    error = refusal(entries={"e": {"cron": "@daily", "http": {"path": "/"}}})
    assert isinstance(error, SectionMissing)
    assert str(error) == "schedule.entries.e.http: needs the section `http`"


def test_a_command_needs_its_user() -> None:
    error = refusal(entries={"e": {"cron": "@daily", "command": "true", "user": "no-such-user"}})
    assert isinstance(error, UserUnknown)
    assert str(error) == "schedule.entries.e.user: there is no user `no-such-user` on this machine"


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = ("pyroadrunner.plugins.schedule.stores.redis", "pyroadrunner.remote.redis.client", DIRECT)
    for name in loaded:
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ["hiredis", *(name for name in sys.modules if name.startswith("hiredis."))]:
        monkeypatch.setitem(sys.modules, name, None)
    error = refusal(driver="redis")
    assert isinstance(error, RedisNotInstalled)
    assert "pip install 'pyroadrunner[redis]'" in str(error)


def test_a_file_that_can_not_be_opened_is_named(tmp_path: Any) -> None:
    from asyncio import run

    async def start() -> None:
        with pytest.raises(StoreNotUsable) as refused:
            await plugin(driver="file", file=str(tmp_path / "missing" / "state.db")).start()
        assert str(tmp_path / "missing" / "state.db") in str(refused.value)

    run(start())


@in_virtual_time
async def test_times_are_in_the_time_zone_of_the_entry_or_of_the_section() -> None:
    daily = {"cron": "@daily", "command": "true"}
    at = {"at": "2030-01-01 00:00", "command": "true"}
    one = plugin(timezone="Europe/Berlin", entries={"here": daily, "utc": {**daily, "timezone": "UTC"}, "at": at})
    await one.start()
    slots = {entry.name: next_slot(entry.timetable, START) or 0 for entry in one.scheduler}
    assert (slots["utc"] - slots["here"]) / 3_600_000 in (2, -22)
    assert slots["at"] == 1_893_452_400_000
    await one.stop(1)


@in_virtual_time
async def test_a_reload_keeps_entries_that_have_not_changed_and_counters_of_those_that_have() -> None:
    daily = {"cron": "@daily", "command": "true"}
    one = plugin(entries={"same": daily, "zone": daily, "changed": daily, "gone": daily})
    await one.start()
    before = {entry.name: entry for entry in one.scheduler}
    before["changed"].figures.outcomes["ok"] = 7
    changed = schedule_section(
        timezone="UTC",
        entries={
            "same": daily,
            "zone": {**daily, "timezone": "Europe/Berlin"},
            "changed": {**daily, "command": "false"},
            "new": daily,
        },
    )
    prepared = await one.prepare_reload(changed, {})
    assert {entry.name for entry in one.scheduler} == {"same", "zone", "changed", "gone"}
    prepared.apply()
    after = {entry.name: entry for entry in one.scheduler}
    assert set(after) == {"same", "zone", "changed", "new"}
    assert after["same"] is before["same"]
    assert after["zone"] is not before["zone"]
    assert after["changed"].figures.outcomes["ok"] == 7
    assert str(after["changed"].action) == "false"
    impossible = schedule_section(entries={"web": {"cron": "@daily", "http": {"path": "/"}}})
    with pytest.raises(SectionMissing):
        await one.prepare_reload(impossible, {})
    await one.stop(1)
