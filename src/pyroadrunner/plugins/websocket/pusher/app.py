"""One application: its clients, and its channels on all servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pyroadrunner.plugins.websocket.counters import Counters, Label
from pyroadrunner.plugins.websocket.drivers.contract import Member
from pyroadrunner.plugins.websocket.hub import Follower, Hub
from pyroadrunner.plugins.websocket.origins import Origins
from pyroadrunner.plugins.websocket.pusher import frames
from pyroadrunner.plugins.websocket.pusher.channels import Channel, Kind
from pyroadrunner.plugins.websocket.pusher.config import AppConfig

if TYPE_CHECKING:
    from pyroadrunner.plugins.websocket.pusher.client import PusherClient

PREFIX = "pusher/"
CACHE_TTL = 1800  # seconds for which the last event of a cache channel is kept
_CACHED = "/cached/"
_EVENTS = "/events/"
_USERS = "/users/"
TERMINATE = b"terminate"  # published to the topic of a user: close its connections


class PusherApp:
    """The state of an application. A channel is a topic of the hub, so its events reach the clients of all servers."""

    def __init__(self, config: AppConfig, hub: Hub, clock: Callable[[], float]) -> None:
        self.config = config
        self.hub = hub
        self.clock = clock
        self.origins = Origins(config.allowed_origins)
        self.clients: dict[str, PusherClient] = {}
        self.counters = Counters()

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

    async def terminate(self, user: str) -> None:
        """Close all connections of a signed-in user."""
        await self.hub.publish(self.user_topic(user), TERMINATE, text=False)

    async def subscribe(self, channel: Channel, client: Follower, member: tuple[str, Any] | None) -> None:
        """Add a client to a channel."""
        driver = self.hub.driver
        entry = Member(
            connection=client.id,
            user=member[0] if member else "",
            info=msgspec.json.encode(member[1] if member else None),
        )
        first = member is not None and all(one.user != member[0] for one in await self._entries(channel))
        await driver.enter(self.topic(channel), entry)
        for topic in {self.topic(channel), self.client_topic(channel)}:
            await self.hub.join(topic, client)
        if first and member is not None:
            data = {"user_id": member[0], "user_info": member[1]}
            await self.publish_from_client("pusher_internal:member_added", channel, data, socket_id=client.id)

    async def unsubscribe(self, channel: Channel, client: Follower, user: str) -> None:
        """Remove it."""
        await self.hub.leave({self.topic(channel), self.client_topic(channel)}, client)
        await self.hub.driver.leave(self.topic(channel), client.id)
        if channel.kind is Kind.PRESENCE and all(one.user != user for one in await self._entries(channel)):
            data = {"user_id": user}
            await self.publish_from_client("pusher_internal:member_removed", channel, data, socket_id=client.id)

    async def members(self, channel: Channel) -> dict[str, Any]:
        """The distinct users of a presence channel with their info, on all servers."""
        return {one.user: msgspec.json.decode(one.info) for one in await self._entries(channel)}

    async def subscriptions(self, channel: Channel) -> int:
        """The number of subscribed connections, on all servers."""
        return len(await self._entries(channel))

    async def cached(self, channel: Channel) -> bytes | None:
        """The last published event of a cache channel."""
        found = await self.hub.driver.last(self.topic(channel))
        return found.data if found is not None else None

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


def is_cached(topic: str) -> bool:
    """Whether the last publication to a topic is kept."""
    return topic.startswith(PREFIX) and _CACHED in topic


def class_of(topic: str) -> Label | None:
    """The application and the kind of channel of a topic; ``None`` = it is no topic of an application."""
    if not topic.startswith(PREFIX):
        return None
    app, _, rest = topic[len(PREFIX) :].partition("/")
    kind, _, name = rest.partition("/")
    if f"/{kind}/" == _USERS:
        return app, Kind.USER.value
    channel = Channel(name)
    return app, f"{channel.kind.value}-cache" if channel.cached else channel.kind.value
