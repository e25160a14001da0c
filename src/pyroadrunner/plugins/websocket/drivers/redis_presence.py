"""Who follows which topic with presence, on all servers with one Redis.

A topic has a hash of its connections, each with its server and its user, and a hash of its users with the number of
their connections. Scripts change both at once, so that exactly one server sees that a topic became occupied or vacant,
or that a user came or left.

Each server renews a lease. If it does not, any other server moves it from the leases to the set of the dead, and all
of them remove its connections, topic by topic: again, one server sees each change. A server that was taken for dead
and is not (it hung, or did not reach Redis) goes on under a new name and enters its connections again.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyroadrunner.log import Log
from pyroadrunner.plugins.websocket.drivers.contract import Departed, Entered, Entrance, Left, Member, ignore
from pyroadrunner.plugins.websocket.drivers.redis_script import Script
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.client import RedisClient

_HELD = 60  # seconds for which a departure can be held
_RENEWALS = 3  # within a lease
_TOPICS = 500  # keys of one command

log = Log("websocket")


class RedisPresence:
    """The presence of a :class:`~pyroadrunner.plugins.websocket.drivers.redis.RedisDriver`.

    Args:
        lease: seconds after which a server that does not renew its lease is dead.
        holds: whether departures from a topic are held until they are confirmed.
        clock: seconds, monotonic.

    Attributes:
        interval: seconds between two calls of :meth:`renew`.
    """

    def __init__(
        self, redis: RedisClient, prefix: str, lease: float, holds: Callable[[str], bool], clock: Callable[[], float]
    ) -> None:
        self.interval = lease / _RENEWALS
        self.on_departed: Departed = ignore
        self.on_entrance: Entrance = ignore
        self._redis = redis
        self._prefix = prefix
        self._lease = lease
        self._holds = holds
        self._clock = clock
        self._enter_script = Script(redis, "enter.lua")
        self._leave_script = Script(redis, "leave.lua")
        self._lease_script = Script(redis, "lease.lua")
        self._server = secrets.token_urlsafe(9)
        self._leased = False
        self._steady_since = 0.0  # since when Redis has always answered; 0 = it did not
        self._present: dict[str, dict[str, Member]] = {}
        self._listed: set[str] = set()  # topics that other servers look at if this one dies
        self._unentered: dict[tuple[str, str], None] = {}  # what Redis could not be told, to be repeated
        self._unremoved: dict[tuple[str, str], None] = {}
        self._working: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"RedisPresence(topics={len(self._present)}, to enter={len(self._unentered)})"

    async def enter(self, topic: str, member: Member) -> Entered:
        """See ``Driver.enter``."""
        self._present.setdefault(topic, {})[member.connection] = member
        self._unentered.pop((topic, member.connection), None)
        try:
            return await self._enter(topic, member)
        except BaseException:
            self._unentered[(topic, member.connection)] = None
            raise

    async def leave(self, topic: str, connection: str) -> Left:
        """See ``Driver.leave``."""
        members = self._present.get(topic, {})
        members.pop(connection, None)
        if not members:
            self._present.pop(topic, None)
        self._unentered.pop((topic, connection), None)
        try:
            return await self._remove(topic, connection)
        except BaseException:
            self._unremoved[(topic, connection)] = None
            raise

    async def confirm(self, topic: str, user: str = "") -> bool:
        """See ``Driver.confirm``."""
        field = f"user:{user}" if user else "topic"
        return bool(await self._redis.execute("HDEL", self._key("held", topic), field))

    async def members(self, topic: str) -> Sequence[Member]:
        """See ``Driver.members``."""
        flat = await self._redis.execute("HGETALL", self._key("presence", topic))
        pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        return [_unpacked(connection.decode(), entry) for connection, entry in pairs]

    async def counts(self, topics: Sequence[str], *, users: bool = False) -> Sequence[int]:
        """See ``Driver.counts``."""
        found: list[int] = []
        kind = "users" if users else "presence"
        for start in range(0, len(topics), _TOPICS):
            keys = [self._key(kind, topic) for topic in topics[start : start + _TOPICS]]
            found += await self._redis.execute_many([("HLEN", key) for key in keys])
        return found

    async def occupied(self, prefix: str) -> Mapping[str, int]:
        """See ``Driver.occupied``."""
        start = f"{self._prefix}:presence:{{"
        pattern = "".join(f"\\{one}" if one in "*?[]\\" else one for one in start + prefix) + "*"
        found = [key.decode()[len(start) : -1] for key in await self._redis.keys(pattern)]
        counts = await self.counts(found)
        return {topic: count for topic, count in zip(found, counts, strict=True) if count}

    async def renew(self) -> None:
        """Renew the lease; begin to do what could not be done before, and to remove the connections of dead servers.

        Raises:
            StoreError: Redis is away.
        """
        try:
            dead = await self._renew()
        except StoreError:
            self._steady_since = 0.0
            raise
        if self._working is None and (dead or self._unentered or self._unremoved):
            # Not awaited: many connections take time, and the lease must be renewed meanwhile.
            self._working = asyncio.get_running_loop().create_task(self._work(dead), name="websocket presence")
            self._working.add_done_callback(self._worked)

    def reconnected(self) -> None:
        """Redis was away, and may have lost what it was told last (a failover): the next renewal repeats it."""
        for topic, members in self._present.items():
            for connection in members:
                self._unentered[(topic, connection)] = None

    async def stop(self) -> None:
        """End the lease: the others need not wait until it is over.

        Raises:
            StoreError: Redis is away.
        """
        if self._working is not None:
            self._working.cancel()
        if self._leased:
            commands: list[Any] = [("ZREM", self._servers("leases"), self._server)]
            if self._present or self._unremoved:
                commands.append(("SADD", self._servers("dead"), self._server))
            else:
                commands.append(("DEL", self._topics_of(self._server)))
            await self._redis.execute_many(commands)

    # -- private -----------------------------------------------------------------------------------------------------

    async def _renew(self) -> Sequence[str]:
        """The lease; returns the dead servers."""
        steady = self._steady_since and self._clock() - self._steady_since >= self._lease
        # While Redis was away, the others could not renew their leases either: they get the time for it.
        server = self._server
        renewed, dead = await self._lease_script.run(
            (self._servers("leases"), self._servers("dead")),
            server,
            int(self._lease * 1000),
            int(not self._leased),
            int(bool(steady)),
        )
        self._steady_since = self._steady_since or self._clock()
        if server != self._server:  # another call has found out
            return await self._renew()
        if not renewed:
            log.warning("other servers have taken this one for dead; entering its connections again")
            self._server = secrets.token_urlsafe(9)
            self._leased = False
            self._listed.clear()
            self.reconnected()
            return await self._renew()
        self._leased = True
        return [one.decode() for one in dead if one.decode() != self._server]

    async def _enter(self, topic: str, member: Member) -> Entered:
        if not self._leased:
            await self._renew()
        server = self._server
        if topic not in self._listed:
            await self._redis.execute("SADD", self._topics_of(server), topic)
            if server == self._server:
                self._listed.add(topic)
        entry = _packed(server, member)
        count, first, first_of_user, returned, user_returned = await self._enter_script.run(
            self._keys(topic), member.connection, entry, member.user
        )
        key = (topic, member.connection)
        if member.connection not in self._present.get(topic, {}):  # it has left meanwhile
            self._unremoved[key] = None
        elif server == self._server:
            self._unentered.pop(key, None)
        else:  # the others remove what has the old name
            self._unentered[key] = None
        return Entered(
            count=count,
            first=bool(first),
            first_of_user=bool(first_of_user),
            returned=bool(returned),
            user_returned=bool(user_returned),
        )

    async def _remove(self, topic: str, connection: str) -> Left:
        left = await self._leave_script.run(self._keys(topic), connection, self._server, self._held(topic), _HELD)
        self._unremoved.pop((topic, connection), None)
        if topic not in self._present and topic in self._listed:
            await self._unlist(topic)
        return _left(left)

    async def _unlist(self, topic: str) -> None:
        """A topic without connections here. A failure is harmless: another server would look at it in vain."""
        self._listed.discard(topic)
        with contextlib.suppress(StoreError):
            await self._redis.execute("SREM", self._topics_of(self._server), topic)
            if topic in self._present:  # a connection came meanwhile, and the two commands may have changed places
                await self._redis.execute("SADD", self._topics_of(self._server), topic)

    async def _work(self, dead: Sequence[str]) -> None:
        for topic, connection in list(self._unremoved):
            if connection in self._present.get(topic, {}):  # it has come back
                self._unremoved.pop((topic, connection), None)
                continue
            left = await self._remove(topic, connection)
            if left.last or left.users:
                self.on_departed(topic, left)
        for topic, connection in list(self._unentered):
            member = self._present.get(topic, {}).get(connection)
            if member is None:
                self._unentered.pop((topic, connection), None)
                continue
            entered = await self._enter(topic, member)
            if entered.first or entered.first_of_user:
                self.on_entrance(topic, member, entered)
        for server in dead:
            await self._sweep(server)

    async def _sweep(self, server: str) -> None:
        """Remove the connections of a dead server."""
        topics = await self._redis.execute("SMEMBERS", self._topics_of(server))
        for topic in [one.decode() for one in topics]:
            left = _left(await self._leave_script.run(self._keys(topic), "", server, self._held(topic), _HELD))
            if left.last or left.users:
                self.on_departed(topic, left)
        await self._redis.execute("DEL", self._topics_of(server))
        await self._redis.execute("SREM", self._servers("dead"), server)
        log.warning("another server has died; removed its connections", server=server, topics=len(topics))

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._working = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("the presence of connections can't be changed in Redis; trying again", error=str(error))

    def _held(self, topic: str) -> int:
        return int(self._holds(topic))

    # The braces put the keys of a topic into one slot of a cluster.

    def _key(self, kind: str, topic: str) -> str:
        return f"{self._prefix}:{kind}:{{{topic}}}"

    def _keys(self, topic: str) -> tuple[str, ...]:
        return self._key("presence", topic), self._key("users", topic), self._key("held", topic)

    def _servers(self, kind: str) -> str:
        return f"{self._prefix}:{{servers}}:{kind}"

    def _topics_of(self, server: str) -> str:
        return f"{self._prefix}:topics:{server}"


def _packed(server: str, member: Member) -> bytes:
    """An entry; the scripts read it too."""
    user = member.user.encode()
    return b"%s %d %s%s" % (server.encode(), len(user), user, bytes(member.info))


def _unpacked(connection: str, entry: bytes) -> Member:
    _, length, rest = entry.split(b" ", 2)
    end = int(length)
    return Member(connection=connection, user=rest[:end].decode(), info=rest[end:])


def _left(answer: Any) -> Left:
    count, last, users = answer
    return Left(count=count, last=bool(last), users=tuple(user.decode() for user in users))
