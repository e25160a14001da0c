"""The methods of ``lock``: messages -> a driver."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.log import Log
from pyroadrunner.plugins.lock.driver import LockDriver, LockView, MaybeAwaitable
from pyroadrunner.plugins.lock.errors import EmptyId, NegativeTime
from pyroadrunner.proto.lock.v1beta1.lock_pb2 import Request, Response

log = Log("lock")


class LockRpc:
    """Handles the calls of workers."""

    def __init__(self, driver: LockDriver) -> None:
        self._driver = driver

    def methods(self) -> Mapping[str, RpcMethod]:
        return {
            "Lock": RpcMethod(
                lambda request: self._lock(request, read=False), message=Request, cancel_on_disconnect=True
            ),
            "LockRead": RpcMethod(
                lambda request: self._lock(request, read=True), message=Request, cancel_on_disconnect=True
            ),
            "Release": RpcMethod(self.release, message=Request),
            "ForceRelease": RpcMethod(self.force_release, message=Request),
            "Exists": RpcMethod(self.exists, message=Request),
            "UpdateTTL": RpcMethod(self.update_ttl, message=Request),
            "List": RpcMethod(self.list),  # not in RoadRunner
        }

    def _lock(self, request: Request, *, read: bool) -> MaybeAwaitable[Response]:
        _check(request)
        token = self._driver.lock(request.resource, request.id, read=read, ttl=request.ttl, wait=request.wait)
        if isinstance(token, int):
            return _given(request, token, read=read)
        return self._wait(request, token, read=read)

    async def _wait(self, request: Request, token: Awaitable[int], *, read: bool) -> Response:
        return _given(request, await token, read=read)

    def release(self, request: Request) -> MaybeAwaitable[Response]:
        _check(request)
        return _answer(self._driver.release(request.resource, request.id))

    def force_release(self, request: Request) -> MaybeAwaitable[Response]:
        log.debug("lock was released by force", resource=request.resource)
        return _answer(self._driver.force_release(request.resource))

    def exists(self, request: Request) -> MaybeAwaitable[Response]:
        _check(request)
        return _answer(self._driver.exists(request.resource, request.id))

    def update_ttl(self, request: Request) -> MaybeAwaitable[Response]:
        _check(request)
        return _answer(self._driver.update(request.resource, request.id, request.ttl))

    def list(self, _: bool) -> MaybeAwaitable[list[LockView]]:
        return self._driver.list()


def _check(request: Request) -> None:
    if not request.id:
        raise EmptyId
    for field, value in (("ttl", request.ttl), ("wait", request.wait)):
        if value < 0:
            raise NegativeTime(field, value)


def _given(request: Request, token: int, *, read: bool) -> Response:
    if token:
        log.debug("lock was taken", resource=request.resource, id=request.id, read=read, token=token)
    return Response(ok=token > 0)


def _answer(ok: MaybeAwaitable[bool]) -> MaybeAwaitable[Response]:
    return Response(ok=ok) if isinstance(ok, bool) else _later(ok)


async def _later(ok: Awaitable[bool]) -> Response:
    return Response(ok=await ok)
