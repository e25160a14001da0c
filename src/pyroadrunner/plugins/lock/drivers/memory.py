"""Locks in the memory of this server. One timer is set to the next expiry; each waiting call has a future."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

from pyroadrunner.plugins.lock.driver import HolderView, LockStats, LockView
from pyroadrunner.plugins.lock.drivers.locks import Locks
from pyroadrunner.plugins.lock.drivers.resource import Waiter

_LONGEST = 86400.0  # longest sleep of the timer in seconds: event loops accept no delay of centuries


class PendingLock:
    """One waiting call. The granted token is stored outside the future, which may already be cancelled."""

    waiter: Waiter

    def __init__(self, future: asyncio.Future[int]) -> None:
        self.future = future
        self.token = 0

    def notify(self, token: int) -> None:
        self.token = token
        if not self.future.done():
            self.future.set_result(token)


class MemoryLocks:
    """Implements :class:`~pyroadrunner.plugins.lock.driver.LockDriver` with plain values."""

    def __init__(self) -> None:
        self._locks = Locks()
        self._timer: asyncio.TimerHandle | None = None
        self._due: int | None = None

    def __repr__(self) -> str:
        return f"MemoryLocks({self._locks})"

    def lock(self, name: str, id: str, *, read: bool, ttl: int, wait: int) -> int | Awaitable[int]:  # noqa: A002
        now = _now()
        taken = self._locks.take(name, id, read=read, ttl=ttl, now=now)
        if taken or not wait:
            self._set_timer()
            return self._locks.token if taken else 0
        place = PendingLock(asyncio.get_running_loop().create_future())
        place.waiter = self._locks.wait(name, id, read=read, ttl=ttl, wait=wait, now=now, notify=place.notify)
        self._set_timer()
        return self._wait(place)

    async def _wait(self, place: PendingLock) -> int:
        try:
            return await place.future
        except asyncio.CancelledError:  # the client has disconnected: release the lock if it was granted
            now, waiter = _now(), place.waiter
            if place.token:
                self._locks.release(waiter.name, waiter.id, now)
            else:
                self._locks.give_up(waiter, now)
            self._set_timer()
            raise

    def release(self, name: str, id: str) -> bool:  # noqa: A002
        return self._timed(self._locks.release(name, id, _now()))

    def force_release(self, name: str) -> bool:
        return self._timed(self._locks.force_release(name, _now()))

    def exists(self, name: str, id: str) -> bool:  # noqa: A002
        return self._timed(self._locks.exists(name, id, _now()))

    def update(self, name: str, id: str, ttl: int) -> bool:  # noqa: A002
        return self._timed(self._locks.update(name, id, ttl, _now()))

    def list(self) -> list[LockView]:
        now = _now()
        self._locks.expire(now)
        self._set_timer()
        return [
            LockView(
                resource=name,
                exclusive=resource.exclusive,
                holders=[
                    HolderView(id=held.id, ttl=held.due - now if held.due is not None else 0, token=held.token)
                    for held in resource.holders.values()
                ],
                waiting=[waiter.id for waiter in resource.queue],
            )
            for name, resource in sorted(self._locks)
        ]

    def stats(self) -> LockStats:
        self._locks.expire(_now())
        self._set_timer()
        resources = [resource for _, resource in self._locks]
        return LockStats(
            held=sum(len(one.holders) for one in resources),
            waiting=sum(len(one.queue) for one in resources),
            token=self._locks.token,
        )

    async def stop(self) -> None:
        self._locks.clear()
        self._set_timer()

    # inside

    def _timed(self, ok: bool) -> bool:
        self._set_timer()
        return ok

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
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = self._due = None
        self._locks.expire(_now())
        self._set_timer()


def _now() -> int:
    return time.monotonic_ns() // 1000
