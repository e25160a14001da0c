"""The ``lock`` plugin. Its state is made when it is first asked for its methods; the messages are imported then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from pyroadrunner.contracts import MetricFamily, RpcMethod, Sample
from pyroadrunner.plugins.lock.locks import Locks

_LONGEST = 86400.0  # seconds the timer sleeps at most: event loops take no delay of centuries


class LockPlugin:
    """Named locks, in memory. One timer, set to what ends first."""

    name = "lock"

    def __init__(self) -> None:
        self._locks = Locks()
        self._timer: asyncio.TimerHandle | None = None
        self._due: int | None = None

    def __repr__(self) -> str:
        return f"LockPlugin({self._locks})"

    async def start(self) -> None:
        pass

    async def stop(self, grace: float) -> None:
        """Who waits is told no, so that `rpc` has nothing to wait for."""
        self._locks.clear()
        self._set_timer()

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        from pyroadrunner.plugins.lock.rpc import LockRpc  # protobuf costs time and megabytes

        return LockRpc(self._locks, _now, self._set_timer).methods()

    async def metrics(self) -> Sequence[MetricFamily]:
        self._locks.expire(_now())
        self._set_timer()
        resources = [resource for _, resource in self._locks]
        return [
            _family("rr_lock_held", "gauge", "Locks that are held.", sum(len(one.holders) for one in resources)),
            _family(
                "rr_lock_waiting", "gauge", "Calls that wait for a lock.", sum(len(one.queue) for one in resources)
            ),
            _family("rr_lock_token", "counter", "Token of the last lock that was given.", self._locks.token),
        ]

    def _set_timer(self) -> None:
        due = self._locks.next_due()
        if due == self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = due
        if due is not None:
            delay = min(max(due - _now(), 0) / 1_000_000, _LONGEST)
            self._timer = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._timer = self._due = None
        self._locks.expire(_now())
        self._set_timer()


def _now() -> int:
    return time.monotonic_ns() // 1000


def _family(name: str, kind: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(name, kind, text, [Sample({}, value)])
