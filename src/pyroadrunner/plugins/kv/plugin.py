"""The ``kv`` plugin: opens the storages before workers start, closes them after the last worker has stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyroadrunner.contracts import EffectiveConfig, HasPages, HasRpc, Page, PageInfo, Plugin, RpcMethod
from pyroadrunner.log import Log
from pyroadrunner.plugins.kv.config import KvConfig
from pyroadrunner.plugins.kv.errors import StorageNotStarted
from pyroadrunner.plugins.kv.pages import INFO, clear, storages_page
from pyroadrunner.plugins.kv.rpc import KvRpc
from pyroadrunner.plugins.kv.storages import driver_of, make_stores
from pyroadrunner.plugins.kv.store import Store
from pyroadrunner.remote.errors import StoreError

log = Log("kv")


class KvPlugin(Plugin, HasRpc, HasPages):
    """Serves the storages of the ``kv`` section."""

    name = "kv"
    weight = 10

    def __init__(self, config: KvConfig, effective: EffectiveConfig) -> None:
        self._config = config
        self._effective = effective
        self._drivers = {name: driver_of(storage) for name, storage in config.storages.items()}
        self._stores: dict[str, Store] = {}
        self._started: list[Store] = []

    def __repr__(self) -> str:
        return f"KvPlugin({self._drivers})"

    async def start(self) -> None:
        """Open all storages.

        Raises:
            DriverNotInstalled, StorageNotStarted
        """
        self._stores.update(make_stores(self._config, self._effective))
        for name, store in self._stores.items():
            try:
                await store.start()
            except StoreError as error:
                await self.stop(0.0)
                raise StorageNotStarted(name, self._drivers[name], error) from error
            self._started.append(store)
        log.debug("plugin was started", storages=self._drivers)

    async def stop(self, grace: float) -> None:
        while self._started:
            await self._started.pop().stop()

    def pages(self) -> Sequence[PageInfo]:
        return (INFO,)

    async def page(self, name: str) -> Page:
        return await storages_page(self._stores, self._drivers)

    async def run_action(self, page: str, action: str, row: str) -> str:
        return await clear(self._stores, action, row)

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        # Called when `rpc` starts, before this plugin does: the dict of stores is filled later.
        return KvRpc(self._stores, self._drivers).methods()
