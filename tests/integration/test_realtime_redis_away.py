"""Redis goes away, by SIGSTOP or killed, while WebSockets, Pusher clients and a Mercure hub need it.

Local work goes on, publishers get an error, probes and metrics say so, the log has one line, and all comes back.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from test_websocket import ask, client, on_the_loop
from test_websocket_operations import WORKER, config
from test_websocket_pusher import APP, backend_of, close

from pyroadrunner.sdk.rpc import CallFailed, RpcClient
from support import mercure
from support.metrics import scrape
from support.ports import free_port
from support.redis import RedisServer, redis_server
from support.server import Server

PATIENCE = 60.0
ABSENCE = 5.0  # seconds; longer than one attempt to connect, the lease of presence and the time-outs below


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as server:
        yield server


class Probes:
    """The pages of `status`."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, page: str) -> tuple[int, dict[str, str]]:
        """Status, and the messages of the plugins."""
        query = "plugin=websocket&plugin=mercure"
        try:
            response = urlopen(f"http://{self._address}/{page}?{query}", timeout=PATIENCE)
        except HTTPError as error:
            response = error
        with response:
            found = json.loads(response.read())
        return response.status, {one["plugin_name"]: one["error_message"] for one in found}

    def wait(self, page: str, done: Callable[[int, dict[str, str]], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done(*(found := self.ask(page))):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)


def go(redis: RedisServer, how: str) -> Callable[[], None]:
    """Take Redis away; the result brings it back."""
    if how == "killed":
        redis.program.kill()
        return redis.program.start
    os.kill(redis.program.pid, signal.SIGSTOP)
    return lambda: os.kill(redis.program.pid, signal.SIGCONT)


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_redis_is_away(tmp_path: Path, redis: RedisServer, how: str) -> None:
    status, metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
    connection = {"addrs": [redis.address], "dial_timeout": "1s", "read_timeout": "1s", "pool_timeout": "1s"}
    topics = [{"match": "*", "public": True, "history": {"size": 100}}]
    given: dict[str, Any] = config(driver="redis", config=connection, topics=topics, apps=[APP])
    given["mercure"] = {
        "store": "redis",
        "config": connection,
        "publisher_jwt": {"key": mercure.PUBLISHER_KEY},
        "anonymous": True,
    }
    given |= {"status": {"address": status}, "metrics": {"address": metrics}}
    (tmp_path / "worker.php").write_text(WORKER)
    with Server(tmp_path, given) as server, RpcClient(server.rpc) as rpc:
        probes, backend = Probes(status), backend_of(server)
        probes.wait("ready", lambda code, _: code == 200)

        @on_the_loop
        async def scene() -> None:
            async with client(server, "topic=news") as follower:
                await follower.recv()
                assert await ask(follower, "joined?") == "joined?"
                back = go(redis, how)
                try:
                    until = time.monotonic() + ABSENCE
                    answering = asyncio.ensure_future(asyncio.to_thread(away))
                    served = 0
                    while not answering.done() or time.monotonic() < until:
                        assert await ask(follower, str(served)) == str(served)
                        served += 1
                        await asyncio.sleep(0.02)
                    await answering
                    assert served > 5
                finally:
                    back()
                await asyncio.to_thread(probes.wait, "ready", lambda code, _: code == 200)
                rpc.call("websocket.Publish", {"topics": ["news"], "data": "again"})
                while (message := await follower.recv()) != "again":
                    # A command of the time of the absence may have been carried out after it.
                    assert how == "stopped", message

        def away() -> None:
            """What publishers and operators see meanwhile."""
            with pytest.raises(CallFailed):
                rpc.call("websocket.Publish", {"topics": ["news"], "data": "lost"})
            with pytest.raises(Exception, match="can't be published now"):
                backend.trigger("news", "event", {"lost": True})
            assert mercure.publish(server, "t", "lost").status == 503
            probes.wait("ready", lambda code, told: code == 503 and all(told.values()))
            code, told = probes.ask("health")
            assert code == 200
            assert told["websocket"].startswith("redis is away: ")
            assert told["mercure"].startswith("the store redis is away: ")
            found = scrape(metrics)
            assert found['rr_websocket_driver_up{driver="redis"}'] == 0
            assert found['rr_mercure_store_up{store="redis"}'] == 0
            assert found["rr_websocket_failed_publications_total"] >= 2

        scene()
        assert probes.ask("health") == (200, {"websocket": "", "mercure": ""})
        close(backend)
        log = server.stdout + server.stderr
    for text in ("redis is unreachable; retrying", "redis is reachable again"):
        assert log.count(text) == 2, log  # of each plugin
    assert log.count("updates can't be published") == 1
