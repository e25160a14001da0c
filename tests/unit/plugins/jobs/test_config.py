"""The section: defaults, pools, faults."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.plugins.jobs.config import JobsConfig, driver_of
from pyroadrunner.plugins.jobs.drivers.memory.config import MemoryConfig
from support.jobs import jobs_section


def read(**keys: Any) -> SectionReader:
    reader = SectionReader(lambda _path: Origin(kind="built-in", source="test"))
    reader.read(JobsConfig, keys, ("jobs",))
    return reader


def test_roadrunners_keys_and_zeros() -> None:
    config = jobs_section(
        num_pollers=32,
        timeout=0,
        pipeline_size=0,
        options={"parallelism": 0},
        consume=["a"],
        pipelines={"a": {"driver": "memory", "config": {"priority": 0, "prefetch": "7"}}, "b": {"driver": "memory"}},
    )
    assert (config.timeout, config.pipeline_size, config.options.parallelism) == (60, 1_000_000, 5)
    assert jobs_section().options.parallelism == 10
    assert driver_of(config.pipelines["a"]) == "memory"
    assert config.pipelines["a"].config == MemoryConfig(priority=10, prefetch=7)
    assert config.pipelines["b"].config == MemoryConfig(prefetch=100_000)


def test_a_pool_of_a_pipeline_takes_missing_keys_from_the_default_pool() -> None:
    config = jobs_section(
        pool={"num_workers": 4, "max_jobs": 9},
        pipelines={"a": {"driver": "memory", "pool": {"num_workers": 1}}, "b": {"driver": "memory"}},
    )
    pools = config.pools()
    assert list(pools) == ["jobs", "jobs.a"]
    assert (pools["jobs.a"].num_workers, pools["jobs.a"].max_jobs) == (1, 9)


def test_a_pipeline_names_the_pool_of_another() -> None:
    pools = {"a": "B", "b": {"num_workers": 1}, "c": None, "d": {}}
    config = jobs_section(pipelines={name: {"driver": "memory", "pool": pool} for name, pool in pools.items()})
    assert list(config.pools()) == ["jobs", "jobs.b", "jobs.d"]
    assert [config.pool_of(name) for name in (*pools, "declared later")] == [
        "jobs.b",
        "jobs.b",
        "jobs",
        "jobs.d",
        "jobs",
    ]


@pytest.mark.parametrize(
    ("pipelines", "fault"),
    [
        ({"a": {"config": {}}}, "jobs.pipelines.a.driver: is required"),
        ({"a": {"driver": "memory", "config": {"prefetch": "x"}}}, 'jobs.pipelines.a.config.prefetch: is "x"'),
        ({"a": {"driver": "memory", "dead_letter": "zz"}}, 'jobs.pipelines.a.dead_letter: is "zz", no pipeline'),
        (
            {"a": {"driver": "memory", "dead_letter": "faild"}, "failed": {"driver": "memory"}},
            'is "faild", no pipeline of this config; did you mean `failed`?',
        ),
        ({"a": {"driver": "memory", "dead_letter": "A"}}, "jobs.pipelines.a.dead_letter: names the pipeline itself"),
        (
            {"a": {"driver": "memory", "pool": "slowly"}, "slow": {"driver": "memory", "pool": {}}},
            'jobs.pipelines.a.pool: is "slowly", no pipeline with a pool of its own; did you mean `slow`?',
        ),
        (
            {"a": {"driver": "memory", "pool": "b"}, "b": {"driver": "memory"}},
            'jobs.pipelines.a.pool: is "b", no pipeline with a pool of its own',
        ),
        ({"a": {"driver": "memory", "pool": 5}}, "jobs.pipelines.a.pool: "),
        ({"a": {"driver": "memory", "max_attempts": -1}}, "jobs.pipelines.a.max_attempts: can't be less than 0"),
    ],
)
def test_faults(pipelines: dict[str, Any], fault: str) -> None:
    (found,) = read(pipelines=pipelines).faults
    assert fault in str(found)


def test_an_unknown_driver_and_an_unknown_name_are_warnings() -> None:
    reader = read(pipelines={"a": {"driver": "memori"}, "b": {"driver": "memory"}}, consume=["B", "c"])
    assert reader.faults == []
    texts = [str(warning) for warning in reader.warnings]
    assert any(
        'unknown driver "memori"; `jobs.pipelines.a` is ignored; did you mean `memory`?' in text for text in texts
    )
    assert any('jobs.consume[1]: is "c", no pipeline of this config' in text for text in texts)
    assert len(texts) == 2


def test_a_misspelt_name_in_consume_gets_a_suggestion() -> None:
    (warning,) = read(pipelines={"mails": {"driver": "memory"}}, consume=["mail"]).warnings
    assert 'jobs.consume[0]: is "mail", no pipeline of this config; did you mean `mails`?' in str(warning)
