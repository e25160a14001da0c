"""Several servers with one Redis are one hub."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path

import pytest
from test_mercure import serving

from support.mercure import HUB, ask, publish, subscribed, subscriber
from support.redis import RedisServer, redis_server
from support.server import Server


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


def start(stack: ExitStack, folder: Path, redis: RedisServer, size: int = 10_000) -> Server:
    history = {"size": size}
    settings = {"store": "redis", "config": {"addrs": [redis.address]}, "subscriptions": True, "history": history}
    return stack.enter_context(serving(folder, **settings))


def accepted(server: Server, topic: str, data: str) -> None:
    """Publish until the hub accepts it."""
    while publish(server, topic, data).status != 200:
        pass


def test_updates_reach_the_subscribers_of_all_servers(tmp_path: Path, redis: RedisServer) -> None:
    with ExitStack() as stack:
        one, two = (start(stack, tmp_path / name, redis, size=5) for name in "ab")
        with subscribed(one, "a", token=subscriber("a")) as first, subscribed(two, "a") as second:
            assert publish(one, "a", "from one", id="urn:1", type="t", retry="5").text == "urn:1"
            publish(two, ["b", "a"], "from two")
            publish(two, "a", "private", private="on")
            assert first.next() == {"data": "from one", "id": "urn:1", "event": "t", "retry": "5"}
            assert first.data(2) == ["from two", "private"]
            assert second.data(2) == ["from one", "from two"]
            token = {"Authorization": f"Bearer {subscriber('*')}"}
            found = ask(one, "GET", f"{HUB}/subscriptions/a", headers=token).json["subscriptions"]
            assert len(found) == 2
            assert ask(two, "GET", found[0]["id"], headers=token).json["active"]
        for number in range(10):
            publish(one, "c", str(number), id=f"urn:c:{number}")
        with subscribed(two, "c", query="lastEventID=urn:c:7") as events:
            assert events.data(2) == ["8", "9"]
        with subscribed(two, "c", query="lastEventID=urn:c:1") as events:  # discarded
            assert events.response.headers["Last-Event-ID"] == "earliest"


def test_a_redis_that_is_away_loses_nothing_that_was_published(tmp_path: Path, redis: RedisServer) -> None:
    with ExitStack() as stack:
        one, two = (start(stack, tmp_path / name, redis) for name in "ab")
        with subscribed(two, "a") as events:
            publish(one, "a", "1")
            redis.ask("CLIENT KILL TYPE pubsub")
            publish(one, "a", "2")  # nobody listens to the channel
            publish(one, "a", "3")
            assert events.data(3) == ["1", "2", "3"]
            redis.program.kill()
            answer = publish(one, "a", "refused")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            # An error would end an EventSource for good, so it gets an empty stream, and comes back.
            with subscribed(one, "a", query="lastEventID=urn:x") as other:
                assert other.next() is None
                assert other.retry
            redis.program.start()
            accepted(one, "a", "4")
            assert events.data(1) == ["4"]
        assert one.stderr.count("updates can't be published") == 1


def test_a_redis_that_has_lost_its_data_begins_again(tmp_path: Path, redis: RedisServer) -> None:
    with ExitStack() as stack:
        server = start(stack, tmp_path / "a", redis)
        with subscribed(server, "a") as events:
            for number in range(5):
                publish(server, "a", str(number))
            assert events.data(5) == ["0", "1", "2", "3", "4"]
            redis.ask("FLUSHALL")
            publish(server, "a", "new")
            assert events.data(1) == ["new"]


def test_subscribers_of_a_server_that_was_killed_miss_nothing(tmp_path: Path, redis: RedisServer) -> None:
    count = 1_000
    with ExitStack() as stack:
        one, two = (start(stack, tmp_path / name, redis) for name in "ab")
        servers = [two]
        got: list[int] = []
        first = threading.Event()

        def follow() -> None:
            """Come back as an EventSource does."""
            last = ""
            while len(got) < count:
                try:
                    with subscribed(servers[0], "a", headers={"Last-Event-ID": last} if last else {}) as events:
                        first.set()
                        while len(got) < count and (event := events.next()) is not None:
                            last = event["id"]
                            got.append(int(event["data"]))
                except (OSError, HTTPException):
                    time.sleep(0.05)

        thread = threading.Thread(target=follow)
        thread.start()
        assert first.wait(60)
        for number in range(count):
            assert publish(one, "a", str(number), id=f"urn:{number}").status == 200
            if number == 300:
                two.kill()
                servers[0] = start(stack, tmp_path / "c", redis)
        thread.join(100)
        assert got == list(range(count))
