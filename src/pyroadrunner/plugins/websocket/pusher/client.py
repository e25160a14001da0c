"""One client that speaks the protocol."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Collection, Coroutine
from time import monotonic
from typing import Any

from pyroadrunner.contracts import Log, RoadRunnerError
from pyroadrunner.httpd.flood_log import FloodLog
from pyroadrunner.httpd.websocket.contract import BLAMED, Socket
from pyroadrunner.httpd.websocket.message import OutMessage
from pyroadrunner.plugins.websocket.publication import Publication
from pyroadrunner.plugins.websocket.pusher import frames, signatures
from pyroadrunner.plugins.websocket.pusher.app import TERMINATE, PusherApp
from pyroadrunner.plugins.websocket.pusher.channels import Channel, Kind, is_valid
from pyroadrunner.plugins.websocket.pusher.frames import ClientEvent
from pyroadrunner.plugins.websocket.rate import Rate

_MAX_WAITING = 100  # events of a client that wait for Redis; then it is not read
_MAX_CHANNELS = 200  # subscriptions of one client
_MAX_WATCHED = 100  # users that one client may watch
_UNAUTHORISED, _CLIENT_EVENT, _WATCHLIST, _RECONNECT, _NO_PONG = 4009, 4301, 4302, 4200, 4201

log = Log("websocket")
flood_log = FloodLog(log, monotonic)


class PusherClient:
    """A client; the handler of its socket, and a follower of its channels.

    Args:
        refusal: code and words; the client is told, then closed. ``None`` = it is accepted.

    Attributes:
        id: its ``socket_id``.
        remote_addr: of the client.
        user: id of the signed-in user; empty = not signed in.
    """

    def __init__(self, app: PusherApp, refusal: tuple[int, str] | None = None, remote_addr: str = "") -> None:
        self.id = f"{secrets.randbelow(10**10)}.{secrets.randbelow(10**10)}"
        self.user = ""
        self.remote_addr = remote_addr
        self._app = app
        self._opened_at = app.clock()
        self._refusal = refusal
        self._socket: Socket | None = None
        self._channels: dict[str, tuple[Channel, str]] = {}  # and the user of a presence channel
        self._watched: list[str] = []  # topics of its watchlist
        self._unsent: list[Publication] | None = None
        self._waiting: deque[ClientEvent] = deque()
        self._task: asyncio.Task[None] | None = None
        self._paused = False
        self._closed = False
        self._heard = app.clock()
        self._pinged = 0.0
        self._rate = Rate(app.config.client_events_per_second, app.clock())

    def __repr__(self) -> str:
        return f"PusherClient({self.id}, user={self.user!r}, channels={list(self._channels)})"

    @property
    def topics(self) -> Collection[str]:
        """Its channels."""
        return self._channels

    def view(self) -> dict[str, Any]:
        """For operators."""
        return {
            "id": self.id,
            "app": self._app.config.id,
            "user": self.user,
            "remote_addr": self.remote_addr,
            "topics": sorted(self._channels),
            "seconds": round(self._app.clock() - self._opened_at, 1),
            "buffered": self.buffered,
            "dropped": self.dropped,
        }

    @property
    def buffered(self) -> int:
        """Bytes that wait, since the client reads slowly."""
        return self._socket.buffered if self._socket is not None else 0

    @property
    def dropped(self) -> int:
        """Messages that were dropped, since the client reads too slowly."""
        return self._socket.dropped if self._socket is not None else 0

    # -- SocketHandler -----------------------------------------------------------------------------------------------

    def opened(self, socket: Socket) -> None:
        self._socket = socket
        if self._refusal is not None:
            self._refuse(*self._refusal)
            return
        self._app.clients[self.id] = self
        self._app.counters.opened += 1
        self._send(frames.established(self.id, max(1, int(self._app.config.activity_timeout))))

    def received(self, data: bytes, *, text: bool) -> None:
        self._heard, self._pinged = self._app.clock(), 0.0
        if self._refusal is not None:
            return
        self._app.counters.received += 1
        self._app.counters.received_bytes += len(data)
        event = frames.read(data) if text else None
        if event is None:
            self._send(frames.error(_RECONNECT, "Invalid message format"))
        elif event.event == "pusher:ping":
            self._send(frames.event("pusher:pong", data={}))
        elif event.event != "pusher:pong":
            self._add(event)

    def closed(self, code: int, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        if self._app.clients.pop(self.id, None) is not None:
            self._app.counters.count_close(code, self.dropped)
        self._waiting.clear()
        if self._task is None and (self._channels or self.user):
            self._run(self._leave())
        log.debug("pusher client has left", app=self._app.config.id, socket_id=self.id, code=code)
        if code in BLAMED:
            flood_log.warning(
                "a client broke a rule",
                f"{code} {reason}",
                app=self._app.config.id,
                socket_id=self.id,
                code=code,
                reason=reason,
            )

    # -- Follower ----------------------------------------------------------------------------------------------------

    def deliver(self, publication: Publication) -> bool:
        if not publication.text and publication.data == TERMINATE:
            self._refuse(_UNAUTHORISED, "The connection was terminated")
            return True
        if self._unsent is not None and self._app.is_watch_topic(publication.topic):
            self._unsent.append(publication)
            return True
        return self._send_message(publication.message(envelope=False))

    # -- for the plugin ----------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Ping a silent client; cut a dead one."""
        if self._socket is None:
            return
        if self._pinged:
            if now - self._pinged >= self._app.config.activity_timeout:
                self._refuse(_NO_PONG, "Pong reply not received in time")
                self._socket.abort()
        elif now - self._heard >= 2 * self._app.config.activity_timeout:
            self._pinged = now
            self._send(frames.event("pusher:ping", data={}))
        self._socket.tick(now)

    def restart(self) -> None:
        """The server stops or is replaced: the client connects again at once."""
        if self._socket is not None:
            self._socket.close(_RECONNECT, "The server restarts")

    def close(self, code: int, reason: str) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close(code, reason)

    def abort(self) -> None:
        """Cut the connection."""
        if self._socket is not None:
            self._socket.abort()

    # -- events ------------------------------------------------------------------------------------------------------

    def _add(self, event: ClientEvent) -> None:
        """Handle events one after the other: subscriptions may wait for Redis."""
        self._waiting.append(event)
        if self._task is None:
            self._run(self._handle_all())
        elif len(self._waiting) >= _MAX_WAITING and not self._paused and self._socket is not None:
            self._paused = True
            self._socket.pause()

    async def _handle_all(self) -> None:
        while self._waiting:
            try:
                await self._handle(self._waiting.popleft())
            except RoadRunnerError as error:
                flood_log.warning("an event was not carried out", socket_id=self.id, error=str(error))
                self._send(frames.error(_RECONNECT, "The server can't do that now"))
        if self._paused and self._socket is not None:
            self._paused = False
            self._socket.resume()
        if self._closed:
            await self._leave()

    async def _handle(self, event: ClientEvent) -> None:
        if event.event == "pusher:subscribe":
            await self._subscribe(frames.fields(event.data))
        elif event.event == "pusher:unsubscribe":
            await self._unsubscribe(str(frames.fields(event.data).get("channel", "")))
        elif event.event == "pusher:signin":
            await self._sign_in(frames.fields(event.data))
        elif event.event.startswith("client-"):
            await self._client_event(event)
        else:
            self._send(frames.error(_RECONNECT, f"Unknown event {event.event[:100]}"))

    async def _subscribe(self, data: dict[str, Any]) -> None:
        name = data.get("channel")
        if not isinstance(name, str) or not is_valid(name):
            self._refuse_subscription(str(name)[:200], "the name of the channel is invalid", 400)
            return
        if len(self._channels) >= _MAX_CHANNELS and name not in self._channels:
            self._refuse_subscription(name, f"a connection has at most {_MAX_CHANNELS} channels", 400)
            return
        channel = Channel(name)
        member = self._authorise(channel, data)
        if isinstance(member, str):
            self._refuse_subscription(name, member, 401)
            return
        entered = None
        if name not in self._channels:
            entered = await self._app.subscribe(channel, self, member)
            self._channels[name] = channel, member[0] if member else ""
            await self._app.announce(channel, entered, member, self.id)
        result = frames.presence((await self._app.members(channel)).items()) if member else {}
        self._send(frames.event("pusher_internal:subscription_succeeded", name, result))
        if entered is not None:
            await self._app.tell_count(channel, entered.count)
        if channel.cached:
            await self._send_cached(channel)

    async def _send_cached(self, channel: Channel) -> None:
        cached = await self._app.cached(channel)
        if cached is None:
            self._send(frames.event("pusher:cache_miss", channel.name))
            self._app.report("cache_miss", channel)
        else:
            self._send(cached[0])

    def _authorise(self, channel: Channel, data: dict[str, Any]) -> tuple[str, Any] | str | None:
        """The member of a presence channel; ``None`` for other channels; a string = why it is refused."""
        if channel.kind is Kind.PUBLIC:
            return None
        if channel.kind is Kind.USER:
            return None if self.user and self.user == channel.user else "only the signed-in user may subscribe"
        config = self._app.config
        channel_data = data.get("channel_data")
        given = channel_data if isinstance(channel_data, str) and channel.kind is Kind.PRESENCE else ""
        text = signatures.channel_text(self.id, channel.name, given)
        if not signatures.is_authorised(config.key, config.secret, str(data.get("auth", "")), text):
            return "the signature is invalid"
        if channel.kind is not Kind.PRESENCE:
            return None
        found = frames.fields(given)
        user = found.get("user_id", self.user or None)
        if not isinstance(user, str | int) or user == "":
            return "channel_data has no user_id"
        return str(user), found.get("user_info")

    async def _unsubscribe(self, name: str) -> None:
        found = self._channels.pop(name, None)
        if found is not None:
            await self._app.unsubscribe(found[0], self)

    async def _sign_in(self, data: dict[str, Any]) -> None:
        user_data, config = data.get("user_data"), self._app.config
        text = signatures.user_text(self.id, str(user_data))
        user = frames.fields(user_data).get("id")
        valid = isinstance(user_data, str) and isinstance(user, str | int) and str(user)
        if not valid or not signatures.is_authorised(config.key, config.secret, str(data.get("auth", "")), text):
            self._refuse(_UNAUTHORISED, "The sign-in is not authorised")
            return
        if self.user and self.user != str(user):
            self._send(frames.error(_UNAUTHORISED, "The connection belongs to another user"))
            return
        self.user = str(user)
        await self._app.sign_in(self.user, self)
        self._send(frames.event("pusher:signin_success", data={"user_data": user_data}))
        watched = frames.fields(user_data).get("watchlist")
        if isinstance(watched, list) and config.watchlists and not self._watched:
            await self._watch(watched)

    async def _watch(self, users: list[Any]) -> None:
        """Tell the client which users of its watchlist are online, and from now on who comes and leaves."""
        found = list(dict.fromkeys(str(user) for user in users if isinstance(user, str | int) and str(user)))
        if len(found) > _MAX_WATCHED:
            found = found[:_MAX_WATCHED]
            self._send(frames.error(_WATCHLIST, f"A watchlist has at most {_MAX_WATCHED} users"))
        if not found:
            return
        self._watched = [self._app.watch_topic(user) for user in found]
        held = self._unsent = []  # what changes while the current state is read comes after it
        try:
            for topic in self._watched:
                await self._app.hub.join(topic, self)
            online = await self._app.online(found)
        finally:
            self._unsent = None
        here = [user for user, is_online in zip(found, online, strict=True) if is_online]
        gone = [user for user, is_online in zip(found, online, strict=True) if not is_online]
        self._send(frames.watchlist(here, gone))
        for publication in held:
            self.deliver(publication)

    async def _client_event(self, event: ClientEvent) -> None:
        found = self._channels.get(event.channel)
        if found is None or not found[0].client_events or self._app.config.client_events == "none":
            self._send(frames.error(_CLIENT_EVENT, "Client events need a private or presence channel of this client"))
            return
        if not self._rate.allows(self._app.clock()):
            self._send(frames.error(_CLIENT_EVENT, "Too many client events"))
            return
        channel, user = found
        await self._app.publish_from_client(event.event, channel, event.data, socket_id=self.id, user=user)
        fields = {"event": event.event, "data": frames.text(event.data), "socket_id": self.id}
        self._app.report("client_event", channel, {**fields, **({"user_id": user} if user else {})})

    # -- private -----------------------------------------------------------------------------------------------------

    async def _leave(self) -> None:
        work: list[Coroutine[Any, Any, None]] = [self._app.hub.leave(self._watched, self)]
        work += [self._app.unsubscribe(channel, self) for channel, _ in self._channels.values()]
        if self.user:
            work.append(self._app.sign_out(self.user, self))
        self._channels.clear()
        self.user = ""
        for one in work:
            try:
                await one
            except RoadRunnerError as error:
                flood_log.warning("other servers do not know yet that a client has left", error=str(error))

    def _refuse_subscription(self, channel: str, why: str, status: int) -> None:
        app = self._app.config.id
        flood_log.warning("a subscription was refused", why, app=app, channel=channel, socket_id=self.id, reason=why)
        self._send(frames.subscription_error(channel, why, status))
        self._send(frames.error(_UNAUTHORISED, why))

    def _refuse(self, code: int, why: str) -> None:
        """An error and a close with the same code: some clients look at one, some at the other."""
        self._send(frames.error(code, why))
        if self._socket is not None:
            self._socket.close(code, why)

    def _send(self, frame: bytes) -> None:
        self._send_message(OutMessage(frame, text=True))

    def _send_message(self, message: OutMessage) -> bool:
        if self._socket is None or not self._socket.send(message):
            return False
        self._app.counters.sent += 1
        self._app.counters.sent_bytes += len(message.data)
        return True

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._task = asyncio.get_running_loop().create_task(work)
        self._app.tasks.add(task)
        task.add_done_callback(self._app.tasks.discard)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            flood_log.error("a pusher client failed", socket_id=self.id, error=repr(task.exception()))
            self.abort()
        elif self._waiting:
            self._run(self._handle_all())
        elif self._closed and (self._channels or self.user):  # it happened while the task ended
            self._run(self._leave())
