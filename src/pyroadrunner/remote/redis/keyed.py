"""A connection to the server that has a key: the only one, a cluster's master of the key's slot, or the master behind
sentinels. For users that decide themselves when to connect again."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import hiredis

from pyroadrunner.remote.connection import PipelinedConnection, Unreachable
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.direct import Command, dial, packed
from pyroadrunner.remote.redis.settings import Address, RedisSettings

_MOST_MOVES = 5  # redirections from one server of a cluster to another

# Replies that mean: another server has the key now, or this one can't serve it at the moment.
_ELSEWHERE = ("MOVED", "ASK", "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED")


class ErrorReply(StoreError):
    """Redis replied with an error.

    Attributes:
        code: its first word, such as ``WRONGTYPE``.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


class KeyedConnection:
    """A connection; it does not reconnect.

    Args:
        on_close: called with the reason if it closes, unless :meth:`close` closes it.
    """

    def __init__(self, connection: PipelinedConnection, timeout: float, on_close: Callable[[str], None]) -> None:
        self._connection = connection
        self._timeout = timeout
        connection.on_close = on_close

    async def execute(self, *command: str | bytes | int, wait: float = 0.0) -> Any:
        """Execute one command and return its reply.

        Args:
            wait: seconds for which the command itself may block.

        Raises:
            ErrorReply, StoreError: as for :meth:`execute_many`.
        """
        (reply,) = await self.execute_many([command], wait)
        return reply

    async def execute_many(self, commands: Sequence[Command], wait: float = 0.0) -> list[Any]:
        """Send commands together and return their replies.

        Raises:
            ErrorReply: of the first command with one. If another server has the key, the connection is closed.
            StoreError: the connection is lost.
        """
        replies = await self._connection.ask(packed(commands), len(commands), self._timeout + wait)
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                error = ErrorReply(str(reply))
                if error.code in _ELSEWHERE:
                    self._connection.abort(str(error))
                raise error
        return replies

    def abort(self, why: str) -> None:
        """Close it as if it were lost."""
        self._connection.abort(why)

    def close(self) -> None:
        self._connection.on_close = None
        self._connection.abort("closed")


async def dial_for_key(settings: RedisSettings, key: str, on_close: Callable[[str], None]) -> KeyedConnection:
    """Connect to the server that has a key.

    Raises:
        StoreError
    """
    connection = await (_cluster(settings, key) if settings.clustered else _single(settings))
    return KeyedConnection(connection, settings.timeout, on_close)


async def _single(settings: RedisSettings) -> PipelinedConnection:
    if not settings.master:
        return await dial(settings.addresses[0], settings)
    from pyroadrunner.remote.redis.sentinel import Sentinels  # a quarter of a second of imports

    sentinels = Sentinels(settings)
    try:
        return await dial(await sentinels.master(), settings)
    finally:
        await sentinels.close()


async def _cluster(settings: RedisSettings, key: str) -> PipelinedConnection:
    """Ask any server of the cluster, and follow it to the one that has the key."""
    errors: list[str] = []
    for address in random.sample(settings.addresses, len(settings.addresses)):
        try:
            return await _follow(settings, address, key)
        except StoreError as error:
            errors.append(str(error))
    raise Unreachable("; ".join(errors))


async def _follow(settings: RedisSettings, address: Address, key: str) -> PipelinedConnection:
    for _ in range(_MOST_MOVES):
        connection = await dial(address, settings)
        try:
            (reply,) = await connection.ask(packed([("EXISTS", key)]), 1, settings.timeout)
        except BaseException:
            connection.abort("closed")
            raise
        if not isinstance(reply, hiredis.ReplyError):
            return connection
        connection.abort("closed")
        code, *rest = str(reply).split(" ")
        if code != "MOVED" or len(rest) != 2:
            raise ErrorReply(str(reply))
        host, _, port = rest[1].rpartition(":")
        address = (host or address[0], int(port))
    raise Unreachable("the servers of the cluster send each other's clients in circles")
