"""Drivers of installed packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from pyroadrunner.plugins.discovery.drivers.contract import Registrar, Settings
from pyroadrunner.plugins.discovery.installed import GROUP, from_entries, installed_drivers

FILE = "pyroadrunner.plugins.discovery.drivers.file.config:DRIVER"


def test_the_drivers_of_this_package_load() -> None:
    found = installed_drivers()
    assert sorted(found) == ["consul", "dns", "etcd", "file"]
    for name, info in found.items():
        assert from_entries([EntryPoint(name, f"{info.config.__module__}:DRIVER", GROUP)])[name] == info
        driver = info.load()
        required = {"path": "servers.yaml"} if name == "file" else {}
        made = driver(info.config(**required), Settings(name="shop", ttl=15.0, timeout=5.0))
        assert (Registrar in type(made).__mro__) == info.announces


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("nowhere.at_all:DRIVER", "the discovery driver x of its package can't be loaded: No module named"),
        (FILE.replace("DRIVER", "NOPE"), "can't be loaded: module"),
        (FILE.replace("DRIVER", "FileConfig"), "is no DriverInfo"),
    ],
)
def test_a_broken_package_is_named(value: str, why: str) -> None:
    with pytest.raises(ImportError, match=why):
        from_entries([EntryPoint("x", value, GROUP)])
