"""Publications of all servers with one Redis.

A publication is numbered, kept and published by one script, so that the history and the channel agree on the order.
Each server reads one channel, and looks at the history when a number is missing: after a lost connection nothing is
lost that the history still has. Topics without a history are only published.

Who follows a topic with presence: see ``redis_presence.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from pyroadrunner.log import Log
from pyroadrunner.plugins.websocket.config import HistoryConfig
from pyroadrunner.plugins.websocket.drivers.contract import (
    Deliver,
    Departed,
    Entered,
    Entrance,
    Left,
    Member,
    Newest,
    Recovered,
)
from pyroadrunner.plugins.websocket.drivers.redis_presence import RedisPresence
from pyroadrunner.plugins.websocket.drivers.redis_script import Script
from pyroadrunner.plugins.websocket.publication import Publication
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.client import RedisClient
from pyroadrunner.remote.redis.config import RedisConfig
from pyroadrunner.remote.redis.pubsub import Subscription

_BATCH = 500  # publications of one read
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, bytes, bool, str]).decode  # topic, data, whether it is text, origin

log = Log("websocket")


class _Position:
    """What the clients of this server have of one topic.

    Attributes:
        behind: whether the history is being read, since a number is missing.
        seen: the highest offset on the channel.
    """

    __slots__ = ("behind", "epoch", "known", "offset", "seen")

    def __init__(self) -> None:
        self.epoch = ""
        self.offset = 0
        self.seen = 0
        self.known = False
        self.behind = False

    def begin(self, epoch: str, offset: int) -> None:
        """The clients get what comes after this. The first call counts: when a later reply arrives, they have got
        publications, or wait for some, that it includes."""
        if not self.known:
            self.epoch, self.offset, self.known = epoch, offset, True


class RedisDriver:
    """Implements :class:`~pyroadrunner.plugins.websocket.drivers.contract.Driver`.

    Args:
        history: the settings of a topic.
        lease: seconds after which the clients of a server that has died are no longer present.
        holds: whether departures from a topic are held until they are confirmed.

    Raises:
        StoreError: the settings can't be used.
    """

    def __init__(
        self,
        config: RedisConfig,
        prefix: str,
        history: Callable[[str], HistoryConfig],
        *,
        lease: float = 15.0,
        holds: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._redis = RedisClient(config)
        self._prefix = prefix
        self._history = history
        self._channel = f"{prefix}:publications"
        self._publish_script = Script(self._redis, "publish.lua")
        self._presence = RedisPresence(self._redis, prefix, lease, holds, time.monotonic)
        self._followed: dict[str, _Position] = {}
        self._subscription = Subscription(
            self._redis, self._channel, on_message=self._on_message, on_subscribed=self._on_subscribed, log=log
        )
        self._deliver: Deliver = lambda _: 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewing: asyncio.Task[None] | None = None
        self._not_renewed = ""  # why the lease was not renewed
        self._reconnected = asyncio.Event()
        self._was_subscribed = False
        self.shared = True

    @property
    def on_departed(self) -> Departed:
        return self._presence.on_departed

    @on_departed.setter
    def on_departed(self, act: Departed) -> None:
        self._presence.on_departed = act

    @property
    def on_entrance(self) -> Entrance:
        return self._presence.on_entrance

    @on_entrance.setter
    def on_entrance(self, act: Entrance) -> None:
        self._presence.on_entrance = act

    def __repr__(self) -> str:
        return f"RedisDriver({self._redis}, topics={len(self._followed)})"

    @property
    def error(self) -> str:
        return self._subscription.error or self._not_renewed

    async def start(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._subscription.listen()
        self._renewing = asyncio.create_task(self._renew(), name="websocket lease")

    async def stop(self) -> None:
        for task in (self._renewing, *self._tasks):
            if task is not None:
                task.cancel()
        with contextlib.suppress(StoreError):
            await self._presence.stop()
        await self._subscription.close()
        await self._redis.close()

    async def publish(self, topic: str, data: bytes, *, text: bool, origin: str = "") -> tuple[Publication, int | None]:
        config = self._history(topic)
        if not config.size:
            await self._redis.execute("PUBLISH", self._channel, b"0  " + _encode((topic, data, text, origin)))
            return Publication(topic, data, text=text, origin=origin), None
        offset, epoch = await self._publish_script.run(
            (self._position_key(topic), self._history_key(topic)),
            self._channel,
            secrets.token_urlsafe(6),
            config.size,
            max(1, int(config.ttl)),
            _encode((topic, data, text, origin)),
        )
        publication = Publication(topic, data, text=text, offset=offset, epoch=epoch.decode(), origin=origin)
        return publication, None

    async def follow(self, topic: str) -> None:
        if topic in self._followed:
            return
        position = self._followed[topic] = _Position()
        if self._history(topic).size:
            with contextlib.suppress(StoreError):  # the first publication on the channel tells it
                await self._locate(topic, position)

    async def unfollow(self, topic: str) -> None:
        self._followed.pop(topic, None)

    async def recover(self, topic: str, offset: int, epoch: str) -> Recovered:
        config = self._history(topic)
        if not config.size:
            return Recovered(publications=(), offset=0, epoch="", complete=False)
        current, last = await self._read_position(topic)
        if (position := self._followed.get(topic)) is not None:
            position.begin(current, last)
        if not current or epoch != current or offset > last:
            return Recovered(publications=(), offset=last, epoch=current, complete=False)
        found = await self._read(topic, current, offset)
        oldest = time.time() - config.ttl
        kept = [publication for publication, at in found if at >= oldest]
        reached = kept[-1].offset if kept else last
        return Recovered(
            publications=kept, offset=max(reached, last), epoch=current, complete=reached - offset == len(kept)
        )

    async def last(self, topic: str) -> Newest | None:
        epoch, _ = await self._read_position(topic)
        entries = await self._redis.execute("XREVRANGE", self._history_key(topic), "+", "-", "COUNT", 1)
        for identity, flat in entries:
            fields = dict(_pairs(flat))
            publication = _publication(fields[b"p"], int(identity.partition(b"-")[0]), epoch)
            return Newest(publication=publication, age=max(0.0, time.time() - float(fields[b"t"])))
        return None

    async def enter(self, topic: str, member: Member) -> Entered:
        return await self._presence.enter(topic, member)

    async def leave(self, topic: str, connection: str) -> Left:
        return await self._presence.leave(topic, connection)

    async def confirm(self, topic: str, user: str = "") -> bool:
        return await self._presence.confirm(topic, user)

    async def members(self, topic: str) -> Sequence[Member]:
        return await self._presence.members(topic)

    async def counts(self, topics: Sequence[str], *, users: bool = False) -> Sequence[int]:
        return await self._presence.counts(topics, users=users)

    async def occupied(self, prefix: str) -> Mapping[str, int]:
        return await self._presence.occupied(prefix)

    # -- private -----------------------------------------------------------------------------------------------------

    def _on_message(self, message: bytes) -> None:
        number, epoch, packed = message.split(b" ", 2)
        offset = int(number)
        publication = _publication(packed, offset, epoch.decode())
        name = publication.topic
        position = self._followed.get(name)
        if position is None:
            return
        if not offset:
            self._deliver(publication)
            return
        position.begin(publication.epoch, offset - 1)
        if position.epoch != publication.epoch:
            # A new history, which this server needs from its begin; the old one can't be read any more.
            position.epoch, position.offset, position.seen = publication.epoch, 0, 0
        position.seen = max(position.seen, offset)
        if offset == position.offset + 1 and not position.behind:
            position.offset = offset
            self._deliver(publication)
        elif offset > position.offset:
            self._catch_up(name, position)

    def _on_subscribed(self) -> None:
        """Messages may have been missed, and the lease may be over."""
        if self._was_subscribed:
            self._presence.reconnected()
        self._was_subscribed = True
        self._reconnected.set()
        for topic, position in self._followed.items():
            if self._history(topic).size:
                self._catch_up(topic, position)

    def _catch_up(self, topic: str, position: _Position) -> None:
        if position.behind:
            return
        position.behind = True
        task = asyncio.create_task(self._read_on(topic, position), name=f"history of {topic}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read_on(self, topic: str, position: _Position) -> None:
        """Deliver from the history until nothing is missing."""
        try:
            if not position.known:
                await self._locate(topic, position)
            while self._followed.get(topic) is position:
                epoch, last = await self._read_position(topic)
                if epoch != position.epoch:
                    position.epoch, position.offset, position.seen = epoch, 0, 0
                found = await self._read(topic, epoch, position.offset)
                if self._followed.get(topic) is not position or epoch != position.epoch:
                    continue  # followed anew, or a new history began
                for publication, _ in found:
                    position.offset = publication.offset
                    self._deliver(publication)
                if position.offset >= max(last, position.seen):
                    return
                if position.offset < last:  # the rest is no longer kept
                    position.offset = last
        except StoreError as error:
            log.warning("the history can't be read; trying again", topic=topic, error=str(error))
            await asyncio.sleep(1.0)
            position.behind = False
            if self._followed.get(topic) is position:
                self._catch_up(topic, position)
        finally:
            position.behind = False

    async def _locate(self, topic: str, position: _Position) -> None:
        position.begin(*await self._read_position(topic))

    async def _read_position(self, topic: str) -> tuple[str, int]:
        epoch, offset = await self._redis.execute("HMGET", self._position_key(topic), "epoch", "offset")
        return (epoch or b"").decode(), int(offset or 0)

    async def _read(self, topic: str, epoch: str, offset: int) -> list[tuple[Publication, float]]:
        """All kept publications behind an offset, with the time of each."""
        found: list[tuple[Publication, float]] = []
        while True:
            start = f"{offset + 1}-0"
            entries = await self._redis.execute("XRANGE", self._history_key(topic), start, "+", "COUNT", _BATCH)
            for identity, flat in entries:
                offset = int(identity.partition(b"-")[0])
                fields = dict(_pairs(flat))
                found.append((_publication(fields[b"p"], offset, epoch), float(fields[b"t"])))
            if len(entries) < _BATCH:
                return found

    async def _renew(self) -> None:
        """Keep the lease of this server."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._presence.interval):
                    await self._reconnected.wait()
            self._reconnected.clear()
            try:
                await self._presence.renew()
            except StoreError as error:
                self._not_renewed = str(error)
            else:
                self._not_renewed = ""

    # The braces put the keys of a topic into one slot of a cluster.

    def _position_key(self, topic: str) -> str:
        return f"{self._prefix}:position:{{{topic}}}"

    def _history_key(self, topic: str) -> str:
        return f"{self._prefix}:history:{{{topic}}}"


def _pairs(flat: Any) -> list[tuple[bytes, bytes]]:
    if isinstance(flat, dict):
        return list(flat.items())
    return list(zip(flat[::2], flat[1::2], strict=True))


def _publication(packed: bytes, offset: int, epoch: str) -> Publication:
    topic, data, text, origin = _decode(packed)
    return Publication(topic, data, text=text, offset=offset, epoch=epoch, origin=origin)
