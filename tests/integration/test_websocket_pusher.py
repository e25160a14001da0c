"""The Pusher protocol: a client of the library websockets, a backend of the library pusher."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pusher
import pytest
from pusher.errors import PusherBadAuth
from pusher.http import Request
from test_websocket import PATIENCE
from test_websocket import on_the_loop as bounded
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from support.redis import redis_server
from support.server import Server

OPEN: list[Client] = []
BACKENDS: list[pusher.Pusher] = []
APP = {"id": "3", "key": "key", "secret": "secret"}


def close(backend: pusher.Pusher) -> None:
    """It has no method for that."""
    for part in (backend._pusher_client, backend._authentication_client):
        part.http.session.close()


def on_the_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a scene; then close what it has opened."""

    @bounded
    async def scene() -> None:
        try:
            await test()
        finally:
            await asyncio.gather(*(client.connection.close() for client in OPEN))
            OPEN.clear()
            for backend in BACKENDS:
                close(backend)
            BACKENDS.clear()

    return scene


def config(**websocket: Any) -> dict[str, Any]:
    app = {**APP, "max_connections": 50}
    other = {"id": "4", "key": "small", "secret": "s", "max_connections": 1, "allowed_origins": ["https://a.example"]}
    return {
        "http": {"pool": {"num_workers": 1}},
        "server": {"command": "php -r 'sleep(1);'"},
        "websocket": {"events": [], "apps": [app, other], **websocket},
    }


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Server]]:
    """Two servers with one Redis."""
    folder = tmp_path_factory.mktemp("pusher")
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(folder))
        found = []
        for name in "ab":
            (folder / name).mkdir()
            (folder / name / "worker.php").write_text(WORKER)
            given = config(driver="redis", config={"addrs": [redis.address]})
            given["server"] = {"command": "php worker.php"}
            found.append(stack.enter_context(Server(folder / name, given)))
        yield found


WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
PyRoadRunner\\Http\\Server::run(static fn ($request) => 'http');
"""


class Client:
    """A connected client."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.socket_id = ""

    async def send(self, event: str, data: Any, channel: str | None = None) -> None:
        await self.connection.send(
            json.dumps({"event": event, "data": data, **({"channel": channel} if channel else {})})
        )

    async def next(self) -> tuple[str, Any]:
        """Name and decoded data of the next event."""
        found = json.loads(await self.connection.recv())
        data = found.get("data")
        return found["event"], json.loads(data) if isinstance(data, str) else data

    async def subscribe(self, channel: str, backend: pusher.Pusher | None = None, user: Any = None) -> tuple[str, Any]:
        data: dict[str, Any] = {"channel": channel}
        if backend is not None:
            data |= backend.authenticate(channel, self.socket_id, user)
        await self.send("pusher:subscribe", data)
        return await self.next()


async def joined(server: Server, key: str = "key", query: str = "protocol=7&client=js") -> Client:
    url = f"{server.url.replace('http', 'ws')}/app/{key}?{query}"
    client = Client(await connect(url, open_timeout=PATIENCE))
    OPEN.append(client)
    event, data = await client.next()
    assert event == "pusher:connection_established"
    client.socket_id = data["socket_id"]
    assert data["activity_timeout"] == 30
    return client


def backend_of(server: Server) -> pusher.Pusher:
    host, port = server.address
    backend = pusher.Pusher(app_id="3", key="key", secret="secret", host=host, port=port, ssl=False)
    BACKENDS.append(backend)
    return backend


