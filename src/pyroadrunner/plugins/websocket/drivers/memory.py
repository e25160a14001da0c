"""Publications of one server."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

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
    ignore,
)
from pyroadrunner.plugins.websocket.publication import Publication

_SWEEP = 1024  # topics with a history from which on expired ones are looked for


class _Log:
    __slots__ = ("entries", "epoch", "offset")

    def __init__(self) -> None:
        self.epoch = secrets.token_urlsafe(6)
        self.offset = 0
        self.entries: deque[tuple[float, Publication]] = deque()


class _Presence:
    __slots__ = ("members", "users")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.users: dict[str, int] = {}  # their connections


_EMPTY = _Presence()


class MemoryDriver:
    """Delivers at once; keeps the history that the config asks for.

    Args:
        history: the settings of a topic.
        clock: seconds, monotonic.
        holds: whether departures from a topic are held until they are confirmed.
    """

    def __init__(
        self,
        history: Callable[[str], HistoryConfig],
        clock: Callable[[], float],
        holds: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._history = history
        self._clock = clock
        self._logs: dict[str, _Log] = {}
        self._deliver: Deliver = lambda _: 0
        self._sweep_at = _SWEEP
        self._holds = holds
        self._presence: dict[str, _Presence] = {}
        self._held: set[tuple[str, str]] = set()
        self.on_departed: Departed = ignore
        self.on_entrance: Entrance = ignore
        self.error = ""
        self.shared = False

    def __repr__(self) -> str:
        return f"MemoryDriver(topics with history={len(self._logs)})"

    async def start(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def stop(self) -> None: ...

    async def publish(self, topic: str, data: bytes, *, text: bool, origin: str = "") -> tuple[Publication, int]:
        config = self._history(topic)
        if not config.size:
            publication = Publication(topic, data, text=text, origin=origin)
            return publication, self._deliver(publication)
        log = self._logs.get(topic) or self._begin(topic)
        log.offset += 1
        publication = Publication(topic, data, text=text, offset=log.offset, epoch=log.epoch, origin=origin)
        now = self._clock()
        log.entries.append((now, publication))
        self._trim(log, config, now)
        return publication, self._deliver(publication)

    async def follow(self, topic: str) -> None: ...

    async def unfollow(self, topic: str) -> None: ...

    async def recover(self, topic: str, offset: int, epoch: str) -> Recovered:
        config = self._history(topic)
        log = self._logs.get(topic)
        if log is None:
            if not config.size:
                return Recovered(publications=(), offset=0, epoch="", complete=False)
            log = self._begin(topic)
        self._trim(log, config, self._clock())
        if epoch != log.epoch or offset > log.offset:
            return Recovered(publications=(), offset=log.offset, epoch=log.epoch, complete=False)
        missed = log.offset - offset
        kept = len(log.entries)
        found = [entry for _, entry in islice(log.entries, max(0, kept - missed), None)]
        return Recovered(publications=found, offset=log.offset, epoch=log.epoch, complete=missed <= kept)

    async def last(self, topic: str) -> Newest | None:
        log = self._logs.get(topic)
        if log is None:
            return None
        now = self._clock()
        self._trim(log, self._history(topic), now)
        if not log.entries:
            return None
        at, publication = log.entries[-1]
        return Newest(publication=publication, age=now - at)

    async def enter(self, topic: str, member: Member) -> Entered:
        presence = self._presence.setdefault(topic, _Presence())
        before = presence.members.get(member.connection)
        presence.members[member.connection] = member
        first_of_user = False
        if before is None or before.user != member.user:
            if before is not None:
                self._forget_user(presence, before.user)
            if member.user:
                count = presence.users[member.user] = presence.users.get(member.user, 0) + 1
                first_of_user = count == 1
        first = before is None and len(presence.members) == 1
        return Entered(
            count=len(presence.members),
            first=first,
            first_of_user=first_of_user,
            returned=first and self._take_held(topic, ""),
            user_returned=first_of_user and self._take_held(topic, member.user),
        )

    async def leave(self, topic: str, connection: str) -> Left:
        presence = self._presence.get(topic)
        member = presence.members.pop(connection, None) if presence is not None else None
        if presence is None or member is None:
            return Left(count=len(presence.members) if presence is not None else 0, last=False)
        users = (member.user,) if self._forget_user(presence, member.user) else ()
        last = not presence.members
        if last:
            del self._presence[topic]
        if self._holds(topic):
            self._held |= {(topic, user) for user in users} | ({(topic, "")} if last else set())
        return Left(count=len(presence.members), last=last, users=users)

    async def confirm(self, topic: str, user: str = "") -> bool:
        return self._take_held(topic, user)

    async def members(self, topic: str) -> Sequence[Member]:
        presence = self._presence.get(topic)
        return list(presence.members.values()) if presence is not None else []

    async def counts(self, topics: Sequence[str], *, users: bool = False) -> Sequence[int]:
        found = [self._presence.get(topic, _EMPTY) for topic in topics]
        return [len(one.users if users else one.members) for one in found]

    async def occupied(self, prefix: str) -> Mapping[str, int]:
        return {topic: len(presence.members) for topic, presence in self._presence.items() if topic.startswith(prefix)}

    def _take_held(self, topic: str, user: str) -> bool:
        if (topic, user) not in self._held:
            return False
        self._held.discard((topic, user))
        return True

    def _forget_user(self, presence: _Presence, user: str) -> bool:
        """Count a connection of a user less; whether it was the last."""
        if not user:
            return False
        presence.users[user] -= 1
        if presence.users[user]:
            return False
        del presence.users[user]
        return True

    def _begin(self, topic: str) -> _Log:
        if len(self._logs) >= self._sweep_at:
            now = self._clock()
            for name, log in list(self._logs.items()):
                self._trim(log, self._history(name), now)
                if not log.entries:
                    del self._logs[name]
            self._sweep_at = max(_SWEEP, 2 * len(self._logs))
        log = self._logs[topic] = _Log()
        return log

    def _trim(self, log: _Log, config: HistoryConfig, now: float) -> None:
        entries = log.entries
        while len(entries) > config.size or (entries and now - entries[0][0] > config.ttl):
            entries.popleft()
