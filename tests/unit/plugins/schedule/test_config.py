from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.plugins.schedule.config import ScheduleConfig
from pyroadrunner.remote.redis.config import RedisConfig
from support.schedule import read_section, schedule_section

DAILY = {"cron": "@daily", "command": "true"}


def faults(**keys: Any) -> list[str]:
    section, reader = read_section(**keys)
    assert (section is None) == bool(reader.faults)
    return [f"{fault.path}: {fault.message}" for fault in reader.faults]


def fault(**keys: Any) -> str:
    [found] = faults(entries={"e": keys})
    return found.removeprefix("schedule.entries.e")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"command": "true"}, ": needs a time: `cron`, `interval` or `at`"),
        ({"cron": "@daily"}, ": needs an action: `job`, `http` or `command`"),
        ({**DAILY, "interval": "5s"}, ".interval: can't be combined with `cron`: an entry has one kind of time"),
        ({**DAILY, "http": {"path": "/"}}, ".command: can't be combined with `http`: an entry has one action"),
        ({"interval": "100ms", "command": "true"}, ".interval: should be at least 1s"),
        (
            {**DAILY, "cron": "0 25 * * *"},
            '.cron: "0 25 * * *": bad hour "25" (field 2 of 5); allowed are 0-23',
        ),
        ({**DAILY, "cron": "* * */20 * 1L"}, ".cron: never matches"),
        (
            {**DAILY, "timezone": "Berlin"},
            '.timezone: "Berlin" is not a time zone of this machine;'
            " write Europe/Berlin or UTC (pip install tzdata for all)",
        ),
        (
            {"at": "tomorrow", "command": "true"},
            ".at: is not a date with a time; write 2026-12-24 18:00 or 2026-12-24T18:00:00+01:00",
        ),
        ({**DAILY, "overlap": "never"}, '.overlap: is "never"'),
        ({"cron": "@daily", "http": {"path": "/"}, "user": "nobody"}, ".user: is only for `command`"),
        ({"cron": "@daily", "http": {"path": "cron"}}, ".http.path: should begin with /"),
        (
            {"cron": "@daily", "http": {"path": "/", "method": "get"}},
            ".http.method: is not a method: write GET, POST, ...",
        ),
        (
            {"cron": "@daily", "http": {"path": "/", "headers": {"a b": "c"}}},
            '.http.headers: "a b" is not a valid header',
        ),
        ({"cron": "@daily", "job": {"pipeline": "p"}}, ".job.name: is required"),
        ({"cron": "@daily", "job": {"pipeline": "", "name": "n"}}, ".job.pipeline: should not be empty"),
    ],
)
def test_a_fault_names_its_key(keys: dict[str, Any], message: str) -> None:
    assert fault(**keys) == message


def test_the_section_has_faults_of_its_own() -> None:
    assert sorted(faults(history=0, driver="etcd")) == [
        'schedule.driver: is "etcd"',
        "schedule.history: can't be less than 1",
    ]
    assert faults(timezone="Mars/Base", prefix="")[1] == "schedule.prefix: should not be empty"


def test_redis_has_its_settings_in_its_own_section_or_elsewhere() -> None:
    assert dict(schedule_section(driver="redis").elsewhere()) == {"redis": RedisConfig}
    assert dict(schedule_section(driver="redis", config={"addrs": "10.0.0.1:6379"}).elsewhere()) == {}
    assert dict(ScheduleConfig().elsewhere()) == {}