def test_events_of_a_backend_reach_subscribers_of_all_servers_but_not_the_sender(servers: Sequence[Server]) -> None:
    @on_the_loop
    async def scene() -> None:
        one, two = await joined(servers[0]), await joined(servers[1])
        for client in (one, two):
            assert await client.subscribe("news") == ("pusher_internal:subscription_succeeded", {})
        backend = backend_of(servers[0])
        assert await asyncio.to_thread(backend.trigger, "news", "first", {"n": 1}, one.socket_id) == {}
        await asyncio.to_thread(backend.trigger, ["news", "other"], "second", {"n": "é"})
        assert await two.next() == ("first", {"n": 1})
        assert await two.next() == ("second", {"n": "é"})
        assert await one.next() == ("second", {"n": "é"})
        await one.send("pusher:unsubscribe", {"channel": "news"})
        await one.send("pusher:ping", {})
        assert await one.next() == ("pusher:pong", {})
        batch = [{"channel": "news", "name": "b", "data": "1"}, {"channel": "news", "name": "c", "data": "2"}]
        await asyncio.to_thread(backend.trigger_batch, batch)
        assert [(await two.next())[0], (await two.next())[0]] == ["b", "c"]

    scene()


def test_private_channels_need_a_signature(servers: Sequence[Server]) -> None:
    @on_the_loop
    async def scene() -> None:
        backend, client = backend_of(servers[0]), await joined(servers[0])
        await client.send("pusher:subscribe", {"channel": "private-a", "auth": "key:wrong"})
        assert await client.next() == (
            "pusher:subscription_error",
            {"type": "AuthError", "error": "the signature is invalid", "status": 401},
        )
        assert (await client.next())[1]["code"] == 4009
        assert (await client.subscribe("private-a", backend))[0] == "pusher_internal:subscription_succeeded"
        await client.send("pusher:subscribe", {"channel": "#server-to-user-7", "auth": ""})
        assert (await client.next())[0] == "pusher:subscription_error"

    scene()


def test_presence_counts_users_and_not_connections(servers: Sequence[Server]) -> None:
    @on_the_loop
    async def scene() -> None:
        backend = backend_of(servers[0])
        ann, ann2, bob = await joined(servers[0]), await joined(servers[1]), await joined(servers[1])
        event, data = await ann.subscribe("presence-x", backend, {"user_id": "1", "user_info": {"name": "ann"}})
        assert (event, data["presence"]) == (
            "pusher_internal:subscription_succeeded",
            {"ids": ["1"], "hash": {"1": {"name": "ann"}}, "count": 1},
        )
        _, data = await ann2.subscribe("presence-x", backend, {"user_id": "1", "user_info": {"name": "ann"}})
        assert data["presence"]["count"] == 1
        _, data = await bob.subscribe("presence-x", backend, {"user_id": "2"})
        assert sorted(data["presence"]["ids"]) == ["1", "2"]
        assert await ann.next() == ("pusher_internal:member_added", {"user_id": "2", "user_info": None})
        users = await asyncio.to_thread(backend.users_info, "presence-x")
        assert sorted(user["id"] for user in users["users"]) == ["1", "2"]
        info = await asyncio.to_thread(backend.channel_info, "presence-x", ["user_count", "subscription_count"])
        assert info == {"occupied": True, "user_count": 2, "subscription_count": 3}
        listed = await asyncio.to_thread(backend.channels_info, "presence-", ["user_count"])
        assert listed["channels"] == {"presence-x": {"user_count": 2}}
        await ann2.connection.close()
        await bob.connection.close()
        assert await ann.next() == ("pusher_internal:member_removed", {"user_id": "2"})

    scene()


def test_clients_whisper_to_each_other(servers: Sequence[Server]) -> None:
    @on_the_loop
    async def scene() -> None:
        backend = backend_of(servers[0])
        ann, bob = await joined(servers[0]), await joined(servers[1])
        await ann.subscribe("presence-w", backend, {"user_id": "1"})
        await bob.subscribe("presence-w", backend, {"user_id": "2"})
        await ann.next()
        await bob.send("client-typing", {"on": True}, "presence-w")
        found = json.loads(await ann.connection.recv())
        assert (found["event"], found["user_id"], json.loads(found["data"])) == ("client-typing", "2", {"on": True})
        await bob.send("client-typing", {}, "news")
        assert (await bob.next())[1]["code"] == 4301

    scene()


