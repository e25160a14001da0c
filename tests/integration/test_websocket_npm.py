"""Clients from npm: pusher-js, laravel-echo, ws, eventsource and fetch-event-source, against a running server."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pusher
import pytest
from test_websocket import WORKER as WEBSOCKET_WORKER
from test_websocket_pusher import close

from pyroadrunner.sdk.mercure import Mercure
from pyroadrunner.sdk.rpc import RpcClient
from pyroadrunner.sdk.websocket import WebSockets
from support.mercure import PATIENCE, SUBSCRIBER_KEY, subscriber
from support.node import NodeProgram, node_program
from support.php import require_php
from support.server import Server

MASTER_KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

# The routes of Laravel's broadcasting, with a user that a header names.
AUTH_WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
use PyRoadRunner\\Http\\{Request, Response};

PyRoadRunner\\Http\\Server::run(static function (Request $request): Response|string {
    parse_str($request->body, $form);
    $form += $request->parsed ?? [];
    $user = $request->header('x-user');
    $sign = static fn (string $text): string => 'key:' . hash_hmac('sha256', $text, 'secret');
    if ($request->path() === '/broadcasting/user-auth') {
        $data = json_encode(['id' => $user]);
        return json_encode(['auth' => $sign("{$form['socket_id']}::user::$data"), 'user_data' => $data]);
    }
    $channel = $form['channel_name'];
    if ($user === '' || str_contains($channel, 'secret')) {
        return new Response(403, 'no');
    }
    $reply = [];
    $text = "{$form['socket_id']}:$channel";
    if (str_starts_with($channel, 'presence-')) {
        $reply['channel_data'] = json_encode(['user_id' => $user, 'user_info' => ['name' => ucfirst($user)]]);
        $text .= ":{$reply['channel_data']}";
    }
    if (str_starts_with($channel, 'private-encrypted-')) {
        $key = base64_decode('MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=');
        $reply['shared_secret'] = base64_encode(hash('sha256', $channel . $key, true));
    }
    return json_encode(['auth' => $sign($text)] + $reply);
});
"""

