"""Calls the operations of ``queue.lua``, and translates Redis' errors."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, Job
from pyroadrunner.plugins.jobs.drivers.redis.entry import fields_of
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.direct import Command
from pyroadrunner.remote.redis.keyed import ErrorReply, KeyedConnection

GROUP = "rr"
_RELEASED = "-"
_REFUSED = ("NOAUTH", "WRONGPASS", "NOPERM", "WRONGTYPE")
_GONE = ("NOGROUP", "NOSCRIPT", "UNBLOCKED")  # the keys or the script were deleted: connecting makes them again
_AT_ONCE = 500  # jobs added by one call of the script

Argument = str | bytes | int


class RedisQueue:
    """The keys of a queue, on one connection.

    Args:
        consumer: the name of this consumer in the group.
    """

    def __init__(self, connection: KeyedConnection, stream: str, consumer: str) -> None:
        self.stream = stream
        self.consumer = consumer
        self._connection = connection
        self._text = files(__package__).joinpath("queue.lua").read_bytes()
        self._digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest()

    async def open(self) -> None:
        """Make the group, and load the script.

        Raises:
            BrokerError, BrokerRefused
        """
        await self._ask([("SCRIPT", "LOAD", self._text)])
        try:
            await self._connection.execute("XGROUP", "CREATE", self.stream, GROUP, "0", "MKSTREAM")
        except ErrorReply as error:
            if error.code != "BUSYGROUP":
                raise self._translated(error) from error
        except StoreError as error:
            raise BrokerError(str(error)) from error

    async def run(self, operation: str, *arguments: Argument) -> Any:
        """Run one operation.

        Raises:
            BrokerError, BrokerRefused
        """
        (reply,) = await self._ask([self._command(operation, *arguments)])
        return reply

    async def push(self, jobs: Sequence[Job], limit: int) -> int:
        """Add jobs while there is room; return how many.

        Raises:
            BrokerError, BrokerRefused
        """
        commands = []
        for at in range(0, len(jobs), _AT_ONCE):
            arguments: list[Argument] = []
            for job in jobs[at : at + _AT_ONCE]:
                arguments += job_arguments(job)
            commands.append(self._command("push", limit, *arguments))
        return sum(await self._ask(commands))

    async def read(self, count: int, block_ms: int) -> list[Any]:
        """New entries for this consumer: ids with fields.

        Args:
            block_ms: how long to wait for the first; 0 = do not wait.

        Raises:
            BrokerError, BrokerRefused
        """
        block: tuple[Argument, ...] = ("BLOCK", block_ms) if block_ms else ()
        command = ("XREADGROUP", "GROUP", GROUP, self.consumer, "COUNT", count, *block, "STREAMS", self.stream, ">")
        (reply,) = await self._ask([command], block_ms / 1000)
        return reply[0][1] if reply else []

    async def execute(self, *command: Argument) -> Any:
        """Execute a command of Redis.

        Raises:
            BrokerError, BrokerRefused
        """
        (reply,) = await self._ask([command])
        return reply

    def close(self) -> None:
        self._connection.close()

    # inside

    def _command(self, operation: str, *arguments: Argument) -> Command:
        keys = (self.stream, f"{self.stream}:delayed")
        return ("EVALSHA", self._digest, 2, *keys, operation, GROUP, self.consumer, *arguments)

    async def _ask(self, commands: Sequence[Command], wait: float = 0.0) -> list[Any]:
        try:
            return await self._connection.execute_many(commands, wait)
        except ErrorReply as error:
            raise self._translated(error) from error
        except StoreError as error:
            raise BrokerError(str(error)) from error

    def _translated(self, error: ErrorReply) -> BrokerError:
        if error.code in _GONE or "NOGROUP" in str(error):
            self._connection.abort(str(error))
        return BrokerRefused(str(error)) if error.code in _REFUSED else BrokerError(str(error))


def job_arguments(job: Job) -> list[Argument]:
    """A job as the script reads it."""
    fields = fields_of(job)
    return [job.delay * 1000, os.urandom(16) if job.delay else "", len(fields), *fields]
