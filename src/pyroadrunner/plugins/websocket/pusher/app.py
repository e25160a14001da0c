"""One application: its clients, and its channels on all servers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from pyroadrunner.contracts import Log, RoadRunnerError
from pyroadrunner.httpd.flood_log import FloodLog
from pyroadrunner.plugins.websocket.counters import Counters, Label
from pyroadrunner.plugins.websocket.drivers.contract import Entered, Left, Member
from pyroadrunner.plugins.websocket.hub import Follower, Hub
from pyroadrunner.plugins.websocket.origins import Origins
from pyroadrunner.plugins.websocket.pusher import frames
from pyroadrunner.plugins.websocket.pusher.channels import Channel, Kind
from pyroadrunner.plugins.websocket.pusher.config import AppConfig
from pyroadrunner.plugins.websocket.pusher.counts import SubscriptionCounts
from pyroadrunner.plugins.websocket.pusher.held import HOLD, Departure, HeldDepartures
from pyroadrunner.plugins.websocket.pusher.webhooks import Webhooks

if TYPE_CHECKING:
    from pyroadrunner.plugins.websocket.pusher.client import PusherClient

PREFIX = "pusher/"
CACHE_TTL = 1800  # seconds for which the last event of a cache channel is kept
_CACHED = "/cached/"
_EVENTS = "/events/"
_USERS = "/users/"
_WATCH = "/watch/"
_FLUSH = 3.0  # seconds for the last webhooks at a stop
TERMINATE = b"terminate"  # published to the topic of a user: close its connections

log = Log("websocket")
flood_log = FloodLog(log, monotonic)


class PusherApp:
    """The state of an application. A channel is a topic of the hub, so its events reach the clients of all servers.

    Attributes:
        clients: of this server, by ``socket_id``.
        tasks: that must end before the last webhooks can be sent.
    """

    def __init__(
        self, config: AppConfig, hub: Hub, clock: Callable[[], float], webhooks: Webhooks | None = None
    ) -> None:
        self.config = config
        self.hub = hub
        self.clock = clock
        self.webhooks = webhooks or Webhooks()
        self.origins = Origins(config.allowed_origins)
        self.clients: dict[str, PusherClient] = {}
        self.counters = Counters()
        self._counts = SubscriptionCounts(clock)
        self._held = HeldDepartures(clock)
        self.tasks: set[asyncio.Task[None]] = set()
        self._changes: deque[Coroutine[Any, Any, None]] = deque()
        self._telling: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"PusherApp({self.config.id!r}, clients={len(self.clients)})"

    def topic(self, channel: Channel) -> str:
        """The topic of the published events of a channel."""
        return f"{PREFIX}{self.config.id}{_CACHED if channel.cached else _EVENTS}{channel.name}"

    def client_topic(self, channel: Channel) -> str:
        """The topic of the events of clients and members; a cache must not keep those."""
        return f"{PREFIX}{self.config.id}{_EVENTS}{channel.name}"

    def user_topic(self, user: str) -> str:
        """The topic of the signed-in connections of a user."""
        return f"{PREFIX}{self.config.id}{_USERS}{user}"

    def watch_topic(self, user: str) -> str:
        """The topic of a user's coming and going, for watchlists."""
        return f"{PREFIX}{self.config.id}{_WATCH}{user}"

    def is_watch_topic(self, topic: str) -> bool:
        return topic.startswith(self.watch_topic(""))

    async def publish(self, name: str, channel: Channel, data: str, *, socket_id: str = "") -> None:
        """Publish an event of a backend.

        Args:
            socket_id: of a client that does not get it.
        """
        message = frames.event(name, channel.name, data)
        await self.hub.publish(self.topic(channel), message, text=True, origin=socket_id)

    async def publish_from_client(
        self, name: str, channel: Channel, data: Any, *, socket_id: str, user: str = ""
    ) -> None:
        """Publish an event of a client, or about a member."""
        more = {"user_id": user} if user else {}
        message = frames.event(name, channel.name, data, **more)
        await self.hub.publish(self.client_topic(channel), message, text=True, origin=socket_id)

    def report(self, name: str, channel: Channel, fields: Mapping[str, Any] | None = None) -> None:
        """Tell the webhooks; the channels of users are no channels for them."""
        if channel.kind is not Kind.USER:
            self.webhooks.emit(name, channel.name, fields)

    async def terminate(self, user: str) -> None:
        """Close all connections of a signed-in user."""
        await self.hub.publish(self.user_topic(user), TERMINATE, text=False)

    async def subscribe(self, channel: Channel, client: Follower, member: tuple[str, Any] | None) -> Entered:
        """Add a client to a channel; :meth:`announce` tells the others."""
        entry = Member(
            connection=client.id,
            user=member[0] if member else "",
            info=msgspec.json.encode(member[1] if member else None),
        )
        try:
            entered = await self.hub.driver.enter(self.topic(channel), entry)
        except RoadRunnerError:
            await self._undo(channel, client)
            raise
        for topic in {self.topic(channel), self.client_topic(channel)}:
            await self.hub.join(topic, client)
        return entered

    async def announce(
        self, channel: Channel, entered: Entered, member: tuple[str, Any] | None, socket_id: str = ""
    ) -> None:
        """Tell members and webhooks of a new subscription."""
        if entered.first and not entered.returned:
            self.report("channel_occupied", channel)
        if member is not None and entered.first_of_user:
            if not entered.user_returned:
                self.report("member_added", channel, {"user_id": member[0]})
            data = {"user_id": member[0], "user_info": member[1]}
            await self.publish_from_client("pusher_internal:member_added", channel, data, socket_id=socket_id)

    async def tell_count(self, channel: Channel, count: int) -> None:
        """Tell the subscribers their number after a change, where that is switched on and now is the time."""
        told = self.config.subscription_count and channel.kind not in (Kind.PRESENCE, Kind.USER)
        if told and self._counts.changed(channel.name, count):
            await self._tell_count(channel, count)

    async def unsubscribe(self, channel: Channel, client: Follower) -> None:
        """Remove it, and tell the others."""
        await self.hub.leave({self.topic(channel), self.client_topic(channel)}, client)
        left = await self.hub.driver.leave(self.topic(channel), client.id)
        await self._departed(channel, left, client.id)

    async def sign_in(self, user: str, client: Follower) -> None:
        """A client is that of a user; those who watch the user are told."""
        await self.hub.join(self.user_topic(user), client)
        if not self.config.watchlists:
            return
        try:
            entered = await self.hub.driver.enter(
                self.user_topic(user), Member(connection=client.id, user="", info=b"null")
            )
            if entered.first:
                await self._tell_watchers(user, online=True)
        except RoadRunnerError as error:
            flood_log.warning("those who watch a user are told later that it is online", error=str(error))

    async def sign_out(self, user: str, client: Follower) -> None:
        """It is gone."""
        await self.hub.leave([self.user_topic(user)], client)
        if self.config.watchlists:
            left = await self.hub.driver.leave(self.user_topic(user), client.id)
            if left.last:
                await self._tell_watchers(user, online=False)

    async def online(self, users: Sequence[str]) -> Sequence[bool]:
        """Whether each user has a signed-in connection, on any server."""
        counts = await self.hub.driver.counts([self.user_topic(user) for user in users])
        return [count > 0 for count in counts]

    def entrance(self, topic: str, member: Member, entered: Entered) -> None:
        """A connection of this server was entered again; see ``Driver.on_entrance``."""
        kind, name = self._parsed(topic)
        if kind in (_EVENTS, _CACHED):
            user = (member.user, msgspec.json.decode(member.info)) if member.user else None
            self._run(self.announce(Channel(name), entered, user, member.connection))
            self._run(self.tell_count(Channel(name), entered.count))
        elif kind == _USERS and entered.first:
            self._run(self._tell_watchers(name, online=True))

    def departed(self, topic: str, left: Left) -> None:
        """Connections have left, perhaps those of a server that has died; see ``Driver.on_departed``."""
        kind, name = self._parsed(topic)
        if kind in (_EVENTS, _CACHED):
            self._run(self._departed(Channel(name), left))
        elif kind == _USERS and left.last:
            self._run(self._tell_watchers(name, online=False))

    def tick(self) -> None:
        """Do what is due; call it about once a second."""
        if due := self._held.due():
            self._run(self._confirm(due))
        if channels := self._counts.due():
            self._run(self._tell_counts([Channel(name) for name in channels]))

    async def stop(self, seconds: float, *, replaced: bool = False) -> None:
        """The clients are gone: tell the webhooks, within a time limit.

        Args:
            replaced: another process has taken over, and the clients connect to that.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + min(seconds, HOLD + _FLUSH)
        while self.tasks and loop.time() < until:
            await asyncio.wait(self.tasks, timeout=until - loop.time())
        if self.hub.driver.shared:
            # They come back through other servers, perhaps right now.
            await asyncio.sleep(max(0.0, min(self._held.last_due - self.clock(), until - loop.time())))
        departures = self._held.all()
        if departures and (self.hub.driver.shared or not replaced):
            try:
                async with asyncio.timeout_at(until):
                    await self._confirm(departures)
            except (TimeoutError, RoadRunnerError) as error:
                log.warning("webhooks of the last departures were not sent", error=str(error))
        for task in self.tasks:
            task.cancel()
        await self.webhooks.stop(max(0.0, min(_FLUSH, until - loop.time())))

    async def _undo(self, channel: Channel, client: Follower) -> None:
        """A subscription has failed: it must not come into being later."""
        try:
            await self.hub.driver.leave(self.topic(channel), client.id)
        except RoadRunnerError:
            log.debug("the end of a failed subscription is repeated later", channel=channel.name)

    async def members(self, channel: Channel) -> dict[str, Any]:
        """The distinct users of a presence channel with their info, on all servers."""
        return {one.user: msgspec.json.decode(one.info) for one in await self._entries(channel)}

    async def subscriptions(self, channel: Channel) -> int:
        """The number of subscribed connections, on all servers."""
        return (await self.hub.driver.counts([self.topic(channel)]))[0]

    async def users(self, channel: Channel) -> int:
        """The number of distinct users of a presence channel, on all servers."""
        return (await self.hub.driver.counts([self.topic(channel)], users=True))[0]

    async def cached(self, channel: Channel) -> tuple[bytes, float] | None:
        """The last published event of a cache channel, and the seconds for which it is still kept."""
        found = await self.hub.driver.last(self.topic(channel))
        if found is None or found.age >= CACHE_TTL:
            return None
        return found.publication.data, CACHE_TTL - found.age

    async def channels(self) -> Mapping[str, int]:
        """Occupied channels with the number of their subscriptions, on all servers."""
        found: dict[str, int] = {}
        for kind in (_EVENTS, _CACHED):
            prefix = f"{PREFIX}{self.config.id}{kind}"
            for topic, count in (await self.hub.driver.occupied(prefix)).items():
                found[topic[len(prefix) :]] = count
        return found

    async def _entries(self, channel: Channel) -> list[Member]:
        return list(await self.hub.driver.members(self.topic(channel)))

    async def _departed(self, channel: Channel, left: Left, socket_id: str = "") -> None:
        if self.webhooks:
            for user in left.users:
                self._held.add(Departure(channel, user))
            if left.last:
                self._held.add(Departure(channel))
        for user in left.users:
            data = {"user_id": user}
            await self.publish_from_client("pusher_internal:member_removed", channel, data, socket_id=socket_id)
        await self.tell_count(channel, left.count)

    async def _confirm(self, departures: Sequence[Departure]) -> None:
        """Tell the webhooks of departures that have lasted."""
        for number, departure in enumerate(departures):
            channel, user = departure.channel, departure.user
            try:
                lasted = await self.hub.driver.confirm(self.topic(channel), user)
            except RoadRunnerError:
                for later in departures[number:]:
                    self._held.add(later)
                raise
            if lasted and user:
                self.report("member_removed", channel, {"user_id": user})
            elif lasted:
                self.report("channel_vacated", channel)

    async def _tell_counts(self, channels: Sequence[Channel]) -> None:
        counts = await self.hub.driver.counts([self.topic(channel) for channel in channels])
        for channel, count in zip(channels, counts, strict=True):
            if self._counts.looked(channel.name, count):
                await self._tell_count(channel, count)

    async def _tell_count(self, channel: Channel, count: int) -> None:
        data = {"subscription_count": count}
        self.report("subscription_count", channel, data)
        if count:
            await self.publish_from_client("pusher_internal:subscription_count", channel, data, socket_id="")

    async def _tell_watchers(self, user: str, *, online: bool) -> None:
        message = frames.watchlist([user], []) if online else frames.watchlist([], [user])
        await self.hub.publish(self.watch_topic(user), message, text=True)

    def _parsed(self, topic: str) -> tuple[str, str]:
        """Kind and name of a topic of this application; empty = it is not of this one."""
        start = f"{PREFIX}{self.config.id}"
        if topic.startswith(start):
            for kind in (_EVENTS, _CACHED, _USERS):
                if topic.startswith(kind, len(start)):
                    return kind, topic[len(start) + len(kind) :]
        return "", ""

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something soon. One thing after the other: after the end of a server there may be thousands."""
        self._changes.append(work)
        if self._telling is None:
            task = self._telling = asyncio.get_running_loop().create_task(self._tell(), name="pusher changes")
            self.tasks.add(task)
            task.add_done_callback(self._told)

    async def _tell(self) -> None:
        while self._changes:
            try:
                await self._changes.popleft()
            except RoadRunnerError as error:
                flood_log.error("clients and webhooks were not told of a change", app=self.config.id, error=str(error))

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling = None
        self.tasks.discard(task)
        while task.cancelled() and self._changes:
            self._changes.popleft().close()
        if not task.cancelled() and task.exception() is not None:
            log.error("telling a change failed", app=self.config.id, error=repr(task.exception()))
        if self._changes:
            self._run(self._changes.popleft())


def is_cached(topic: str) -> bool:
    """Whether the last publication to a topic is kept."""
    return topic.startswith(PREFIX) and _CACHED in topic


def is_channel_of(topic: str, app_id: str) -> bool:
    """Whether a topic has the subscribers of a channel of an application."""
    return topic.startswith((f"{PREFIX}{app_id}{_EVENTS}", f"{PREFIX}{app_id}{_CACHED}"))


def class_of(topic: str) -> Label | None:
    """The application and the kind of channel of a topic; ``None`` = it is no topic of an application."""
    if not topic.startswith(PREFIX):
        return None
    app, _, rest = topic[len(PREFIX) :].partition("/")
    kind, _, name = rest.partition("/")
    if f"/{kind}/" in (_USERS, _WATCH):
        return app, Kind.USER.value
    channel = Channel(name)
    return app, f"{channel.kind.value}-cache" if channel.cached else channel.kind.value
