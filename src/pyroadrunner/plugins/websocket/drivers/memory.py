"""Publications of one server."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from pyroadrunner.plugins.websocket.config import HistoryConfig
from pyroadrunner.plugins.websocket.drivers.contract import Deliver, Member, Recovered
from pyroadrunner.plugins.websocket.publication import Publication

_SWEEP = 1024  # topics with a history from which on expired ones are looked for


class _Log:
    __slots__ = ("entries", "epoch", "offset")

    def __init__(self) -> None:
        self.epoch = secrets.token_urlsafe(6)
        self.offset = 0
        self.entries: deque[tuple[float, Publication]] = deque()


class MemoryDriver:
    """Delivers at once; keeps the history that the config asks for.

    Args:
        history: the settings of a topic.
        clock: seconds, monotonic.
    """

    def __init__(self, history: Callable[[str], HistoryConfig], clock: Callable[[], float]) -> None:
        self._history = history
        self._clock = clock
        self._logs: dict[str, _Log] = {}
        self._deliver: Deliver = lambda _: 0
        self._sweep_at = _SWEEP
        self._members: dict[str, dict[str, Member]] = {}
        self.error = ""

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

    async def last(self, topic: str) -> Publication | None:
        log = self._logs.get(topic)
        if log is None:
            return None
        self._trim(log, self._history(topic), self._clock())
        return log.entries[-1][1] if log.entries else None

    async def enter(self, topic: str, member: Member) -> None:
        self._members.setdefault(topic, {})[member.connection] = member

    async def leave(self, topic: str, connection: str) -> None:
        members = self._members.get(topic, {})
        members.pop(connection, None)
        if not members:
            self._members.pop(topic, None)

    async def members(self, topic: str) -> Sequence[Member]:
        return list(self._members.get(topic, {}).values())

    async def occupied(self, prefix: str) -> Mapping[str, int]:
        return {topic: len(members) for topic, members in self._members.items() if topic.startswith(prefix)}

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
