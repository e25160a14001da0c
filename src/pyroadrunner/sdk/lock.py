"""Named locks of the server (plugin ``lock``), for Python workers and scripts.

    locks = Locks(RpcClient())
    with locks.hold("report", ttl=60, wait=5):   # LockNotGiven after 5 seconds
        ...

Blocking; ``AsyncLocks`` is the same for asyncio. Times are seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.sdk.rpc import RpcClient
from pyroadrunner.sdk.rpc.encoding import TIMEOUT
from pyroadrunner.sdk.rpc.errors import too_late

if TYPE_CHECKING:
    from pyroadrunner.sdk.rpc import AsyncRpcClient

_LATE = 10.0  # seconds to wait for a late reply


class LockNotGiven(RoadRunnerError):
    """Another owner held the lock for the whole waiting time."""

    def __init__(self, resource: str, wait: float) -> None:
        super().__init__(f"the lock {resource!r} was not given within {wait:g} s")


class Locks:
    """Locks by name. Every method raises what calls raise (:class:`~pyroadrunner.sdk.rpc.RpcClient`)."""

    def __init__(self, server: RpcClient) -> None:
        self._server = server

    def lock(self, resource: str, *, id: str = "", ttl: float = 0, wait: float = 0, read: bool = False) -> str | None:  # noqa: A002
        """Acquire a lock.

        Args:
            id: the owner; empty = a new id is created.
            ttl: seconds until the lock expires; 0 = never.
            wait: seconds to wait for the lock.
            read: share the lock with other readers.

        Returns:
            The id to release the lock with; ``None`` if it was not acquired.
        """
        key = id or str(uuid.uuid4())
        done = _ok(self._server.call(_method(read), _request(resource, key, ttl, wait), timeout=TIMEOUT + wait))
        return key if done else None

    def release(self, resource: str, id: str) -> bool:  # noqa: A002
        """Release a lock; ``False`` if ``id`` does not hold it."""
        return _ok(self._server.call("lock.Release", {"resource": resource, "id": id}))

    def force_release(self, resource: str) -> bool:
        """Release a lock for all its owners; ``False`` if it was never locked."""
        return _ok(self._server.call("lock.ForceRelease", {"resource": resource}))

    def exists(self, resource: str, id: str = "*") -> bool:  # noqa: A002
        """Whether ``id`` holds the lock; ``*`` = whether it is held at all."""
        return _ok(self._server.call("lock.Exists", {"resource": resource, "id": id}))

    def update_ttl(self, resource: str, id: str, ttl: float) -> bool:  # noqa: A002
        """Let the lock expire ``ttl`` seconds from now; ``False`` if ``id`` does not hold it."""
        return _ok(self._server.call("lock.UpdateTTL", _request(resource, id, ttl, 0)))

    @contextlib.contextmanager
    def hold(self, resource: str, *, ttl: float = 0, wait: float = 0, read: bool = False) -> Iterator[str]:
        """Hold a lock for a ``with`` block.

        Raises:
            LockNotGiven
        """
        key = self.lock(resource, ttl=ttl, wait=wait, read=read)
        if key is None:
            raise LockNotGiven(resource, wait)
        try:
            yield key
        finally:
            self.release(resource, key)


class AsyncLocks:
    """:class:`Locks` for asyncio. A lock that is acquired by a cancelled or late call is released.

    Theory of operation. Such a call continues in the background, ten seconds longer than its caller would have waited.
    If the reply says that the lock was acquired, it is released. The reply may be lost with the connection, so a
    release is also sent immediately after the call. But only for an id that was created here: a caller with its own id
    may already hold the lock.
    """

    def __init__(self, server: AsyncRpcClient) -> None:
        self._server = server
        self._late: set[asyncio.Task[Any]] = set()

    async def lock(
        self,
        resource: str,
        *,
        id: str = "",  # noqa: A002
        ttl: float = 0,
        wait: float = 0,
        read: bool = False,
    ) -> str | None:
        key = id or str(uuid.uuid4())
        longest = TIMEOUT + wait
        request = _request(resource, key, ttl, wait)
        call = asyncio.ensure_future(self._server.call(_method(read), request, timeout=longest + _LATE))
        try:
            async with asyncio.timeout(longest):
                return key if _ok(await asyncio.shield(call)) else None
        except TimeoutError:
            self._later(self._give_back(call, resource, key, made=not id))
            raise too_late(self._server.address, longest) from None
        except asyncio.CancelledError:
            self._later(self._give_back(call, resource, key, made=not id))
            await asyncio.sleep(0)  # so that the release is sent, even if the connection is closed next
            raise

    async def _give_back(self, call: asyncio.Future[Any], resource: str, key: str, *, made: bool) -> None:
        if made:
            with contextlib.suppress(RoadRunnerError):  # the reply to the call may still arrive
                await self.release(resource, key)
        with contextlib.suppress(RoadRunnerError):  # the connection was lost, and the place in the queue with it
            if _ok(await call):
                await self.release(resource, key)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def release(self, resource: str, id: str) -> bool:  # noqa: A002
        return _ok(await self._server.call("lock.Release", {"resource": resource, "id": id}))

    async def force_release(self, resource: str) -> bool:
        return _ok(await self._server.call("lock.ForceRelease", {"resource": resource}))

    async def exists(self, resource: str, id: str = "*") -> bool:  # noqa: A002
        return _ok(await self._server.call("lock.Exists", {"resource": resource, "id": id}))

    async def update_ttl(self, resource: str, id: str, ttl: float) -> bool:  # noqa: A002
        return _ok(await self._server.call("lock.UpdateTTL", _request(resource, id, ttl, 0)))

    @contextlib.asynccontextmanager
    async def hold(self, resource: str, *, ttl: float = 0, wait: float = 0, read: bool = False) -> AsyncIterator[str]:
        key = await self.lock(resource, ttl=ttl, wait=wait, read=read)
        if key is None:
            raise LockNotGiven(resource, wait)
        try:
            yield key
        finally:
            await self.release(resource, key)


def _method(read: bool) -> str:
    return "lock.LockRead" if read else "lock.Lock"


def _request(resource: str, key: str, ttl: float, wait: float) -> dict[str, Any]:
    return {"resource": resource, "id": key, "ttl": round(ttl * 1_000_000), "wait": round(wait * 1_000_000)}


def _ok(answer: Any) -> bool:
    return bool(answer.get("ok", False))
