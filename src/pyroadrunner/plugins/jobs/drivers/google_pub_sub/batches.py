"""Calls that take many messages: those that come while calls are under way go together into the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError

MOST = 1000  # ids of a call: a request has at most 524,288 bytes (cloud.google.com/pubsub/quotas)
_CALLS = 2  # at the same time


class Batches:
    """One action on many messages.

    Args:
        send: calls the action with the ids of messages; it fails for all or for none.
    """

    def __init__(self, send: Callable[[Sequence[str]], Awaitable[object]]) -> None:
        self._send = send
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._calls = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, ack_id: str) -> asyncio.Future[None]:
        """A future that is done when the action was applied to a message, or has failed with a ``BrokerError``."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((ack_id, done))
        if self._calls < _CALLS:
            self._calls += 1
            task = asyncio.create_task(self._call(), name="jobs google_pub_sub batch")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return done

    async def _call(self) -> None:
        try:
            while self._waiting:
                await self._call_once()
        finally:
            self._calls -= 1  # in the same moment: an id that comes from now on begins another call

    async def _call_once(self) -> None:
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        error: BrokerError | None = BrokerError("the call was broken off")
        try:
            await self._send([ack_id for ack_id, _ in batch])
            error = None
        except BrokerError as wrong:
            error = wrong
        finally:
            for _, done in batch:
                if done.done():  # its caller was cancelled
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