ECHO = """
import Echo from 'laravel-echo';
import Pusher from 'pusher-js';
const clients = {};

// An Echo client as Laravel's stub makes it; returns when it is connected.
function join(name, host, port, user = name) {
  const auth = `http://${host}:${port}/broadcasting/`;
  const echo = clients[name] = new Echo({
    broadcaster: 'reverb', Pusher, key: 'key', wsHost: host, wsPort: port, wssPort: port, forceTLS: false,
    enabledTransports: ['ws'],
    authEndpoint: auth + 'auth', auth: { headers: user ? { 'X-User': user } : {} },
    userAuthentication: { endpoint: auth + 'user-auth', headers: { 'X-User': user } },
  });
  const connection = echo.connector.pusher.connection;
  connection.bind('error', (error) => say(name, 'error', error.data?.code ?? error.type));
  connection.bind('state_change', ({ current }) => say(name, current));
  return new Promise((resolve) => connection.bind('connected', () => resolve(echo.socketId())));
}

// Resolves when the server has confirmed the subscription.
const subscribed = (channel) => new Promise((resolve, reject) => {
  channel.subscribed(() => resolve(true));
  channel.error((error) => resolve(error));
});
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with echo_server(tmp_path_factory.mktemp("npm")) as server:
        yield server


def echo_server(folder: Path, **http: Any) -> Server:
    (folder / "worker.php").write_text(AUTH_WORKER)
    app = {"id": "3", "key": "key", "secret": "secret", "client_events_per_second": 0}
    return Server(
        folder,
        {
            "server": {"command": f"{require_php()} worker.php"},
            "http": {"pool": {"num_workers": 1}, **http},
            "websocket": {"events": [], "apps": [app]},
        },
    )


@contextmanager
def backend_of(server: Server) -> Iterator[pusher.Pusher]:
    host, port = server.address
    backend = pusher.Pusher(
        app_id="3",
        key="key",
        secret="secret",
        host=host,
        port=port,
        ssl=False,
        encryption_master_key_base64=MASTER_KEY,
    )
    try:
        yield backend
    finally:
        close(backend)


@contextmanager
def echo_clients(folder: Path, server: Server, *names: str) -> Iterator[NodeProgram]:
    """Connected Echo clients."""
    with node_program(folder, ECHO) as program:
        for name in names:
            connect(program, server, name)
        yield program


def connect(program: NodeProgram, server: Server, name: str, user: str | None = None) -> str:
    """Connect an Echo client; return its socket id."""
    host, port = server.address
    user = name if user is None else user
    socket_id: str = program.call(f"return join('{name}', '{host}', {port}, '{user}')")
    while program.next() != [name, "connected"]:
        pass
    return socket_id


def test_public_and_private_channels_of_echo(tmp_path: Path, server: Server) -> None:
    with echo_clients(tmp_path, server, "ann", "ben") as program, backend_of(server) as backend:
        for name in ("ann", "ben"):
            for kind in ("channel", "private"):
                program.call(f"""
                    const channel = clients.{name}.{kind}('orders');
                    channel.listen('.shipped', (data) => say('{name}', '{kind}', data));
                    channel.listen('OrderShipped', (data) => say('{name}', 'namespaced', data));
                    return subscribed(channel);""")
        backend.trigger("orders", "shipped", {"n": 1})
        assert sorted([program.next(), program.next()]) == [["ann", "channel", {"n": 1}], ["ben", "channel", {"n": 1}]]
        backend.trigger("orders", "App\\Events\\OrderShipped", {"n": 2}, program.call("return clients.ann.socketId()"))
        assert program.next() == ["ben", "namespaced", {"n": 2}]
        backend.trigger("private-orders", "shipped", {"text": "é"})
        assert sorted(program.next() for _ in "ab") == [
            ["ann", "private", {"text": "é"}],
            ["ben", "private", {"text": "é"}],
        ]
        program.call("clients.ann.leave('orders')")
        program.call("return subscribed(clients.ann.channel('after'))")  # the server handles them in order
        backend.trigger(["orders", "private-orders"], "shipped", {})
        assert sorted(program.next() for _ in "ab") == [["ben", "channel", {}], ["ben", "private", {}]]


def test_a_refused_subscription_calls_error_of_echo(tmp_path: Path, server: Server) -> None:
    with echo_clients(tmp_path, server, "ann") as program:
        error = program.call("return subscribed(clients.ann.private('secret'))")
        assert (error["type"], error["status"]) == ("AuthError", 403)  # the application's refusal
        sign = """clients.ann.connector.pusher.config.channelAuthorizer =
            (params, callback) => callback(null, { auth: 'key:wrong' });"""
        error = program.call(f"{sign} return subscribed(clients.ann.private('orders'))")
        assert error == {"type": "AuthError", "error": "the signature is invalid", "status": 401}


def test_presence_and_whispers_of_echo(tmp_path: Path, server: Server) -> None:
    join = """
        const room = clients.%(name)s.join('room');
        room.joining((user) => say('%(name)s', 'joining', user)).leaving((user) => say('%(name)s', 'leaving', user))
            .listenForWhisper('typing', (data, more) => say('%(name)s', 'typing', data, more?.user_id ?? null));
        return new Promise((resolve) => room.here(resolve));"""
    with echo_clients(tmp_path, server, "ann", "ben") as program:
        assert program.call(join % {"name": "ann"}) == [{"name": "Ann"}]
        here = program.call(join % {"name": "ben"})
        assert sorted(user["name"] for user in here) == ["Ann", "Ben"]
        assert program.next() == ["ann", "joining", {"name": "Ben"}]
        program.call("clients.ben.join('room').whisper('typing', { on: true })")
        assert program.next()[:3] == ["ann", "typing", {"on": True}]
        program.call("clients.ben.disconnect()")
        events = [program.next(), program.next()]
        assert ["ann", "leaving", {"name": "Ben"}] in events


def test_encrypted_channels_of_echo(tmp_path: Path, server: Server) -> None:
    with echo_clients(tmp_path, server, "ann") as program, backend_of(server) as backend:
        program.call("""
            const channel = clients.ann.encryptedPrivate('vault');
            channel.listen('.opened', (data) => say('ann', data));
            channel.subscription.bind_global((name, data) => name === 'raw' && say(data));
            return subscribed(channel);""")
        backend.trigger("private-encrypted-vault", "opened", {"gold": "1 kg"})
        assert program.next() == ["ann", {"gold": "1 kg"}]


def test_cache_channels_of_pusher_js(tmp_path: Path, server: Server) -> None:
    with echo_clients(tmp_path, server, "ann", "ben") as program, backend_of(server) as backend:
        follow = """
            const channel = clients.%s.connector.pusher.subscribe('cache-weather');
            channel.bind_global((name, data) => say(name, data ?? null));"""
        program.call(follow % "ann")
        assert program.next() == ["pusher:subscription_succeeded", {}]
        assert program.next()[0] == "pusher:cache_miss"
        backend.trigger("cache-weather", "sunny", {"degrees": 20})
        assert program.next() == ["sunny", {"degrees": 20}]
        program.call(follow % "ben")
        assert program.next() == ["pusher:subscription_succeeded", {}]
        assert program.next() == ["sunny", {"degrees": 20}]


def test_user_authentication_of_echo(tmp_path: Path, server: Server) -> None:
    with echo_clients(tmp_path, server, "ann") as program, backend_of(server) as backend:
        program.call("""
            const user = clients.ann.connector.pusher.user;
            user.bind('hello', (data) => say('hello', data));
            clients.ann.connector.signin();
            return user.signinDonePromise;""")
        user = "clients.ann.connector.pusher.user.serverToUserChannel"
        program.call(
            f"if (!{user}?.subscribed) await new Promise((done) => {user}.bind('pusher:subscription_succeeded', done))"
        )
        backend.send_to_user("ann", "hello", {"n": 1})
        assert program.next() == ["hello", {"n": 1}]


def test_echo_comes_back_after_a_restart_and_subscribes_again(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    with ExitStack() as stack:
        with echo_server(tmp_path) as first:
            program = stack.enter_context(echo_clients(tmp_path / "node", first, "ann"))
            program.call("""
                const room = clients.ann.join('room');
                room.listen('.news', (data) => say('news', data));
                room.here((users) => say('here', users));
                return subscribed(room);""")
            assert program.next() == ["here", [{"name": "Ann"}]]
        assert program.next() == ["ann", "error", 4200]
        with echo_server(tmp_path, address=first.config["http"]["address"]) as second, backend_of(second) as backend:
            while program.next() != ["here", [{"name": "Ann"}]]:
                pass
            backend.trigger("presence-room", "news", {"n": 1})
            assert program.next() == ["news", {"n": 1}]


WS = """
import WebSocket from 'ws';
let socket;
function open(url, protocols, options) {
  socket = new WebSocket(url, protocols, options);
  socket.on('message', (data, binary) => say('message', binary ? data.toString('hex') : data.toString()));
  socket.on('pong', (data) => say('pong', data.toString()));
  socket.on('close', (code, reason) => say('close', code, reason.toString()));
  socket.on('error', (error) => say('error', error.message));
  return new Promise((resolve) => socket.on('open', () => resolve([socket.protocol, socket.extensions])));
}
"""


def test_ws_sends_receives_compresses_and_is_closed(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "worker.php").write_text(WEBSOCKET_WORKER)
    config = {
        "server": {"command": f"{require_php()} worker.php"},
        "http": {"pool": {"num_workers": 1}},
        "websocket": {"pool": {"num_workers": 1}, "limits": {"max_message_size": 64}},
    }
    with Server(tmp_path, config) as server, node_program(tmp_path / "node", WS) as program:
        url = server.url.replace("http", "ws") + "/ws"
        protocol, extensions = program.call(f"return open('{url}?user=ann&join[]=room', ['one', 'two'])")
        assert protocol == "one"
        assert extensions.startswith("permessage-deflate")
        program.call("socket.send('hi'); socket.send(Buffer.from([0, 255])); socket.ping('here');")
        assert sorted(program.next() for _ in "abc") == [["message", "00ff"], ["message", "hi"], ["pong", "here"]]
        program.call("socket.send('x'.repeat(50000))")
        assert program.next() == ["message", "x" * 50_000]
        program.call("socket.send('a', { fin: false }); socket.send('b', { fin: false }); socket.send('c')")
        assert program.next() == ["message", "abc"]
        with WebSockets(RpcClient(server.rpc)) as sockets:
            sockets.publish("room", "news " * 100)
        assert program.next() == ["message", "news " * 100]
        program.call("socket.send('bye')")
        assert program.next() == ["close", 4001, "as you wish"]
        program.call(f"return open('{url}')")
        program.call("socket.send('x'.repeat(65537))")
        assert program.next()[:2] == ["close", 1009]
        program.call(f"open('{url}?refuse=403')")
        assert program.next() == ["error", "Unexpected server response: 403"]


SSE = """
import { EventSource } from 'eventsource';
// What fetch-event-source takes from a browser.
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
globalThis.window = globalThis;
const { fetchEventSource } = (await import('@microsoft/fetch-event-source')).default;
let source;

