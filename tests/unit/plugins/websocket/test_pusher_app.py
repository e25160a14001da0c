"""What an application tells clients and webhooks of a change, over the memory driver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from pyroadrunner.plugins.websocket.config import HistoryConfig
from pyroadrunner.plugins.websocket.drivers.contract import Entered, Left, Member
from pyroadrunner.plugins.websocket.drivers.memory import MemoryDriver
from pyroadrunner.plugins.websocket.hub import Hub
from pyroadrunner.plugins.websocket.publication import Publication
from pyroadrunner.plugins.websocket.pusher.app import PusherApp
from pyroadrunner.plugins.websocket.pusher.channels import Channel
from pyroadrunner.plugins.websocket.pusher.config import AppConfig
from pyroadrunner.plugins.websocket.pusher.webhooks import Webhooks


class Client:
    """A follower that keeps what it gets."""

    def __init__(self, identity: str) -> None:
        self.id = identity
        self.got: list[tuple[str, Any]] = []

    def deliver(self, publication: Publication) -> bool:
        found = json.loads(publication.data)
        self.got.append((found["event"], json.loads(found["data"])))
        return True


class Reports(Webhooks):
    """Webhooks without endpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[str] = []

    def __bool__(self) -> bool:
        return True

    def emit(self, name: str, channel: str, fields: Any = None) -> None:
        user = f" {fields['user_id']}" if fields and "user_id" in fields else ""
        self.got.append(f"{name} {channel}{user}")


class Scene:
    """An application, its clock, and what it tells."""

    def __init__(self, **config: Any) -> None:
        self.now = 0.0
        self.reports = Reports()
        self.driver = MemoryDriver(lambda _: HistoryConfig(), lambda: self.now, lambda _: True)
        self.hub = Hub(self.driver)
        settings = AppConfig(id="3", key="key", secret="secret", **config)
        self.app = PusherApp(settings, self.hub, lambda: self.now, self.reports)
        self.driver.on_departed, self.driver.on_entrance = self.app.departed, self.app.entrance

    async def subscribe(self, client: Client, channel: str, user: str = "") -> None:
        member = (user, None) if user else None
        entered = await self.app.subscribe(Channel(channel), client, member)
        await self.app.announce(Channel(channel), entered, member, client.id)
        await self.app.tell_count(Channel(channel), entered.count)

    async def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.app.tick()
        while self.app.tasks:
            await asyncio.wait(self.app.tasks)

    def topic(self, channel: str) -> str:
        return self.app.topic(Channel(channel))


def run(test: Callable[[Scene], Coroutine[Any, Any, None]], **config: Any) -> None:
    async def scene() -> None:
        it = Scene(**config)
        await it.driver.start(it.hub.deliver)
        await test(it)

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_departure_is_reported_after_three_seconds() -> None:
    async def scene(it: Scene) -> None:
        ann, bob = Client("1"), Client("2")
        await it.subscribe(ann, "presence-x", "ann")
        await it.subscribe(bob, "presence-x", "bob")
        assert ann.got == [("pusher_internal:member_added", {"user_id": "bob", "user_info": None})]
        await it.app.unsubscribe(Channel("presence-x"), bob)
        assert ann.got[1:] == [("pusher_internal:member_removed", {"user_id": "bob"})]
        reported = ["channel_occupied presence-x", "member_added presence-x ann", "member_added presence-x bob"]
        await it.pass_time(2.9)
        assert it.reports.got == reported
        await it.pass_time(0.2)
        assert it.reports.got[3:] == ["member_removed presence-x bob"]
        await it.app.unsubscribe(Channel("presence-x"), ann)
        await it.pass_time(3.1)
        assert it.reports.got[4:] == ["member_removed presence-x ann", "channel_vacated presence-x"]

    run(scene)


def test_who_comes_back_was_never_away_for_webhooks() -> None:
    async def scene(it: Scene) -> None:
        await it.subscribe(Client("1"), "presence-x", "ann")
        await it.app.unsubscribe(Channel("presence-x"), Client("1"))
        await it.pass_time(1)
        await it.subscribe(Client("2"), "presence-x", "ann")
        await it.pass_time(10)
        assert it.reports.got == ["channel_occupied presence-x", "member_added presence-x ann"]

    run(scene)


def test_channels_of_users_are_not_reported() -> None:
    async def scene(it: Scene) -> None:
        await it.subscribe(Client("1"), "#server-to-user-7")
        await it.app.unsubscribe(Channel("#server-to-user-7"), Client("1"))
        await it.pass_time(10)
        assert it.reports.got == []

    run(scene)


def test_what_a_dead_server_leaves_is_told_one_after_the_other() -> None:
    async def scene(it: Scene) -> None:
        ann = Client("1")
        await it.subscribe(ann, "presence-x", "ann")
        await it.subscribe(ann, "room")
        await it.hub.join(it.app.watch_topic("bob"), ann)
        ann.got.clear()
        it.app.departed(it.topic("presence-x"), Left(count=1, last=False, users=("bob", "carl")))
        it.app.departed(it.topic("room"), Left(count=1, last=False))
        it.app.departed(it.app.user_topic("bob"), Left(count=0, last=True))
        it.app.departed("pusher/33/events/room", Left(count=0, last=True))
        assert len(it.app.tasks) == 1
        await it.pass_time(0)
        assert ann.got == [
            ("pusher_internal:member_removed", {"user_id": "bob"}),
            ("pusher_internal:member_removed", {"user_id": "carl"}),
            ("pusher_internal:subscription_count", {"subscription_count": 1}),
            ("pusher_internal:watchlist_events", {"events": [{"name": "offline", "user_ids": ["bob"]}]}),
        ]

    run(scene, subscription_count=True)


def test_connections_that_were_entered_again_are_told() -> None:
    async def scene(it: Scene) -> None:
        ann = Client("1")
        await it.subscribe(ann, "presence-x", "ann")
        await it.hub.join(it.app.watch_topic("bob"), ann)
        entered = Entered(count=2, first=True, first_of_user=True)
        bob = Member(connection="2", user="bob", info=b'{"a":1}')
        it.app.entrance(it.topic("presence-x"), bob, entered)
        it.app.entrance(it.app.user_topic("bob"), Member(connection="2", user="", info=b"null"), entered)
        await it.pass_time(0)
        assert ann.got == [
            ("pusher_internal:member_added", {"user_id": "bob", "user_info": {"a": 1}}),
            ("pusher_internal:watchlist_events", {"events": [{"name": "online", "user_ids": ["bob"]}]}),
        ]
        assert it.reports.got[2:] == ["channel_occupied presence-x", "member_added presence-x bob"]

    run(scene)


def test_a_stop_reports_what_is_held() -> None:
    async def scene(it: Scene) -> None:
        await it.subscribe(Client("1"), "x")
        await it.app.unsubscribe(Channel("x"), Client("1"))
        await it.app.stop(60)
        assert it.reports.got == ["channel_occupied x", "channel_vacated x"]

    run(scene)


def test_a_process_that_is_replaced_does_not_report_that_its_clients_have_left() -> None:
    async def scene(it: Scene) -> None:
        await it.subscribe(Client("1"), "x")
        await it.app.unsubscribe(Channel("x"), Client("1"))
        await it.app.stop(60, replaced=True)
        assert it.reports.got == ["channel_occupied x"]

    run(scene)
