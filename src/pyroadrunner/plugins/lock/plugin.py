"""The ``lock`` plugin. The protobuf messages are imported when ``rpc_methods`` is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyroadrunner.contracts import (
    EffectiveConfig,
    HasMetrics,
    HasPages,
    HasRpc,
    MetricFamily,
    Page,
    PageInfo,
    Plugin,
    RpcMethod,
    Sample,
)
from pyroadrunner.plugins.lock.config import LockConfig
from pyroadrunner.plugins.lock.driver import LockDriver
from pyroadrunner.plugins.lock.drivers.memory import MemoryLocks
from pyroadrunner.plugins.lock.errors import RedisNotInstalled, RedisNotUsable
from pyroadrunner.plugins.lock.pages import INFO, locks_page, release
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig


class LockPlugin(Plugin, HasRpc, HasMetrics, HasPages):
    """Named locks, kept where the ``lock`` section says."""

    name = "lock"

    def __init__(self, config: LockConfig, effective: EffectiveConfig) -> None:
        self._config = config
        self._effective = effective
        self._driver: LockDriver = MemoryLocks()

    def __repr__(self) -> str:
        return f"LockPlugin({self._driver})"

    async def start(self) -> None:
        """Create the driver. It connects with the first call.

        Raises:
            RedisNotInstalled, RedisNotUsable
        """
        if self._config.driver == "redis":
            self._driver = _redis(self._config, self._effective)

    async def stop(self, grace: float) -> None:
        """Refuse all waiting calls, so that `rpc` need not wait for them."""
        await self._driver.stop()

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        from pyroadrunner.plugins.lock.rpc import LockRpc  # importing protobuf costs time and memory

        return LockRpc(self._driver).methods()

    def pages(self) -> Sequence[PageInfo]:
        """Locks, if they are configured or have been used."""
        used = self._effective.section(self.name) is not None or self._driver.stats().token
        return (INFO,) if used else ()

    async def page(self, name: str) -> Page:
        return await locks_page(self._driver)

    async def run_action(self, page: str, action: str, row: str) -> str:
        return await release(self._driver, action, row)

    async def metrics(self) -> Sequence[MetricFamily]:
        held, waiting, token = self._driver.stats()
        families = [
            _family("rr_lock_waiting", "gauge", "Calls waiting for a lock.", waiting),
            _family("rr_lock_token", "counter", "Token of the last granted lock.", token),
        ]
        if held is not None:
            families.insert(0, _family("rr_lock_held", "gauge", "Held locks.", held))
        return families


def _redis(config: LockConfig, effective: EffectiveConfig) -> LockDriver:
    section = config.config or effective.section("redis")
    try:
        from pyroadrunner.plugins.lock.drivers.redis import RedisLocks

        return RedisLocks(section if isinstance(section, RedisConfig) else RedisConfig(), config.prefix)
    except ModuleNotFoundError as missing:
        raise RedisNotInstalled(missing.name or "?") from missing
    except StoreError as error:
        raise RedisNotUsable(error) from error


def _family(name: str, kind: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(name, kind, text, [Sample({}, value)])
