"""Drivers of installed packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from pyroadrunner.plugins.jobs.installed import GROUP, from_entries, installed_drivers

MEMORY = "pyroadrunner.plugins.jobs.drivers.memory.config:DRIVER"


def test_the_drivers_of_this_package_load_their_settings() -> None:
    for name, info in installed_drivers().items():
        assert from_entries([EntryPoint(name, f"{info.config.__module__}:DRIVER", GROUP)])[name] == info
        assert (info.section == "") == (info.section_config is None), name


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("nowhere.at_all:DRIVER", "the jobs driver x of its package can't be loaded: No module named"),
        (MEMORY.replace("DRIVER", "NOPE"), "can't be loaded: module"),
        (MEMORY.replace("DRIVER", "MemoryConfig"), "is no DriverInfo"),
    ],
)
def test_a_broken_package_is_named(value: str, why: str) -> None:
    with pytest.raises(ImportError, match=why):
        from_entries([EntryPoint("x", value, GROUP)])
