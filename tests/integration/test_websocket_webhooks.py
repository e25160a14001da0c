"""Webhooks, watchlists and numbers of subscribers: two servers with one Redis, and a real receiver."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pusher
import pytest
import yaml
from test_websocket_pusher import APP, Client, backend_of, config, joined, on_the_loop

from support.node import node_program
from support.packages import EXAMPLES
from support.redis import RedisServer, redis_server
from support.server import Server, free_port
from support.webhooks import WebhookReceiver, webhook_receiver

# Checks the signature as pusher/pusher-php-server does (Pusher::webhook), and keeps what was valid.
WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
use PyRoadRunner\\Http\\{Request, Response, Server};

Server::run(static function (Request $request): Response {
    if (!str_starts_with($request->path(), '/pusher')) {
        return new Response(200, 'http');
    }
    $signature = $request->header('X-Pusher-Signature');
    $valid = $request->header('X-Pusher-Key') === 'key'
        && hash_equals(hash_hmac('sha256', $request->body, 'secret'), $signature)
        && ($request->attributes['pusher_app'] ?? '') === '3';
    file_put_contents(__DIR__ . '/hooks', ($valid ? 'valid ' : 'invalid ') . $request->body . "\\n", FILE_APPEND);
    return new Response($valid ? 200 : 401);
});
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebhookReceiver]:
    with webhook_receiver() as found:
        yield found


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


def serving(folder: Path, redis: RedisServer, receiver: WebhookReceiver, **websocket: Any) -> Server:
    folder.mkdir(exist_ok=True)
    (folder / "worker.php").write_text(WORKER)
    app = {
        **APP,
        "subscription_count": True,
        "webhooks": [
            {"url": f"{receiver.url}/all?token=secret"},
            {"url": f"{receiver.url}/clients", "events": ["client_event"], "channels": ["private-*"]},
            {"url": "/pusher/hook", "events": ["channel_occupied"]},
        ],
    }
    driver = {"driver": "redis", "config": {"addrs": [redis.address]}, "presence_ttl": "6s", "drain_timeout": "1s"}
    given = config(**{**driver, "apps": [app], **websocket})
    return Server(
        folder, {**given, "server": {"command": "php worker.php"}, "metrics": {"address": f"127.0.0.1:{free_port()}"}}
    )


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, redis: RedisServer, receiver: WebhookReceiver
) -> Iterator[Sequence[Server]]:
    folder = tmp_path_factory.mktemp("webhooks")
    with ExitStack() as stack:
        yield [stack.enter_context(serving(folder / name, redis, receiver)) for name in "ab"]


async def received(receiver: WebhookReceiver, channel: str, *names: str, path: str = "/all") -> None:
    """Return once exactly these events of a channel have arrived."""
    await asyncio.to_thread(receiver.wait, lambda: len(receiver.of(channel, path)) >= len(names))
    assert sorted(receiver.of(channel, path)) == sorted(names)


async def subscribed(client: Client, channel: str, backend: pusher.Pusher | None = None, user: Any = None) -> None:
    """Subscribe, and skip what others cause."""
    data: dict[str, Any] = {"channel": channel}
    if backend is not None:
        data |= backend.authenticate(channel, client.socket_id, user)
    await client.send("pusher:subscribe", data)
    while (await client.next())[0] != "pusher_internal:subscription_succeeded":
        pass


def test_one_of_several_servers_reports_each_change(servers: Sequence[Server], receiver: WebhookReceiver) -> None:
    @on_the_loop
    async def scene() -> None:
        backend = backend_of(servers[0])
        ann, ann2, bob = await joined(servers[0]), await joined(servers[1]), await joined(servers[1])
        await subscribed(ann, "presence-hooks", backend, {"user_id": "ann"})
        await subscribed(ann2, "presence-hooks", backend, {"user_id": "ann"})
        await subscribed(bob, "presence-hooks", backend, {"user_id": "bob"})
        expected = ["channel_occupied", "member_added ann", "member_added bob"]
        await received(receiver, "presence-hooks", *expected)
        # A user that comes back at once: nothing happens.
        await bob.send("pusher:unsubscribe", {"channel": "presence-hooks"})
        await subscribed(bob, "presence-hooks", backend, {"user_id": "bob"})
        for client in (ann, ann2):
            await client.connection.close()
        expected.append("member_removed ann")
        await received(receiver, "presence-hooks", *expected)
        await bob.connection.close()
        expected += ["member_removed bob", "channel_vacated"]
        await received(receiver, "presence-hooks", *expected)
        for path, headers, body in receiver.requests:
            found = backend.validate_webhook(headers["x-pusher-key"], headers["x-pusher-signature"], body.decode())
            assert found is not None, path
            assert headers["content-type"] == "application/json"

    scene()


def test_client_events_and_cache_misses(servers: Sequence[Server], receiver: WebhookReceiver) -> None:
    @on_the_loop
    async def scene() -> None:
        backend = backend_of(servers[0])
        ann = await joined(servers[0])
        await subscribed(ann, "presence-talk", backend, {"user_id": "ann"})
        await subscribed(ann, "private-talk", backend)
        await ann.send("client-typing", {"on": True}, "presence-talk")
        await ann.send("client-typing", "raw", "private-talk")
        await received(
            receiver,
            "presence-talk",
            "channel_occupied",
            "member_added ann",
            "client_event ann",
            path="/all",
        )
        await received(receiver, "private-talk", "client_event", path="/clients")
        events = {one["channel"]: one for one in receiver.events() if one["name"] == "client_event"}
        assert events["presence-talk"] == {
            "name": "client_event",
            "channel": "presence-talk",
            "event": "client-typing",
            "data": '{"on":true}',
            "socket_id": ann.socket_id,
            "user_id": "ann",
        }
        (found,) = [one for one in receiver.events("/clients") if one["channel"] == "private-talk"]
        assert found["data"] == "raw"
        await subscribed(ann, "cache-weather")
        await asyncio.to_thread(receiver.wait, lambda: "cache_miss" in receiver.of("cache-weather"))

    scene()


def test_the_application_itself_can_receive_webhooks(servers: Sequence[Server]) -> None:
    @on_the_loop
    async def scene() -> None:
        ann = await joined(servers[0])
        await subscribed(ann, "own")
        hooks = servers[0].folder / "hooks"
        while not hooks.exists() or '"channel":"own"' not in hooks.read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert "invalid" not in hooks.read_text()

    scene()


def test_an_endpoint_that_is_away_gets_everything_later(
    tmp_path: Path, redis: RedisServer, receiver: WebhookReceiver
) -> None:
    webhooks = [{"url": f"{receiver.url}/later"}, {"url": f"{receiver.url}/redirect"}]
    with serving(tmp_path, redis, receiver, prefix="later", apps=[{**APP, "webhooks": webhooks}]) as server:

        @on_the_loop
        async def scene() -> None:
            receiver.refusals = 1
            client = await joined(server)
            await subscribed(client, "later-1")
            await subscribed(client, "later-2")
            await received(receiver, "later-1", "channel_occupied", path="/later")
            await received(receiver, "later-2", "channel_occupied", path="/later")
            assert receiver.of("later-1", "/elsewhere") == []
            # The stop tells what else has happened.
            await asyncio.to_thread(server.stop)
            await received(receiver, "later-1", "channel_occupied", "channel_vacated", path="/later")

        scene()
        assert server.exit_code == 0
        assert "redirects are not followed" in server.stderr


def test_metrics_count_webhooks(servers: Sequence[Server]) -> None:
    found = urlopen(f"http://{servers[0].config['metrics']['address']}/metrics").read().decode()
    assert 'rr_websocket_webhook_events_total{app="3",endpoint="http://127.0.0.1' in found
    assert "secret" not in found


def test_signed_in_clients_see_who_of_their_watchlist_is_online(servers: Sequence[Server]) -> None:
    @on_the_loop
    async def scene() -> None:
        backend = backend_of(servers[0])

        async def signed_in(server: Server, user: str, watchlist: Sequence[Any] = ()) -> Client:
            client = await joined(server)
            data = {"id": user, **({"watchlist": list(watchlist)} if watchlist else {})}
            await client.send("pusher:signin", dict(backend.authenticate_user(client.socket_id, data)))
            assert (await client.next())[0] == "pusher:signin_success"
            return client

        async def events(client: Client) -> Any:
            name, data = await client.next()
            assert name == "pusher_internal:watchlist_events"
            return data["events"]

        eve = await signed_in(servers[1], "eve")
        ann = await signed_in(servers[0], "ann", ["eve", "bob", 7])
        assert await events(ann) == [
            {"name": "online", "user_ids": ["eve"]},
            {"name": "offline", "user_ids": ["bob", "7"]},
        ]
        bob = await signed_in(servers[1], "bob")
        assert await events(ann) == [{"name": "online", "user_ids": ["bob"]}]
        bob2 = await signed_in(servers[0], "bob")
        await bob.connection.close()
        await eve.connection.close()
        assert await events(ann) == [{"name": "offline", "user_ids": ["eve"]}]
        await bob2.connection.close()
        assert await events(ann) == [{"name": "offline", "user_ids": ["bob"]}]

        client = await joined(servers[0])
        many = {"id": "carl", "watchlist": [str(number) for number in range(101)]}
        await client.send("pusher:signin", dict(backend.authenticate_user(client.socket_id, many)))
        assert (await client.next())[0] == "pusher:signin_success"
        event, data = await client.next()
        assert (event, data["code"]) == ("pusher:error", 4302)
        assert len((await events(client))[0]["user_ids"]) == 100

    scene()


PUSHER_JS = """
import Pusher from 'pusher-js';
import { createHmac } from 'node:crypto';
const clients = {};
const sign = (text) => 'key:' + createHmac('sha256', 'secret').update(text).digest('hex');
function join(user, watchlist, wsHost, wsPort) {
  const customHandler = ({ socketId }, callback) => {
    const user_data = JSON.stringify({ id: user, watchlist });
    callback(null, { auth: sign(`${socketId}::user::${user_data}`), user_data });
  };
  const client = clients[user] = new Pusher('key', {
    wsHost, wsPort, forceTLS: false, enabledTransports: ['ws'], cluster: '', userAuthentication: { customHandler },
  });
  for (const name of ['online', 'offline']) {
    client.user.watchlist.bind(name, ({ user_ids }) => say(user, name, user_ids));
  }
  client.signin();
  return client.user.signinDonePromise;
}
"""


def test_pusher_js_sees_watchlists_and_numbers(tmp_path: Path, servers: Sequence[Server]) -> None:
    def join(user: str, watchlist: Sequence[str], server: Server) -> str:
        host, port = server.address
        return f"return join('{user}', {list(watchlist)}, '{host}', {port})"

    with node_program(tmp_path, PUSHER_JS) as program:
        program.call(join("js-ann", ["js-bob"], servers[0]))
        assert program.next() == ["js-ann", "offline", ["js-bob"]]
        program.call(join("js-bob", [], servers[1]))
        assert program.next() == ["js-ann", "online", ["js-bob"]]
        for user, count in (("js-ann", 1), ("js-bob", 2)):
            program.call(f"""
                const channel = clients['{user}'].subscribe('js-counted');
                channel.bind('pusher:subscription_count', () => say('{user}', channel.subscriptionCount));""")
            while program.next() != [user, count]:
                pass
        program.call("clients['js-bob'].disconnect()")
        events = [program.next()]
        while ["js-ann", "offline", ["js-bob"]] not in events or ["js-ann", 1] not in events:
            events.append(program.next())
        program.call("clients['js-ann'].disconnect()")


def test_subscribers_are_told_their_number(servers: Sequence[Server], receiver: WebhookReceiver) -> None:
    @on_the_loop
    async def scene() -> None:
        backend = backend_of(servers[0])

        async def number(client: Client) -> int:
            while True:
                event, data = await client.next()
                if event == "pusher_internal:subscription_count":
                    return int(data["subscription_count"])

        one, two = await joined(servers[0]), await joined(servers[1])
        await one.subscribe("counted")
        assert await number(one) == 1
        await two.subscribe("counted")
        assert await number(one) == 2
        await two.connection.close()
        assert await number(one) == 1
        info = await asyncio.to_thread(backend.channel_info, "counted", ["subscription_count"])
        assert info == {"occupied": True, "subscription_count": 1}
        await asyncio.to_thread(receiver.wait, lambda: receiver.of("counted", "/all").count("subscription_count") >= 3)

    scene()


def test_info_of_an_event_is_that_of_each_kind_of_channel(servers: Sequence[Server]) -> None:
    @on_the_loop
    async def scene() -> None:
        backend, client = backend_of(servers[0]), await joined(servers[1])
        await subscribed(client, "presence-info", backend, {"user_id": "ann"})
        await subscribed(client, "cache-info")
        http = backend._pusher_client.http
        request = pusher.http.Request(
            backend._pusher_client,
            "POST",
            "/apps/3/events",
            {
                "name": "e",
                "channels": ["presence-info", "cache-info"],
                "data": "x",
                "info": "user_count,subscription_count",
            },
        )
        assert await asyncio.to_thread(http.send_request, request) == {
            "channels": {
                "presence-info": {"user_count": 1, "subscription_count": 1},
                "cache-info": {"subscription_count": 1},
            }
        }
        info = await asyncio.to_thread(backend.channel_info, "cache-info", ["cache"])
        assert info["cache"]["data"] == "x"
        assert 1700 < info["cache"]["ttl"] <= 1800
        with pytest.raises(pusher.errors.PusherBadRequest, match="cache channels"):
            await asyncio.to_thread(backend.channel_info, "presence-info", ["cache"])

    scene()


def test_after_a_killed_server_the_others_report_that_its_clients_are_gone(
    tmp_path: Path, redis: RedisServer, receiver: WebhookReceiver
) -> None:
    """What is left of a server that was killed with SIGKILL disappears, and each change is reported once."""
    app = {**APP, "webhooks": [{"url": f"{receiver.url}/killed"}]}
    with ExitStack() as stack:
        victim, one, two = (
            stack.enter_context(serving(tmp_path / name, redis, receiver, prefix="killed", apps=[app]))
            for name in "abc"
        )

        @on_the_loop
        async def scene() -> None:
            backend = backend_of(one)
            ann, bob = await joined(victim), await joined(victim)
            carl, eve = await joined(one), await joined(two)
            await subscribed(ann, "presence-k", backend, {"user_id": "ann"})
            await subscribed(bob, "presence-only", backend, {"user_id": "bob"})
            await carl.subscribe("presence-k", backend, {"user_id": "carl"})
            await carl.send("pusher:signin", dict(backend.authenticate_user(carl.socket_id, {"id": "carl"})))
            assert (await carl.next())[0] == "pusher:signin_success"
            user = {"id": "ann"}
            await ann.send("pusher:signin", dict(backend.authenticate_user(ann.socket_id, user)))
            while (await ann.next())[0] != "pusher:signin_success":
                pass
            watching = {"id": "eve", "watchlist": ["ann"]}
            await eve.send("pusher:signin", dict(backend.authenticate_user(eve.socket_id, watching)))
            await eve.next()
            assert (await eve.next())[1]["events"] == [{"name": "online", "user_ids": ["ann"]}]
            await asyncio.to_thread(victim.stop, signal.SIGKILL)
            assert await carl.next() == ("pusher_internal:member_removed", {"user_id": "ann"})
            assert (await eve.next())[1]["events"] == [{"name": "offline", "user_ids": ["ann"]}]
            users = await asyncio.to_thread(backend.users_info, "presence-k")
            assert users["users"] == [{"id": "carl"}]
            await received(
                receiver,
                "presence-only",
                "channel_occupied",
                "member_added bob",
                "member_removed bob",
                "channel_vacated",
                path="/killed",
            )
            expected = ["channel_occupied", "member_added ann", "member_added carl", "member_removed ann"]
            await received(receiver, "presence-k", *expected, path="/killed")
            await carl.send("pusher:ping", {})
            assert (await carl.next())[0] == "pusher:pong"  # nothing came twice

        scene()
        for server in (one, two):
            server.stop(signal.SIGKILL)  # an orderly stop takes seconds, for what its clients leave


def test_the_example_works_as_the_manual_shows_it(tmp_path: Path) -> None:
    folder = EXAMPLES / "pusher-webhooks"
    page = (EXAMPLES.parent / "docs" / "websocket-pusher.md").read_text("utf-8")
    assert [name for name in (".rr.yaml", "worker.php") if (folder / name).read_text("utf-8") not in page] == []
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    given = yaml.safe_load((folder / ".rr.yaml").read_text("utf-8"))
    given["http"]["address"] = f"127.0.0.1:{free_port()}"
    with Server(tmp_path, given) as server:

        @on_the_loop
        async def scene() -> None:
            await subscribed(await joined(server, "laravel-key"), "news")
            await asyncio.to_thread(server.wait_for, "channel_occupied news")

        scene()
        with pytest.raises(HTTPError, match="401"):
            urlopen(Request(f"{server.url}/pusher/webhooks", data=b"{}", headers={"X-Pusher-Signature": "no"}))
