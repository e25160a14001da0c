"""The ``lock`` plugin. The messages are imported when it is first asked for its methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyroadrunner.contracts import EffectiveConfig, HasMetrics, HasRpc, MetricFamily, Plugin, RpcMethod, Sample
from pyroadrunner.plugins.lock.config import LockConfig
from pyroadrunner.plugins.lock.driver import LockDriver
from pyroadrunner.plugins.lock.drivers.memory import MemoryLocks
from pyroadrunner.plugins.lock.errors import RedisNotInstalled, RedisNotUsable
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig


class LockPlugin(Plugin, HasRpc, HasMetrics):
    """Named locks; the ``lock`` section says where."""

    name = "lock"

    def __init__(self, config: LockConfig, effective: EffectiveConfig) -> None:
        self._config = config
        self._effective = effective
        self._driver: LockDriver = MemoryLocks()

    def __repr__(self) -> str:
        return f"LockPlugin({self._driver})"

    async def start(self) -> None:
        """Connects to nobody: that is for the first call.

        Raises:
            RedisNotInstalled, RedisNotUsable
        """
        if self._config.driver == "redis":
            self._driver = _redis(self._config, self._effective)

    async def stop(self, grace: float) -> None:
        """Who waits is told no, so that `rpc` has nothing to wait for."""
        await self._driver.stop()

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        from pyroadrunner.plugins.lock.rpc import LockRpc  # protobuf costs time and megabytes

        return LockRpc(self._driver).methods()

    async def metrics(self) -> Sequence[MetricFamily]:
        held, waiting, token = self._driver.stats()
        families = [
            _family("rr_lock_waiting", "gauge", "Calls that wait for a lock.", waiting),
            _family("rr_lock_token", "counter", "Token of the last lock that was given.", token),
        ]
        if held is not None:
            families.insert(0, _family("rr_lock_held", "gauge", "Locks that are held.", held))
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
