"""Settings of the driver ``redis``."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.jobs.declaration import read_declaration
from pyroadrunner.plugins.jobs.drivers.redis.config import DRIVER, RedisJobsConfig
from pyroadrunner.plugins.jobs.errors import BadDeclaration
from pyroadrunner.remote.redis.config import RedisConfig


def test_a_declaration_with_a_connection_of_its_own() -> None:
    values = {"queue": "mails", "visibility_timeout": "5m", "redis": '{"addrs": ["a:1"], "db": 2}'}
    assert read_declaration("redis", DRIVER, values).config == RedisJobsConfig(
        queue="mails", visibility_timeout=300.0, redis=RedisConfig(addrs=["a:1"], db=2)
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [("queue", ""), ("queue", "a{b}"), ("prefix", "{"), ("visibility_timeout", "10ms"), ("prefetch", "0")],
)
def test_values_that_can_not_work(key: str, value: str) -> None:
    with pytest.raises(BadDeclaration, match=key):
        read_declaration("redis", DRIVER, {key: value})
