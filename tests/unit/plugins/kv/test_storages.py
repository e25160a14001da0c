"""Storages become stores, or report missing packages."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import pytest

from pyroadrunner.plugins.kv.config import KvConfig, RedisStorage
from pyroadrunner.plugins.kv.errors import DriverNotInstalled, StorageNotStarted
from pyroadrunner.plugins.kv.storages import make_stores
from pyroadrunner.remote.redis.config import RedisConfig


class Whole:
    """A config without other sections."""

    def as_dict(self) -> dict[str, Any]:
        return {}

    def section(self, name: str) -> msgspec.Struct | None:
        return None


# Modules that import the client library; another test of this process may have loaded them.
IMPORT_REDIS = (
    "pyroadrunner.plugins.kv.drivers.redis",
    "pyroadrunner.remote.redis.client",
    "pyroadrunner.remote.redis.cluster",
    "pyroadrunner.remote.redis.direct",
)


def test_a_missing_library_is_named_with_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(IMPORT_REDIS)]:
        monkeypatch.delitem(sys.modules, name)
    for name in ["hiredis", *(name for name in sys.modules if name.startswith("hiredis."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DriverNotInstalled) as missing:
        make_stores(KvConfig(storages={"cache": RedisStorage()}), Whole())
    assert str(missing.value).startswith("kv.cache: the driver redis needs a Python package with the module")
    assert str(missing.value).endswith("pip install 'pyroadrunner[redis]'")


def test_a_package_needed_only_by_clusters_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(IMPORT_REDIS)]:
        monkeypatch.delitem(sys.modules, name)
    for name in ["redis", *(name for name in sys.modules if name.startswith("redis."))]:
        monkeypatch.setitem(sys.modules, name, None)
    config = KvConfig(storages={"cache": RedisStorage(config=RedisConfig(addrs=["a:1", "b:2"]))})
    with pytest.raises(DriverNotInstalled, match=r"pip install 'pyroadrunner\[redis\]'"):
        make_stores(config, Whole())


def test_settings_that_can_not_be_used_are_named_with_their_storage() -> None:
    config = KvConfig(storages={"far": RedisStorage(config=RedisConfig(addrs=["a:b"]))})
    with pytest.raises(
        StorageNotStarted, match=r"kv\.far: the driver redis can't be used: 'a:b' is not a valid address"
    ):
        make_stores(config, Whole())
