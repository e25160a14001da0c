"""One Redis server on one connection, or a master behind sentinels.

Commands are pipelined, so one connection is enough, and a command costs a sixth of one through redis-py's pool
(docs/design).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import hiredis

from pyroadrunner.remote.connection import ConnectionLost, PipelinedConnection, Unreachable, connect
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.retry import RetryPolicy
from pyroadrunner.remote.redis.settings import Address, RedisSettings

if TYPE_CHECKING:
    from pyroadrunner.remote.redis.sentinel import Sentinels

Command = tuple[str | bytes | int, ...]

# Errors that are worth a retry. The first means that another server has become the master.
_NOT_MASTER = "READONLY"
_NOT_YET = (_NOT_MASTER, "LOADING", "MASTERDOWN", "TRYAGAIN")
_MORE = object()
_STEP = 1000  # keys per step of a scan


class RedisReader:
    """Parses Redis' protocol with hiredis."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(notEnoughData=_MORE)

    def feed(self, data: bytes) -> list[Any]:
        """Decode replies; error replies are values, too."""
        replies = []
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not _MORE:
                replies.append(reply)
        except hiredis.ProtocolError as error:
            raise StoreError("the server does not speak Redis' protocol") from error
        return replies


class DirectRedis:
    """A server; connects with the first command, and again after the connection was lost."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._sentinels: Sentinels | None = None
        if settings.master:
            from pyroadrunner.remote.redis.sentinel import Sentinels  # a quarter of a second of imports

            self._sentinels = Sentinels(settings)
        self._connection: PipelinedConnection | None = None
        self._used = 0.0
        self._connecting: asyncio.Task[PipelinedConnection] | None = None
        self._loop = asyncio.get_running_loop()

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands together and return their replies.

        Raises:
            StoreError: the last attempt failed; some commands may have been executed.
        """
        question = packed(commands)
        tries = RetryPolicy(self._settings)
        while True:
            try:
                return await self._once(question, len(commands))
            except (ConnectionLost, Unreachable):
                if not await tries.wait_next():
                    raise

    async def on_every_node(self, command: str) -> Any:
        """Execute a command for the whole database."""
        (answer,) = await self.ask([(command,)])
        return answer

    async def keys(self, pattern: str) -> list[bytes]:
        """All keys that match a pattern, in steps: Redis serves other clients in between."""
        found: list[bytes] = []
        cursor: bytes = b"0"
        while True:
            ((cursor, some),) = await self.ask([("SCAN", cursor, "MATCH", pattern, "COUNT", _STEP)])
            found += some
            if cursor == b"0":
                return found

    async def master(self) -> Address:
        """The address of the server, or of the master from the sentinels.

        Raises:
            Unreachable: no sentinel knows the master.
        """
        return self._settings.addresses[0] if self._sentinels is None else await self._sentinels.master()

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])  # it may have completed nevertheless
        if self._connection is not None:
            self._connection.abort("the storage is closed")
        if self._sentinels is not None:
            await self._sentinels.close()

    # inside

    async def _once(self, question: bytes, answers: int) -> list[Any]:
        connection = self._connection
        now = self._loop.time()
        if connection is None or connection.closed or now - self._used > self._settings.idle:
            connection = await self._connect()
        self._used = now
        replies = await connection.ask(question, answers, self._settings.timeout)
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                text = str(reply)
                if text.startswith(_NOT_MASTER):
                    connection.abort(text)
                raise ConnectionLost(text) if text.startswith(_NOT_YET) else StoreError(text)
        return replies

    async def _connect(self) -> PipelinedConnection:
        """Connect once for all callers that wait; each waits at most as long as for a connection of its own."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._dial(), name="connect to redis")
            self._connecting.add_done_callback(self._connected)
        connecting = self._connecting
        await asyncio.wait([connecting])
        if connecting.cancelled():
            raise StoreError("the storage is closed")
        return connecting.result()

    async def _dial(self) -> PipelinedConnection:
        if self._connection is not None:
            self._connection.abort("idle for too long")
        return await dial(await self.master(), self._settings)

    def _connected(self, task: asyncio.Task[PipelinedConnection]) -> None:
        self._connecting = None
        if not task.cancelled() and task.exception() is None:  # retrieved here, as all callers may be cancelled
            self._connection = task.result()
            self._used = self._loop.time()


async def dial(address: Address, settings: RedisSettings) -> PipelinedConnection:
    """Connect to a server and log in.

    Raises:
        Unreachable, ConnectionLost, NoAnswer, StoreError
    """
    host, port = address
    tls = settings.tls_context()
    name = host if tls is not None else None
    connection = await connect(host, port, RedisReader(), settings.dial_timeout, tls=tls, server_hostname=name)
    greeting = _login_commands(settings)
    try:
        for reply in await connection.ask(packed(greeting), len(greeting), settings.timeout) if greeting else ():
            if isinstance(reply, hiredis.ReplyError):
                raise StoreError(str(reply))
    except BaseException:
        connection.abort("not logged in")
        raise
    return connection


def _login_commands(settings: RedisSettings) -> list[Command]:
    greeting: list[Command] = []
    if settings.username:
        greeting.append(("AUTH", settings.username, settings.password))
    elif settings.password:
        greeting.append(("AUTH", settings.password))
    if settings.db:
        greeting.append(("SELECT", settings.db))
    return greeting


def packed(commands: Sequence[Command]) -> bytes:
    # The annotation of pack_command says a tuple of one; it accepts any.
    return b"".join([hiredis.pack_command(command) for command in commands])  # type: ignore[arg-type]
