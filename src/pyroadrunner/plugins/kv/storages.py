"""Configured storages -> stores. A driver is imported only if a storage uses it."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from pyroadrunner.contracts import EffectiveConfig
from pyroadrunner.plugins.kv.config import SETTINGS, KvConfig, Storage
from pyroadrunner.plugins.kv.errors import DriverNotInstalled, StorageNotStarted
from pyroadrunner.plugins.kv.store import Store
from pyroadrunner.remote.errors import StoreError


def make_stores(config: KvConfig, effective: EffectiveConfig) -> dict[str, Store]:
    """Create a store for each storage, not started.

    Raises:
        DriverNotInstalled: the Python package of a driver is missing.
        StorageNotStarted: the settings can't be used.
    """
    return {name: _make(name, storage, effective) for name, storage in config.storages.items()}


def driver_of(storage: Storage) -> str:
    """The driver's name."""
    return str(type(storage).__struct_config__.tag)


def _make(name: str, storage: Storage, effective: EffectiveConfig) -> Store:
    model = SETTINGS[type(storage)]
    settings = storage.config or effective.section(name)
    if not isinstance(settings, model):  # absent, or the section of a plugin with the same name as the storage
        settings = model()
    driver = driver_of(storage)
    try:
        return cast("Store", import_module(f"pyroadrunner.plugins.kv.drivers.{driver}").build(settings))
    except ModuleNotFoundError as missing:  # on import, or because the settings need an optional part
        raise DriverNotInstalled(name, driver, missing.name or "?") from missing
    except StoreError as error:
        raise StorageNotStarted(name, driver, error) from error
