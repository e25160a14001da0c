"""A partial pool section has every key of a pool."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pyroadrunner.config.partial import Partial
from pyroadrunner.workers.config import DynamicAllocatorConfig, PoolConfig, SupervisorConfig
from pyroadrunner.workers.partial_config import (
    PartialDynamicAllocatorConfig,
    PartialPoolConfig,
    PartialSupervisorConfig,
)


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        (PartialPoolConfig, PoolConfig),
        (PartialSupervisorConfig, SupervisorConfig),
        (PartialDynamicAllocatorConfig, DynamicAllocatorConfig),
    ],
)
def test_every_key_may_be_set_or_left_out(part: type[Partial], whole: type[msgspec.Struct]) -> None:
    assert part.whole is whole
    assert part.__struct_fields__ == whole.__struct_fields__
    assert part().over(whole()) == whole()


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        (PartialPoolConfig(num_workers=1), "num_workers", 1),
        (PartialPoolConfig(reset_timeout=0.0), "reset_timeout", 60.0),
        (PartialPoolConfig(), "command", ["php", "a.php"]),
        (PartialPoolConfig(command=["php", "b.php"]), "command", ["php", "b.php"]),
        (
            PartialPoolConfig(supervisor=PartialSupervisorConfig(exec_ttl=3.0)),
            "supervisor",
            SupervisorConfig(ttl=9.0, exec_ttl=3.0),
        ),
        (
            PartialPoolConfig(dynamic_allocator=PartialDynamicAllocatorConfig(max_workers=0)),
            "dynamic_allocator",
            DynamicAllocatorConfig(),
        ),
    ],
)
def test_a_key_of_the_partial_section_overrides_the_pool(part: PartialPoolConfig, field: str, value: Any) -> None:
    base = PoolConfig(num_workers=8, command=["php", "a.php"], supervisor=SupervisorConfig(ttl=9.0))
    assert getattr(part.over(base), field) == value
