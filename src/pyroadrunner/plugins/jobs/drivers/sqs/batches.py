"""Calls that take up to ten entries: entries that come while calls are under way go together into the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError
from pyroadrunner.plugins.jobs.drivers.sqs.client import CallFailed

Json = dict[str, Any]

MOST = 10  # entries of a call
_CALLS = 8  # at the same time


def failures(answer: Json) -> dict[int, CallFailed]:
    """The errors in the reply to a call with entries, by the number of the entry."""
    return {
        int(failed["Id"]): CallFailed(str(failed.get("Code", "")), str(failed.get("Message", "")))
        for failed in answer.get("Failed") or ()
    }


class Batches:
    """One action on many entries.

    Args:
        send: calls the action with the entries, which have their ``Id`` already.
    """

    def __init__(self, send: Callable[[Sequence[Json]], Awaitable[Json]]) -> None:
        self._send = send
        self._waiting: list[tuple[Json, asyncio.Future[None]]] = []
        self._calls = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, entry: Json) -> None:
        """Wait until the action was applied to an entry.

        Raises:
            BrokerError
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        if self._calls < _CALLS:
            self._calls += 1
            task = asyncio.create_task(self._call(), name="jobs sqs batch")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await done

    async def _call(self) -> None:
        try:
            while self._waiting:
                await self._call_once()
        finally:
            self._calls -= 1  # in the same moment: an entry that comes from now on begins another call

    async def _call_once(self) -> None:
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            answer = await self._send([{**entry, "Id": str(at)} for at, (entry, _) in enumerate(batch)])
        except BrokerError as error:
            wrong = dict.fromkeys(range(len(batch)), error)
        else:
            wrong = dict(failures(answer))
        for at, (_, done) in enumerate(batch):
            if done.done():  # its caller was cancelled
                continue
            if at in wrong:
                done.set_exception(wrong[at])
            else:
                done.set_result(None)
