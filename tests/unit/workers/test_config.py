"""The pool section: defaults, zeros, bounds."""

from __future__ import annotations

import os
from typing import Any

import pytest

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.workers.config import DynamicAllocatorConfig, PoolConfig, SupervisorConfig


def read(**keys: Any) -> tuple[PoolConfig | None, list[tuple[str, str]]]:
    """The section as read from a file, and its faults as path and message."""
    reader = SectionReader(lambda _path: Origin(kind="built-in", source="test"))
    pool = reader.read(PoolConfig, keys, ("http", "pool"))
    assert pool is None or isinstance(pool, PoolConfig)
    return pool, [(fault.path, fault.message) for fault in reader.faults]


def pool_of(**keys: Any) -> PoolConfig:
    pool, faults = read(**keys)
    assert pool is not None, faults
    return pool


def test_an_absent_section_gives_roadrunners_defaults_but_a_bounded_queue() -> None:
    assert pool_of() == PoolConfig()
    pool = PoolConfig()
    timeouts = (pool.allocate_timeout, pool.reset_timeout, pool.stream_timeout, pool.destroy_timeout)
    assert timeouts == (60.0, 60.0, 60.0, 60.0)
    assert (pool.max_jobs, pool.max_queue_size, pool.debug, pool.command) == (0, 1024, False, [])
    assert (pool.supervisor, pool.dynamic_allocator) == (None, None)


def test_all_keys_are_read() -> None:
    pool = pool_of(
        num_workers=4,
        max_jobs=100,
        max_queue_size=50,
        allocate_timeout="1s",
        reset_timeout="2s",
        stream_timeout="3s",
        destroy_timeout="4s",
        debug=True,
        command="php other.php",
        supervisor={"watch_tick": "1s", "ttl": "1h", "idle_ttl": "10s", "exec_ttl": "5s", "max_worker_memory": 128},
        dynamic_allocator={"max_workers": 20, "spawn_rate": 2, "idle_timeout": "30s"},
    )
    assert pool == PoolConfig(
        num_workers=4,
        max_jobs=100,
        max_queue_size=50,
        allocate_timeout=1.0,
        reset_timeout=2.0,
        stream_timeout=3.0,
        destroy_timeout=4.0,
        debug=True,
        command=["php", "other.php"],
        supervisor=SupervisorConfig(watch_tick=1.0, ttl=3600.0, idle_ttl=10.0, exec_ttl=5.0, max_worker_memory=128),
        dynamic_allocator=DynamicAllocatorConfig(max_workers=20, spawn_rate=2, idle_timeout=30.0),
    )


@pytest.mark.parametrize("key", ["allocate_timeout", "reset_timeout", "stream_timeout", "destroy_timeout"])
def test_a_timeout_of_zero_stands_for_its_default(key: str) -> None:
    assert pool_of(**{key: 0}) == PoolConfig()


def test_zeros_that_mean_off_stay_zero() -> None:
    pool = pool_of(max_jobs=0, max_queue_size=0, supervisor={"ttl": 0, "idle_ttl": 0, "exec_ttl": 0})
    assert (pool.max_jobs, pool.max_queue_size) == (0, 0)
    assert pool.supervisor == SupervisorConfig()
    assert (SupervisorConfig().ttl, SupervisorConfig().idle_ttl, SupervisorConfig().exec_ttl) == (0.0, 0.0, 0.0)


def test_the_supervisor_checks_every_5_seconds_by_default() -> None:
    assert SupervisorConfig().watch_tick == 5.0
    assert pool_of(supervisor={"watch_tick": 0}).supervisor == SupervisorConfig(watch_tick=5.0)
    assert pool_of(supervisor={}).supervisor == SupervisorConfig()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({}, (10, 5, 60.0)),
        ({"max_workers": 0, "spawn_rate": 0, "idle_timeout": 0}, (10, 5, 60.0)),
        ({"max_workers": 100, "spawn_rate": 100, "idle_timeout": "1s"}, (100, 100, 1.0)),
        ({"max_workers": 101, "spawn_rate": 500, "idle_timeout": "999ms"}, (100, 100, 60.0)),
    ],
)
def test_the_dynamic_allocator_has_defaults_and_caps(given: dict[str, Any], meant: tuple[int, int, float]) -> None:
    allocator = pool_of(dynamic_allocator=given).dynamic_allocator
    assert allocator is not None
    assert (allocator.max_workers, allocator.spawn_rate, allocator.idle_timeout) == meant


def test_500_workers_are_allowed_and_one_more_is_not() -> None:
    assert pool_of(num_workers=500).workers_wanted() == 500
    assert read(num_workers=501) == (
        None,
        [("http.pool.num_workers", "number of workers can't be more than 500")],
    )


@pytest.mark.parametrize(
    "path",
    [
        "num_workers",
        "max_jobs",
        "max_queue_size",
        "supervisor.max_worker_memory",
        "dynamic_allocator.max_workers",
        "dynamic_allocator.spawn_rate",
    ],
)
def test_negative_numbers_are_faults(path: str) -> None:
    section, _, key = path.rpartition(".")
    given = {section: {key: -1}} if section else {key: -1}
    assert read(**given) == (None, [(f"http.pool.{path}", "can't be less than 0")])


def test_all_faults_are_found_at_once() -> None:
    _, faults = read(num_workers=501, max_jobs="many", supervisor={"ttl": "long"}, dynamic_allocator={"spawn_rate": -1})
    assert {path for path, _ in faults} >= {
        "http.pool.max_jobs",
        "http.pool.supervisor.ttl",
        "http.pool.dynamic_allocator.spawn_rate",
    }


def test_a_number_of_workers_is_used_as_it_is() -> None:
    assert pool_of(num_workers=3).workers_wanted() == 3


def test_zero_workers_stand_for_one_per_cpu_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 5, 7}, raising=False)
    assert PoolConfig().workers_wanted() == 3


def test_without_a_list_of_usable_cpus_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert PoolConfig().workers_wanted() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert PoolConfig().workers_wanted() == 1
