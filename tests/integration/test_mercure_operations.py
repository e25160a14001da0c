"""The hub over time: slow readers, limits, stop and replacement, stores that survive, HTTP/2, metrics."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
import zlib
from contextlib import ExitStack
from functools import partial
from http.client import HTTPConnection, HTTPException
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from test_mercure import WORKER, config, serving

from pyroadrunner.sdk.rpc import RpcClient
from support.http2 import DATA, HEADERS, Http2, field
from support.mercure import HUB, PATIENCE, PUBLISHER_KEY, Events, ask, publish, publisher, subscribed, subscriber
from support.metrics import scrape
from support.ports import free_port
from support.server import READY, Server, rr


def the_end(events: Events) -> None:
    """Read to the end of a stream."""
    while events.next() is not None:
        pass


# -- limits ----------------------------------------------------------------------------------------------------------


def test_a_slow_subscriber_delays_nobody_and_is_cut(tmp_path: Path) -> None:
    data = "x" * 100_000
    count = 60
    metrics = f"127.0.0.1:{free_port()}"
    settings = config(max_queue=20, dispatch_timeout="600s")
    (tmp_path / "worker.php").write_text(WORKER)
    with Server(tmp_path, {**settings, "metrics": {"address": metrics}}) as server, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(PATIENCE)
        slow.connect(server.address)
        slow.sendall(f"GET {HUB}?topic=s HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert slow.recv(8) == b"HTTP/1.1"
        with subscribed(server, "s") as quick:
            sent = []
            for number in range(count):
                sent.append(f"{number} {data}")
                assert publish(server, "s", sent[-1]).status == 200
                assert quick.data(1) == sent[-1:]
        received = 0
        try:
            while chunk := slow.recv(1 << 16):
                received += len(chunk)
        except ConnectionError:
            pass
        assert received < count * len(data)
        found = scrape(metrics)
        assert found["rr_mercure_slow_subscribers_total"] == 1
        assert found["mercure_updates_total"] == count
        assert found["mercure_subscribers_total"] == 2


def test_a_subscriber_that_does_not_read_is_cut_in_time(tmp_path: Path) -> None:
    with serving(tmp_path, dispatch_timeout="1s") as server, socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.settimeout(PATIENCE)
        stuck.connect(server.address)
        stuck.sendall(f"GET {HUB}?topic=s HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert stuck.recv(8) == b"HTTP/1.1"
        for _ in range(8):
            publish(server, "s", "x" * 1_000_000)
        wait_for_subscribers(server, 0)
        assert server.stop() == 0  # does not wait for it


def wait_for_subscribers(server: Server, count: int) -> None:
    with RpcClient(server.rpc) as client:
        deadline = time.monotonic() + PATIENCE
        while client.call("mercure.Count", True)["subscribers"] != count:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_comments_keep_a_silent_stream_and_its_life_ends(tmp_path: Path) -> None:
    with serving(tmp_path, heartbeat="1s", write_timeout="8s") as server, subscribed(server, "a") as events:
        assert [events.line() for _ in range(2)] == [":", ":"]
        the_end(events)


def test_the_life_of_a_token_ends_a_stream(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        expires = int(time.time()) + 10
        with subscribed(server, "a", token=subscriber("a", exp=expires)) as events:
            the_end(events)
        assert time.time() < expires + 30  # without the end of the token it would last ten minutes


def test_limits_of_subscribers(tmp_path: Path) -> None:
    with serving(tmp_path, max_subscribers=1, max_topics=2) as server:
        assert ask(server, "GET", f"{HUB}?topic=a&topic=b&topic=c").status == 400
        with subscribed(server, "a"):
            answer = ask(server, "GET", f"{HUB}?topic=a")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        wait_for_subscribers(server, 0)
        with subscribed(server, "a"):
            pass


def test_a_hub_without_anonymous_subscribers(tmp_path: Path) -> None:
    settings = {"anonymous": False, "subscriptions": False, "path": "/hub"}
    with serving(tmp_path, **settings) as server:
        answer = ask(server, "GET", "/hub?topic=a")
        assert (answer.status, answer.text) == (401, "Unauthorized\n")
        assert answer.headers["WWW-Authenticate"].startswith('Bearer resource_metadata="')
        assert ask(server, "HEAD", "/hub?topic=a", headers={"Authorization": f"Bearer {subscriber()}"}).status == 200
        assert ask(server, "GET", "/hub/subscriptions").status == 404
        assert ask(server, "GET", f"{HUB}?topic=a").text == "http"  # a page of the application


# -- stop ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2])
def test_a_server_that_goes_tells_its_subscribers_when_to_come_back(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "worker.php").write_text(WORKER)
    settings = {**config(store="sqlite", drain_retry="7s"), "endure": {"retirement": "500ms"}}
    with Server(tmp_path, settings) as server, ExitStack() as stack:
        streams = [stack.enter_context(subscribed(server, "a")) for _ in range(20)]
        publish(server, "a", "last", id="urn:last")
        server.send(number)
        for events in streams:
            assert events.data(1) == ["last"]
            the_end(events)
            assert 1 <= events.retry <= 7000
        assert len({events.retry for events in streams}) > 10
        if number == signal.SIGTERM:
            assert server.wait() == 0
            return
        server.wait_for(READY, times=2)
        with subscribed(server, "a", query="lastEventID=urn:last") as events:
            assert events.response.headers["Last-Event-ID"] == "urn:last"
            publish(server, "a", "new")
            assert events.data(1) == ["new"]


# -- stores ----------------------------------------------------------------------------------------------------------


def test_updates_in_a_file_survive_kill_9(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"store": "sqlite", "history": {"size": 50}}
    with serving(tmp_path, **settings) as server:
        for number in range(100):
            assert publish(server, "a", str(number), id=f"urn:{number}").status == 200
        acknowledged: list[str] = []

        def go_on() -> None:
            while True:
                try:
                    acknowledged.append(publish(server, "b", token=publisher("b")).text)
                except (OSError, HTTPException):
                    return

        thread = threading.Thread(target=go_on)
        thread.start()
        while len(acknowledged) < 10 and thread.is_alive():
            time.sleep(0.01)
        server.kill()
        thread.join()
    with serving(tmp_path, **settings) as server, subscribed(server, "b", query="lastEventID=urn:99") as events:
        found = []
        while len(found) < len(acknowledged):
            event = events.next()
            assert event is not None
            found.append(event["id"])
        assert found == acknowledged
        for number in range(98, 100):
            publish(server, "a", str(number), id=f"urn:{number}")
    with serving(tmp_path, **settings) as server:
        for number in range(100, 150):
            publish(server, "a", str(number), id=f"urn:{number}")
        with subscribed(server, "a", query="lastEventID=urn:147") as events:
            assert events.data(2) == ["148", "149"]
            publish(server, "a", "150")
            assert events.data(1) == ["150"]
        with subscribed(server, "a", query="lastEventID=earliest") as events:
            assert events.data(50) == [str(number) for number in range(101, 151)]
        with subscribed(server, "a", query="lastEventID=urn:99") as events:  # discarded
            assert events.response.headers["Last-Event-ID"] == "earliest"
            publish(server, "a", "new")
            assert events.data(1) == ["new"]


def test_the_whole_history_for_an_unknown_id(tmp_path: Path) -> None:
    with serving(tmp_path, history={"replay_unknown": True, "size": 2}) as server:
        for number in range(3):
            publish(server, "a", str(number))
        with subscribed(server, "a", query="lastEventID=unknown") as events:
            assert events.response.headers["Last-Event-ID"] == "earliest"
            assert events.data(2) == ["1", "2"]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mercure.db").write_text("no database" * 100)
    server = serving(tmp_path, store="sqlite").start()
    try:
        assert server.wait() == 1
        assert "the file is not an SQLite database" in server.stderr
    finally:
        server.kill()


def test_a_compressed_stream_holds_no_update_back(tmp_path: Path) -> None:
    (tmp_path / "worker.php").write_text(WORKER)
    settings = config()
    settings["http"] |= {"middleware": ["gzip"], "gzip": {"encodings": ["gzip"]}}
    with Server(tmp_path, settings) as server:
        connection = HTTPConnection(*server.address, timeout=PATIENCE)
        connection.request("GET", f"{HUB}?topic=a", headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        assert response.headers["Content-Encoding"] == "gzip"
        unpacked = zlib.decompressobj(31)
        text = b""
        for end in (b":\n", b"data: one\n\n", b"data: two\n\n"):
            while not text.endswith(end):
                text += unpacked.decompress(response.read1(65536))
            publish(server, "a", "one" if end == b":\n" else "two")
        connection.close()


# -- HTTP/2 ----------------------------------------------------------------------------------------------------------


def test_a_stream_over_http2(tmp_path: Path) -> None:
    (tmp_path / "worker.php").write_text(WORKER)
    settings = config(subscriptions=True)
    settings["http"]["http2"] = {"h2c": True}
    with Server(tmp_path, settings) as server:
        with Http2(server.address, timeout=PATIENCE) as client:
            token = field("authorization", f"Bearer {subscriber('a')}")
            for stream in (1, 3):
                client.request(stream, f"{HUB}?topic=a", token)
            opened = {1: 0, 3: 0}
            for frame in client.frames():
                if frame.kind == HEADERS:
                    assert frame.status == 200
                if frame.kind == DATA:
                    assert frame.payload == b":\n"
                    opened[frame.stream] += 1
                    if all(opened.values()):
                        break
            assert publish(server, "a", "over h2", private="on", id="urn:1").status == 200
            found = {}
            for frame in client.frames():
                if frame.kind == DATA:
                    found[frame.stream] = frame.payload
                    if len(found) == 2:
                        break
            assert set(found.values()) == {b"id: urn:1\ndata: over h2\n\n"}
            wait_for_subscribers(server, 2)
        wait_for_subscribers(server, 0)


# -- seen ------------------------------------------------------------------------------------------------------------


def test_metrics_and_readiness(tmp_path: Path) -> None:
    (tmp_path / "worker.php").write_text(WORKER)
    metrics, status = (f"127.0.0.1:{free_port()}" for _ in range(2))
    settings = {**config(), "metrics": {"address": metrics}, "status": {"address": status}}
    with Server(tmp_path, settings) as server, subscribed(server, "a", "b/{id}") as events:
        publish(server, "a", "x")
        publish(server, "a", "x", token="y" * 60)
        events.next()
        found = scrape(metrics)
        wanted = {
            "mercure_subscribers_connected": 1,
            "mercure_subscribers_total": 1,
            "mercure_updates_total": 1,
            "rr_mercure_delivered_total": 1,
            "rr_mercure_failed_updates_total": 0,
            "rr_mercure_refused_total": 1,
            "rr_mercure_selectors": 2,
            "rr_mercure_slow_subscribers_total": 0,
            'rr_mercure_store_up{store="memory"}': 1,
        }
        assert {name: found[name] for name in wanted} == wanted
        with urlopen(f"http://{status}/ready?plugin=mercure", timeout=PATIENCE) as response:
            assert response.status == 200


def test_the_hub_needs_a_port(tmp_path: Path) -> None:
    server = Server(tmp_path, {"mercure": {"anonymous": True}}).start()
    try:
        assert server.wait() == 1
        assert "mercure needs the section http" in server.stderr
    finally:
        server.kill()


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    key = "-----BEGIN PUBLIC KEY-----\nsecret\n-----END PUBLIC KEY-----"
    server = serving(tmp_path, publisher_jwt={"key": key, "alg": "RS256"}).start()
    try:
        assert server.wait() == 1
        assert "mercure.publisher_jwt: the key can't be used" in server.stderr
        assert "secret" not in server.stderr.replace("a secret", "")
    finally:
        server.kill()


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_keys_of_an_address(tmp_path: Path, scheme: str) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    public = {**jwt.algorithms.ECAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": "1"}
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [public]}))
    token = jwt.encode({"mercure": {"publish": ["*"]}}, private, algorithm="ES256", headers={"kid": "1"})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path))) as issuer:
        threading.Thread(target=issuer.serve_forever).start()
        url = keys.as_uri() if scheme == "file" else f"http://127.0.0.1:{issuer.server_port}/keys.json"
        settings = {"publisher_jwt": {"key": ""}, "publisher_jwks_url": url}
        try:
            with serving(tmp_path, **settings) as server, subscribed(server, "a") as events:
                assert publish(server, "a", "signed", token).status == 200
                assert publish(server, "a", "forged").status == 401
                assert events.data(1) == ["signed"]
        finally:
            issuer.shutdown()


def test_an_issuer_that_is_away_is_asked_again(tmp_path: Path) -> None:
    settings = {"publisher_jwks_url": f"http://127.0.0.1:{free_port()}/keys.json", "publisher_jwt": {"key": ""}}
    with serving(tmp_path, **settings) as server:
        assert server.stderr.count("the key set can't be read; trying again") == 1
        assert publish(server, "a").status == 401
        with subscribed(server, "a"):
            pass


def test_a_hub_is_not_there_without_its_section(tmp_path: Path) -> None:
    (tmp_path / "worker.php").write_text(WORKER)
    settings = config()
    del settings["mercure"]
    with Server(tmp_path, settings) as server, urlopen(f"{server.url}{HUB}?topic=a", timeout=PATIENCE) as response:
        assert response.read() == b"http"


def test_a_reload_changes_the_keys_of_new_requests_alone(tmp_path: Path) -> None:
    with serving(tmp_path, publisher_jwt={"key": "another secret of publishers, as long as it has to be"}) as server:
        with subscribed(server, "t") as events:
            assert publish(server, "t", "refused").status == 401
            server.config["mercure"] |= {"publisher_jwt": {"key": PUBLISHER_KEY}, "path": "/hub", "max_topics": 1}
            (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(server.config))
            done = rr("reload", cwd=tmp_path)
            assert done.code == 3, done
            applied, _, waiting = done.stdout.partition("needs a restart")
            assert "mercure.publisher_jwt.key" in applied
            assert PUBLISHER_KEY not in done.stdout
            assert "mercure.path" in waiting
            assert publish(server, ["t", "u"], "too many").status == 400
            assert publish(server, "t", "accepted").status == 200
            assert events.data(1) == ["accepted"]
        server.config["mercure"] |= {"publisher_jwt": {"key": "no key", "alg": "RS256"}}
        (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(server.config))
        refused = rr("reload", cwd=tmp_path)
        assert refused.code == 1
        assert "mercure.publisher_jwt: the key can't be used" in refused.stderr
        assert publish(server, "t", "still accepted").status == 200


def test_the_command_line_lists_subscribers_and_publishes(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        told = rr("mercure", "publish", "a", "nothing", cwd=tmp_path)
        assert told.stdout.endswith("no client is connected to this server\n")
        with subscribed(server, "a/{id}") as events, subscribed(server, "b", token=subscriber("b")):
            sent = rr("mercure", "publish", "a/1", "b", "hello", "--type", "greeting", "--json", cwd=tmp_path)
            assert sent.code == 0, sent
            event = events.next()
            assert event is not None
            assert event == {"id": json.loads(sent.stdout)["id"], "event": "greeting", "data": "hello"}
            shown = rr("mercure", "list", cwd=tmp_path).stdout
            assert "a/{id}" in shown
            assert "127.0.0.1" in shown
            (found,) = json.loads(rr("mercure", "list", "--topic", "b", "--json", cwd=tmp_path).stdout)
            assert (found["topics"], found["private"]) == (["b"], True)
        assert rr("mercure", "publish", "alone", cwd=tmp_path).code == 1
