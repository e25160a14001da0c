"""Models are found by entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from pyroadrunner.config.models import GROUP, section_models
from pyroadrunner.plugins.rpc.config import RpcConfig


def entry(value: str) -> EntryPoint:
    return EntryPoint(name="rpc", value=value, group=GROUP)


def test_a_section_has_the_model_its_entry_point_names() -> None:
    assert section_models([entry("pyroadrunner.plugins.rpc.config:RpcConfig")]) == {"rpc": RpcConfig}


@pytest.mark.parametrize("value", ["pyroadrunner.config.models:GROUP", "pyroadrunner.config.errors:Fault"])
def test_what_is_no_struct_is_refused(value: str) -> None:
    with pytest.raises(TypeError, match=r"entry point rpc .* is no msgspec\.Struct"):
        section_models([entry(value)])
