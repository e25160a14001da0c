"""The methods of ``lock``: messages -> :class:`~pyroadrunner.plugins.lock.locks.Locks`. One who waits has a future."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.log import Log
from pyroadrunner.plugins.lock.errors import EmptyId, NegativeTime
from pyroadrunner.plugins.lock.locks import Locks
from pyroadrunner.plugins.lock.resource import Waiter
from pyroadrunner.proto.lock.v1beta1.lock_pb2 import Request, Response

log = Log("lock")


class HolderView(msgspec.Struct, kw_only=True):
    """Who holds a lock. ``ttl`` is what is left of it, in microseconds; 0 = for ever."""

    id: str
    ttl: int
    token: int


class LockView(msgspec.Struct, kw_only=True):
    """One name, for operators."""

    resource: str
    exclusive: bool
    holders: list[HolderView]
    waiting: list[str]


class Place:
    """One call that waits. What it was given is noted apart from the future, which may be cancelled by then."""

    waiter: Waiter

    def __init__(self, future: asyncio.Future[bool]) -> None:
        self.future = future
        self.given = False

    def tell(self, given: bool) -> None:
        self.given = given
        if not self.future.done():
            self.future.set_result(given)


class LockRpc:
    """Calls of workers.

    Args:
        now: the clock, in microseconds.
        changed: called when something else may be due first.
    """

    def __init__(self, locks: Locks, now: Callable[[], int], changed: Callable[[], None]) -> None:
        self._locks = locks
        self._now = now
        self._changed = changed

    def methods(self) -> Mapping[str, RpcMethod]:
        return {
            "Lock": RpcMethod(lambda request: self._lock(request, read=False), message=Request, abandoned=True),
            "LockRead": RpcMethod(lambda request: self._lock(request, read=True), message=Request, abandoned=True),
            "Release": RpcMethod(self.release, message=Request),
            "ForceRelease": RpcMethod(self.force_release, message=Request),
            "Exists": RpcMethod(self.exists, message=Request),
            "UpdateTTL": RpcMethod(self.update_ttl, message=Request),
            "List": RpcMethod(self.list),  # ours
        }

    def _lock(self, request: Request, *, read: bool) -> Response | Awaitable[Response]:
        _check(request)
        name, key, ttl = request.resource, request.id, request.ttl
        if self._locks.take(name, key, read=read, ttl=ttl, now=self._now()):
            log.debug("lock was taken", resource=name, id=key, read=read, token=self._locks.token)
            return self._done(True)
        if not request.wait:
            return self._done(False)
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        place = Place(future)
        place.waiter = self._locks.wait(
            name, key, read=read, ttl=ttl, wait=request.wait, now=self._now(), tell=place.tell
        )
        self._changed()
        return self._wait(place)

    async def _wait(self, place: Place) -> Response:
        try:
            given = await place.future
        except asyncio.CancelledError:  # the client has gone: nobody else would give back what it was given
            now, waiter = self._now(), place.waiter
            if place.given:
                self._locks.release(waiter.name, waiter.id, now)
            else:
                self._locks.give_up(waiter, now)
            self._changed()
            raise
        if given:
            log.debug("lock was taken after waiting", resource=place.waiter.name, id=place.waiter.id)
        return self._done(given)

    def release(self, request: Request) -> Response:
        _check(request)
        return self._done(self._locks.release(request.resource, request.id, self._now()))

    def force_release(self, request: Request) -> Response:
        done = self._locks.force_release(request.resource, self._now())
        log.debug("lock was released by force", resource=request.resource, known=done)
        return self._done(done)

    def exists(self, request: Request) -> Response:
        _check(request)
        return self._done(self._locks.exists(request.resource, request.id, self._now()))

    def update_ttl(self, request: Request) -> Response:
        _check(request)
        return self._done(self._locks.update(request.resource, request.id, request.ttl, self._now()))

    def list(self, _: bool) -> list[LockView]:
        now = self._now()
        self._locks.expire(now)
        self._changed()
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

    def _done(self, ok: bool) -> Response:
        self._changed()
        return Response(ok=ok)


def _check(request: Request) -> None:
    if not request.id:
        raise EmptyId
    for field, value in (("ttl", request.ttl), ("wait", request.wait)):
        if value < 0:
            raise NegativeTime(field, value)
