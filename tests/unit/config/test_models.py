"""Models are found by entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from pyroadrunner.config.errors import ConfigError
from pyroadrunner.config.models import GROUP, section_models
from pyroadrunner.plugins.rpc.config import RpcConfig


def entry(value: str) -> EntryPoint:
    return EntryPoint(name="rpc", value=value, group=GROUP)


def test_a_section_has_the_model_its_entry_point_names() -> None:
    assert section_models([entry("pyroadrunner.plugins.rpc.config:RpcConfig")]) == {"rpc": RpcConfig}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("pyroadrunner.config.models:GROUP", "is not a msgspec.Struct"),
        ("pyroadrunner.config.errors:Fault", "is not a msgspec.Struct"),
        ("pyroadrunner.config.models:Nope", "can't be loaded"),
        ("pyroadrunner.config.nope:Nope", "can't be loaded"),
    ],
)
def test_all_unusable_models_are_reported(value: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        section_models([entry(value), entry("pyroadrunner.plugins.rpc.config:RpcConfig"), entry(value)])
    lines = str(refused.value).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"rpc: its model {value} {problem}")
