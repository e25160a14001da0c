"""Updates of all servers with one Redis: one hub.

One script numbers, keeps and publishes an update, so that the history and the channel agree on the order. Each server
reads one channel, and looks at the history when a number is missing: after a lost connection nothing is lost that the
history still has.

Subscriptions are entries of a hash that name their server; a server that has died stops renewing its lease, and the
others remove its entries.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec

from pyroadrunner.log import Log
from pyroadrunner.plugins.mercure.stores.contract import Deliver, Reset, Subscription
from pyroadrunner.plugins.mercure.stores.record import pack, unpack
from pyroadrunner.plugins.mercure.update import EARLIEST, Update
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.client import RedisClient
from pyroadrunner.remote.redis.config import RedisConfig
from pyroadrunner.remote.redis.pubsub import Subscription as Channel

_LEASE = 15  # seconds after which the subscriptions of a server that has died are removed
_RENEW = 5.0  # seconds
_BATCH = 500  # updates of one read
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, str, str, str, Any]).decode  # server, subscriber, kind, text, payload

log = Log("mercure")


class RedisStore:
    """Implements :class:`~pyroadrunner.plugins.mercure.stores.contract.Store`.

    Args:
        size: updates to keep; 0 = all.

    Raises:
        StoreError: the settings can't be used.
    """

    def __init__(self, config: RedisConfig, prefix: str, size: int) -> None:
        self._redis = RedisClient(config)
        self._size = size
        self._server = secrets.token_urlsafe(9)
        # The braces put all keys into one slot of a cluster.
        self._position_key = f"{{{prefix}}}:position"
        self._history_key = f"{{{prefix}}}:history"
        self._ids_key = f"{{{prefix}}}:ids"
        self._subscriptions_key = f"{{{prefix}}}:subscriptions"
        self._lease_prefix = f"{{{prefix}}}:server:"
        self._channel = f"{{{prefix}}}:updates"
        self._text = files(__package__).joinpath("append.lua").read_bytes()
        self._digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest()
        self._subscription = Channel(
            self._redis, self._channel, on_message=self._on_message, on_subscribed=self._on_subscribed, log=log
        )
        self._deliver: Deliver = lambda _: None
        self._reset: Reset = lambda: None
        self._epoch: str | None = None  # None = the position is not known yet
        # What the channel has brought while the history is read: the highest sequence, and whether of another epoch.
        self._seen = 0
        self._renumbered = False
        self._reading: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._registered: dict[str, bytes] = {}
        self._not_renewed = ""  # why the lease was not renewed
        self._reconnected = asyncio.Event()
        self.position = 0

    def __repr__(self) -> str:
        return f"RedisStore({self._redis}, position={self.position})"

    @property
    def error(self) -> str:
        return self._subscription.error or self._not_renewed

    async def start(self, deliver: Deliver, reset: Reset) -> None:
        self._deliver = deliver
        self._reset = reset
        with contextlib.suppress(StoreError):
            self._epoch, self.position = await self._read_position()
        self._subscription.listen()
        self._renewing = asyncio.create_task(self._renew(), name="mercure lease")

    async def stop(self) -> None:
        for task in (self._renewing, self._reading):
            if task is not None:
                task.cancel()
        if self._registered:
            with contextlib.suppress(StoreError):
                await self._redis.execute("HDEL", self._subscriptions_key, *self._registered)
        await self._subscription.close()
        await self._redis.close()

    async def append(self, update: Update) -> None:
        keys = (3, self._position_key, self._history_key, self._ids_key)
        rest = (*keys, self._channel, secrets.token_urlsafe(6), self._size, update.id, pack(update))
        try:
            await self._redis.execute("EVALSHA", self._digest, *rest)
        except StoreError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            await self._redis.execute("EVAL", self._text, *rest)

    async def find(self, identity: str) -> int | None:
        found = await self._redis.execute("HGET", self._ids_key, identity)
        return int(found) if found is not None else None

    async def read(self, after: int, count: int) -> Sequence[Update]:
        start = f"{after + 1}-0"
        entries = await self._redis.execute("XRANGE", self._history_key, start, "+", "COUNT", count)
        return [unpack(flat[3], int(name.partition(b"-")[0])) for name, flat in entries]

    async def last_id(self) -> str:
        entries = await self._redis.execute("XREVRANGE", self._history_key, "+", "-", "COUNT", 1)
        return entries[0][1][1].decode() if entries else EARLIEST

    async def register(self, subscriptions: Sequence[Subscription]) -> None:
        added = {
            one.id: _encode((self._server, one.subscriber, one.kind, one.text, one.payload)) for one in subscriptions
        }
        self._registered.update(added)
        with contextlib.suppress(StoreError):  # the next renewal repeats it
            await self._redis.execute_many([self._lease(), self._entries(added)])

    async def unregister(self, subscriptions: Sequence[Subscription]) -> None:
        for one in subscriptions:
            self._registered.pop(one.id, None)
        if subscriptions:
            with contextlib.suppress(StoreError):
                await self._redis.execute("HDEL", self._subscriptions_key, *(one.id for one in subscriptions))

    async def subscriptions(self) -> Sequence[Subscription]:
        flat = await self._redis.execute("HGETALL", self._subscriptions_key)
        pairs = list(flat.items()) if isinstance(flat, dict) else list(zip(flat[::2], flat[1::2], strict=True))
        entries = [(path.decode(), _decode(entry)) for path, entry in pairs]
        servers = sorted({entry[0] for _, entry in entries})
        leases = await self._redis.execute_many([("EXISTS", self._lease_prefix + server) for server in servers])
        alive = {server for server, lease in zip(servers, leases, strict=True) if lease} | {self._server}
        dead = [path for path, entry in entries if entry[0] not in alive]
        if dead:
            await self._redis.execute("HDEL", self._subscriptions_key, *dead)
        return [
            Subscription(id=path, subscriber=subscriber, kind=kind, text=text, payload=payload)
            for path, (server, subscriber, kind, text, payload) in entries
            if server in alive
        ]

    # -- private -----------------------------------------------------------------------------------------------------

    def _on_message(self, message: bytes) -> None:
        number, epoch, record = message.split(b" ", 2)
        sequence = int(number)
        if self._epoch == "" and sequence == 1:
            self._epoch = epoch.decode()  # the first update of a new hub
        known = epoch.decode() == self._epoch
        if self._reading is not None:
            self._seen = max(self._seen, sequence)
            self._renumbered = self._renumbered or not known
        elif not known or sequence > self.position + 1:
            self._catch_up()
        elif sequence == self.position + 1:
            self._give(unpack(record, sequence))

    def _on_subscribed(self) -> None:
        """Messages may have been missed, and the lease may be over."""
        self._reconnected.set()
        self._catch_up()

    def _catch_up(self) -> None:
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_on(), name="mercure history")

    async def _read_on(self) -> None:
        """Deliver from the history until nothing is missing."""
        try:
            while True:
                self._seen, self._renumbered = 0, False
                try:
                    if await self._read_once():
                        return
                except StoreError as error:
                    log.warning("the history can't be read; trying again", error=str(error))
                    await asyncio.sleep(1.0)
        finally:
            self._reading = None

    async def _read_once(self) -> bool:
        """Whether all was delivered."""
        epoch, last = await self._read_position()
        if self._epoch is None:
            self._epoch, self.position = epoch, last
        elif epoch != self._epoch:
            # The first update of a new hub is no loss; otherwise Redis has lost its data.
            lost = bool(self._epoch)
            self._epoch, self.position = epoch, 0
            if lost:
                log.warning("the history is lost: redis has no updates, or others")
                self._reset()
        while True:
            found = await self.read(self.position, _BATCH)
            for update in found:
                self._give(update)
            if len(found) < _BATCH:
                break
        if self.position < last:  # the rest is no longer kept
            self.position = last
        # Nothing is awaited between this look and the end of the task, so no message is missed.
        return self._seen <= self.position and not self._renumbered

    def _give(self, update: Update) -> None:
        self.position = update.sequence
        self._deliver(update)

    async def _read_position(self) -> tuple[str, int]:
        epoch, sequence = await self._redis.execute("HMGET", self._position_key, "epoch", "sequence")
        return (epoch or b"").decode(), int(sequence or 0)

    async def _renew(self) -> None:
        """Keep the lease of this server; repeat its entries, which another server or a flush may have removed."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RENEW):
                    await self._reconnected.wait()
            self._reconnected.clear()
            commands = [self._lease()]
            if self._registered:
                commands.append(self._entries(self._registered))
            try:
                await self._redis.execute_many(commands)
            except StoreError as error:
                self._not_renewed = str(error)
            else:
                self._not_renewed = ""

    def _lease(self) -> tuple[str | bytes | int, ...]:
        return ("SET", self._lease_prefix + self._server, 1, "EX", _LEASE)

    def _entries(self, entries: dict[str, bytes]) -> tuple[str | bytes | int, ...]:
        return ("HSET", self._subscriptions_key, *(part for one in entries.items() for part in one))
