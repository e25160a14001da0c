"""Errors of calls. PHP packages match parts of the texts: ``no such storage``, ``_plugin_ttl``.

A text names the operations, outermost first: ``rpc_mget:\\n\\tredis_driver_mget: <why>``.
"""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class KvError(RoadRunnerError):
    """A call was refused, or the store failed."""


class NoStorageNamed(KvError):
    """The call names no storage."""

    def __init__(self, operation: str) -> None:
        super().__init__(f"{operation}: no storage provided")


class NoSuchStorage(KvError):
    """No storage has this name. Names are lower-case, as all keys of a config."""

    def __init__(self, operation: str, name: str) -> None:
        super().__init__(f"{operation}: no such storage: {name}")


class EmptyKey(KvError):
    """A key without a visible character."""

    def __init__(self, operation: str, inner: str) -> None:
        super().__init__(f"{operation}: key can't be empty string:\n\t{inner}")


class BadTimeout(KvError):
    """An invalid time."""

    def __init__(self, operation: str, why: object) -> None:
        super().__init__(f"{operation}: {why}")


class StoreFailed(KvError):
    """The driver failed."""

    def __init__(self, operation: str, inner: str, why: object) -> None:
        super().__init__(f"{operation}:\n\t{inner}: {why}")


class StorageNotStarted(KvError):
    """A storage of the config can't be used."""

    def __init__(self, name: str, driver: str, why: object) -> None:
        super().__init__(f"kv.{name}: the driver {driver} can't be used: {why}")


class DriverNotInstalled(KvError):
    """The Python package that a driver needs is not installed."""

    def __init__(self, name: str, driver: str, module: str) -> None:
        super().__init__(
            f"kv.{name}: the driver {driver} needs a Python package with the module `{module}`;"
            f" pip install 'pyroadrunner[{driver}]'"
        )