def test_a_cache_channel_has_the_last_published_event(servers: Sequence[Server]) -> None:
    @on_the_loop
    async def scene() -> None:
        backend = backend_of(servers[0])
        client = await joined(servers[1])
        await client.subscribe("cache-weather")
        assert (await client.next())[0] == "pusher:cache_miss"
        await asyncio.to_thread(backend.trigger, "cache-weather", "sunny", {"t": 20})
        late = await joined(servers[0])
        await late.subscribe("cache-weather")
        assert await late.next() == ("sunny", {"t": 20})

    scene()


def test_signed_in_users_have_a_channel_and_can_be_thrown_out(servers: Sequence[Server]) -> None:
    @on_the_loop
    async def scene() -> None:
        backend = backend_of(servers[0])
        client = await joined(servers[1])
        auth = backend.authenticate_user(client.socket_id, {"id": "9"})
        await client.send("pusher:signin", {"auth": auth["auth"], "user_data": auth["user_data"]})
        event, data = await client.next()
        assert (event, json.loads(data["user_data"])["id"]) == ("pusher:signin_success", "9")
        assert (await client.subscribe("#server-to-user-9"))[0] == "pusher_internal:subscription_succeeded"
        await asyncio.to_thread(backend.send_to_user, "9", "hello", {"x": 1})
        assert await client.next() == ("hello", {"x": 1})
        # The method of the library leaves the application out of the path.
        inner = backend._pusher_client
        request = Request(inner, "POST", "/apps/3/users/9/terminate_connections", {})
        assert await asyncio.to_thread(inner.http.send_request, request) == {}
        assert (await client.next())[0] == "pusher:error"
        with pytest.raises(ConnectionClosed):
            await client.next()
        assert client.connection.close_code == 4009

    scene()


@pytest.mark.parametrize(
    ("key", "query", "code"),
    [("nobody", "protocol=7", 4001), ("key", "protocol=99", 4007), ("key", "", 4008)],
)
def test_refusals_are_in_the_words_of_the_protocol(servers: Sequence[Server], key: str, query: str, code: int) -> None:
    @on_the_loop
    async def scene() -> None:
        url = f"{servers[0].url.replace('http', 'ws')}/app/{key}?{query}"
        async with connect(url, open_timeout=PATIENCE) as connection:
            assert json.loads(await connection.recv())["data"]["code"] == code
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert connection.close_code == code

    scene()
    servers[0].wait_for(f'"code": {code}, "reason"')


def test_quota_and_origin_of_an_application(servers: Sequence[Server]) -> None:
    @on_the_loop
    async def scene() -> None:
        url = f"{servers[0].url.replace('http', 'ws')}/app/small?protocol=7"
        async with connect(url, origin="https://a.example", open_timeout=PATIENCE) as first:
            await first.recv()
            async with connect(url, open_timeout=PATIENCE) as second:
                assert json.loads(await second.recv())["data"]["code"] == 4004
            async with connect(url, origin="https://evil.example", open_timeout=PATIENCE) as third:
                assert json.loads(await third.recv())["data"]["code"] == 4009

    scene()


def test_a_backend_with_a_wrong_secret_is_refused(servers: Sequence[Server]) -> None:
    host, port = servers[0].address
    wrong = pusher.Pusher(app_id="3", key="key", secret="other", host=host, port=port, ssl=False)
    with pytest.raises(PusherBadAuth, match="auth_signature"):
        wrong.trigger("news", "e", {})
    close(wrong)


def test_nonsense_is_answered_and_the_connection_stays(servers: Sequence[Server]) -> None:
    @on_the_loop
    async def scene() -> None:
        client = await joined(servers[0])
        for nonsense in ("nonsense", "[]", '{"event": 7}', '{"event": "unknown"}', '{"event": "pusher:subscribe"}'):
            await client.connection.send(nonsense)
            while (await client.next())[0] != "pusher:error":
                pass
        assert (await client.subscribe("news"))[0] == "pusher_internal:subscription_succeeded"

    scene()
