"""Strings of ``jobs.Declare`` -> typed settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pyroadrunner.config.values import Duration, StringList
from pyroadrunner.plugins.jobs import declaration
from pyroadrunner.plugins.jobs.config import pipeline_model
from pyroadrunner.plugins.jobs.declaration import read_declaration
from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig
from pyroadrunner.plugins.jobs.errors import BadDeclaration


class Options(PipelineConfig, kw_only=True, frozen=True):
    """Settings of every kind."""

    queue: str
    durable: bool = False
    prefetch: int = 10
    queue_headers: dict[str, Any] = {}
    topics: StringList = []
    options: dict[str, int] | None = None
    reserve_timeout: Duration = 1.0


def in_seconds(values: Mapping[str, str]) -> Mapping[str, Any]:
    return {key: f"{value}s" if key == "reserve_timeout" else value for key, value in values.items()}


INFO = DriverInfo(config=Options, make="nowhere:Driver", declared=in_seconds)


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(declaration.MODELS, "any", pipeline_model("any", INFO))


def test_all_values_are_strings() -> None:
    pipeline = read_declaration(
        "any",
        INFO,
        {
            "name": "n",
            "driver": "any",
            "queue": "q",
            "durable": "true",
            "prefetch": "5",
            "priority": "-2",
            "queue_headers": '{"x-max-length":5}',
            "topics": '["a","b"]',
            "reserve_timeout": "5",
            "max_attempts": "3",
            "dead_letter": "dead",
            "consume_all": "true",
        },
    )
    assert pipeline.config == Options(
        queue="q",
        durable=True,
        prefetch=5,
        priority=-2,
        queue_headers={"x-max-length": 5},
        topics=["a", "b"],
        reserve_timeout=5.0,
    )
    assert (pipeline.max_attempts, pipeline.dead_letter) == (3, "dead")


def test_an_empty_array_of_php_is_an_empty_map() -> None:
    pipeline = read_declaration("any", INFO, {"queue": "q", "queue_headers": "[]"})
    assert pipeline.config == Options(queue="q")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "queue is required"),
        ({"queue": "q", "prefetch": "many"}, 'prefetch is "many"'),
        ({"queue": "q", "queue_headers": "{"}, "queue_headers is no JSON"),
    ],
)
def test_what_can_not_be_read_is_named(values: dict[str, str], why: str) -> None:
    with pytest.raises(BadDeclaration, match=why):
        read_declaration("any", INFO, values)