function listen(url) {
  source = new EventSource(url);
  source.onmessage = (event) => say('message', event.data, event.lastEventId);
  source.addEventListener('news', (event) => say('news', event.data));
  return new Promise((resolve) => source.addEventListener('open', resolve, { once: true })).then(() => null);
}

function fetchEvents(url, headers) {
  return new Promise((resolve) => fetchEventSource(url, {
    headers, openWhenHidden: true,
    onopen: async (response) => resolve(response.headers.get("content-type")),
    onmessage: ({ data, id }) => data && say('fetch', data, id),
    onclose: () => { throw new Error('the stream has ended: come back'); },
    onerror: () => {},
  }));
}
"""


def sse_server(folder: Path, **http: Any) -> Server:
    (folder / "worker.php").write_text(AUTH_WORKER)
    topics = [{"match": "kept", "public": True, "history": {"size": 10}}]
    return Server(
        folder,
        {
            "server": {"command": f"{require_php()} worker.php"},
            "http": {"pool": {"num_workers": 1}, **http},
            "websocket": {"events": [], "sse_path": "/sse", "topics": topics, "drain_timeout": "10ms"},
            "mercure": {
                "anonymous": True,
                "subscriber_jwt": {"key": SUBSCRIBER_KEY},
                "store": "sqlite",
                "drain_retry": "10ms",
            },
        },
    )


def wait_for_followers(server: Server, path: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    with RpcClient(server.rpc) as client:
        while True:
            if path == "/sse":
                found = client.call("websocket.Topics", True).get("kept", 0)
            else:
                found = client.call("mercure.Count", True)["subscribers"]
            if found == count:
                return
            assert time.monotonic() < deadline, found
            time.sleep(0.02)


@pytest.mark.parametrize("path", ["/sse", "/.well-known/mercure"])
def test_eventsource_and_fetch_event_source_follow_and_come_back(tmp_path: Path, path: str) -> None:
    (tmp_path / "node").mkdir()

    def publish(server: Server, text: str, *, private: bool = False) -> str:
        if path == "/sse":
            with WebSockets(RpcClient(server.rpc)) as sockets:
                place = sockets.publish("kept", text)["kept"]
                return f"{place['epoch']}:{place['offset']}"
        with Mercure(RpcClient(server.rpc)) as hub:
            return hub.publish("kept", text, private=private)

    first = sse_server(tmp_path)
    with node_program(tmp_path / "node", SSE) as program:
        with first:
            url = f"{first.url}{path}?topic=kept"
            program.call(f"return listen('{url}')")
            headers = json.dumps({"Authorization": f"Bearer {subscriber('kept')}"})
            assert program.call(f"return fetchEvents('{url}', {headers})").startswith("text/event-stream")
            last = publish(first, "one\ntwo")
            assert sorted(program.next() for _ in "ab") == [["fetch", "one\ntwo", last], ["message", "one\ntwo", last]]
            if path != "/sse":
                hidden = publish(first, "hidden", private=True)
                assert program.next() == ["fetch", "hidden", hidden]
        with sse_server(tmp_path, address=first.config["http"]["address"]) as second:
            wait_for_followers(second, path, 2)
            last = publish(second, "three")
            assert sorted(program.next() for _ in "ab") == [["fetch", "three", last], ["message", "three", last]]
