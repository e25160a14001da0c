"""The configured storages -> stores. A driver is imported only when a storage has it."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from pyroadrunner.contracts import EffectiveConfig
from pyroadrunner.plugins.kv.config import SETTINGS, KvConfig, Storage
from pyroadrunner.plugins.kv.errors import DriverNotInstalled, StorageNotStarted
from pyroadrunner.plugins.kv.store import Store
from pyroadrunner.remote.errors import StoreError


def make_stores(config: KvConfig, effective: EffectiveConfig) -> dict[str, Store]:
    """A store for each storage, not started.

    Raises:
        DriverNotInstalled: the Python package of a driver is missing.
        StorageNotStarted: its settings can't be used.
    """
    return {name: _make(name, storage, effective) for name, storage in config.storages.items()}


def driver_of(storage: Storage) -> str:
    """The name of its driver."""
    return str(type(storage).__struct_config__.tag)


def _make(name: str, storage: Storage, effective: EffectiveConfig) -> Store:
    model = SETTINGS[type(storage)]
    settings = storage.config or effective.section(name)
    if not isinstance(settings, model):  # absent, or of a plugin that happens to be called like the storage
        settings = model()
    driver = driver_of(storage)
    try:
        return cast("Store", import_module(f"pyroadrunner.plugins.kv.drivers.{driver}").build(settings))
    except ModuleNotFoundError as missing:  # now, or when its settings ask for a part of it
        raise DriverNotInstalled(name, driver, missing.name or "?") from missing
    except StoreError as error:
        raise StorageNotStarted(name, driver, error) from error
