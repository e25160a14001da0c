"""The driver ``nats`` on a real server: what is on the wire, what a foreign client sees and sends, faults."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, Done, Job, PushRefused
from pyroadrunner.plugins.jobs.drivers.nats.config import NatsConfig, NatsSection, NatsTls
from pyroadrunner.plugins.jobs.drivers.nats.driver import NatsDriver
from support.brokers import Brokers
from support.job_drivers import PATIENCE, OpenHost, job, on_the_loop
from support.nats import NatsServer, nats_server, shared_nats
from support.tcp_proxy import TcpProxy
from support.tls import Authority

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def port(brokers: Brokers) -> int:
    return int(brokers.use("nats", shared_nats)["port"])


@pytest.fixture
def name() -> str:
    """A name for streams that no other test uses."""
    return f"t-{os.getpid()}-{next(_NUMBERS)}"


@asynccontextmanager
async def nats(
    port: int, name: str, *, consume: bool = True, section: NatsSection | None = None, **keys: Any
) -> AsyncIterator[tuple[NatsDriver, OpenHost]]:
    """A connected driver with a stream of its own."""
    host = OpenHost()
    config = NatsConfig(**{"subject": f"jobs.{name}", "stream": name, "ack_wait": 30, **keys})
    driver = NatsDriver(host, config, section or NatsSection(addr=f"nats://127.0.0.1:{port}"))
    try:
        await driver.connect()
        if consume:
            await driver.consume()
        yield driver, host
        await driver.cancel()
    finally:
        await driver.disconnect()


class Foreign:
    """NATS' protocol over a plain socket."""

    def __init__(self, port: int) -> None:
        self._inbox = f"inbox-{uuid4().hex}"  # other processes of this run use the same server
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._file = self._socket.makefile("rb")
        self._file.readline()  # INFO
        connect = 'CONNECT {"verbose":false,"headers":true,"lang":"test","version":"1"}'
        self._send(f"{connect}\r\nSUB {self._inbox} 1\r\n".encode())

    def __enter__(self) -> Foreign:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def publish(self, subject: str, data: bytes, headers: bytes = b"") -> dict[str, Any]:
        """The confirmation of JetStream."""
        if headers:
            head = b"NATS/1.0\r\n" + headers + b"\r\n"
            self._send(
                f"HPUB {subject} {self._inbox} {len(head)} {len(head) + len(data)}\r\n".encode() + head + data + b"\r\n"
            )
        else:
            self._send(f"PUB {subject} {self._inbox} {len(data)}\r\n".encode() + data + b"\r\n")
        return self._reply()

    def ask(self, what: str, **body: Any) -> dict[str, Any]:
        """A call of JetStream's API."""
        return self.publish(f"$JS.API.{what}", json.dumps(body).encode())

    def message(self, stream: str, sequence: int) -> dict[str, Any]:
        """A stored message."""
        found: dict[str, Any] = self.ask(f"STREAM.MSG.GET.{stream}", seq=sequence)["message"]
        return found

    def count(self, stream: str) -> int:
        """Messages of a stream."""
        return int(self.ask(f"STREAM.INFO.{stream}")["state"]["messages"])

    def _reply(self) -> dict[str, Any]:
        while not (line := self._file.readline()).startswith(b"MSG"):
            if line.startswith(b"PING"):
                self._send(b"PONG\r\n")
        data = self._file.read(int(line.split()[-1]) + 2)
        answer: dict[str, Any] = json.loads(data)
        return answer

    def _send(self, data: bytes) -> None:
        self._socket.sendall(data)


@pytest.fixture
def foreign(port: int) -> Iterator[Foreign]:
    with Foreign(port) as client:
        yield client


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - the broker does not say it
            await asyncio.sleep(0.01)


async def settled(pending: Done) -> None:
    if pending is not None:
        await pending


async def quiet(host: OpenHost, seconds: float = 0.3) -> None:
    """Nothing arrives for a while."""
    await asyncio.sleep(seconds)
    assert host.arrived == []


# -- the wire


def test_a_pushed_message_is_what_roadrunner_writes(port: int, name: str, foreign: Foreign) -> None:
    pushed = Job(
        id="i",
        name="App\\Job",
        payload=b"\x00\xff{}",
        headers={"Trace": ["1", "é"], "a": ["<b>"]},
        pipeline="na",
        priority=7,
        auto_ack=True,
    )

    @on_the_loop
    async def scene() -> None:
        async with nats(port, name, consume=False) as (driver, _):
            await driver.push([pushed, job("2", delay=60)])

    scene()
    found = foreign.message(name, 1)
    assert found["subject"] == f"jobs.{name}"
    assert base64.b64decode(found["data"]) == (
        b'{"job":"App\\\\Job","id":"i","payload":"AP97fQ==",'
        b'"options":{"priority":7,"pipeline":"na","auto_ack":true,"Queue":""}}'
    )
    assert base64.b64decode(found["hdrs"]) == "NATS/1.0\r\nTrace: 1\r\nTrace: é\r\na: <b>\r\n\r\n".encode()
    later = foreign.message(name, 2)
    assert json.loads(base64.b64decode(later["data"]))["options"] == {
        "priority": 10,
        "pipeline": "p",
        "delay": 60,
        "auto_ack": False,
        "Queue": "",
    }
    assert "hdrs" not in later


def test_a_message_of_roadrunner(port: int, name: str, foreign: Foreign) -> None:
    data = (
        b'{"job":"App\\\\Job","id":"from-rr","payload":"eyJrIjoiw6kifQ==",'
        b'"options":{"priority":7,"pipeline":"theirs","auto_ack":false,"Queue":""}}'
    )

    @on_the_loop
    async def scene() -> None:
        async with nats(port, name) as (driver, host):
            foreign.publish(f"jobs.{name}", data, b"Uber-Trace-Id: 1:2:0:1\r\nk: v\r\nk:w\r\n")
            (found,) = await host.wait(1)
            await settled(driver.ack(found))
        assert found.queue == name
        assert found.job == Job(
            id="from-rr",
            name="App\\Job",
            payload='{"k":"é"}'.encode(),
            headers={"Uber-Trace-Id": ["1:2:0:1"], "k": ["v", "w"], "x-nats-subject": [f"jobs.{name}"]},
            pipeline="theirs",
            priority=7,
        )

    scene()


@pytest.mark.parametrize(
    "data",
    [b"plain", b"\xff\x00", b"", b"[1]", b'{"job":"J","payload":""}', b'{"options":{}}', b'{"job":1,"options":{}}'],
)
def test_a_message_of_another_program(port: int, name: str, foreign: Foreign, data: bytes) -> None:
    @on_the_loop
    async def scene() -> None:
        async with nats(port, name, priority=3) as (driver, host):
            foreign.publish(f"jobs.{name}", data)
            (delivery,) = await host.wait(1)
            await settled(driver.ack(delivery))
        found = delivery.job
        assert (found.name, found.payload, found.pipeline, found.priority) == ("deduced_by_rr", data, "p", 3)
        assert len(found.id) == 36
        assert found.headers == {"x-nats-subject": [f"jobs.{name}"]}

    scene()


def test_a_header_can_not_add_another_one(port: int, name: str, foreign: Foreign) -> None:
    @on_the_loop
    async def scene() -> None:
        async with nats(port, name, consume=False) as (driver, _):
            await driver.push([job("1", headers={"h": ["a\r\nNats-Rollup: all\r\n\r\nPUB x 0"]})])
            with pytest.raises(PushRefused, match="header"):
                await driver.push([job("2"), job("3", headers={"a\r\nb": ["x"]}), job("4")])

    scene()
    assert base64.b64decode(foreign.message(name, 1)["hdrs"]).count(b"\r\n") == 3
    assert foreign.count(name) == 2  # those before the refused one


def test_too_large_a_job_is_refused_and_the_next_one_is_taken(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with nats(port, name) as (driver, host):
            with pytest.raises(PushRefused, match="nats: maximum payload exceeded"):
                await driver.push([job("1", payload=b"x" * 1_000_000)])
            await driver.push([job("2")])
            (found,) = await host.wait(1)
            await settled(driver.ack(found))
            assert (found.job.id, host.lost_why) == ("2", [])

    scene()


# -- the stream and its consumer


def test_a_stream_keeps_its_settings_and_subjects(port: int, name: str, foreign: Foreign) -> None:
    foreign.ask(f"STREAM.CREATE.{name}", name=name, subjects=[f"other.{name}"], max_msgs=7, retention="workqueue")

    @on_the_loop
    async def scene() -> None:
        async with nats(port, name) as (driver, host):
            await driver.push([job("1")])
            (found,) = await host.wait(1)
            await settled(driver.ack(found))

    scene()
    config = foreign.ask(f"STREAM.INFO.{name}")["config"]
    assert (config["max_msgs"], config["retention"]) == (7, "workqueue")
    assert config["subjects"] == [f"other.{name}", f"jobs.{name}"]


def test_pipelines_that_share_a_stream_do_not_take_each_other_s_subject_away(
    port: int, name: str, foreign: Foreign
) -> None:
    @on_the_loop
    async def scene() -> None:
        host = OpenHost()
        section = NatsSection(addr=f"nats://127.0.0.1:{port}")
        drivers = [
            NatsDriver(host, NatsConfig(stream=name, subject=f"s{at}.{name}", consumer=f"c{at}"), section)
            for at in range(10)
        ]
        await asyncio.gather(*[driver.connect() for driver in drivers])
        await asyncio.gather(*[driver.disconnect() for driver in drivers])

    scene()
    assert len(foreign.ask(f"STREAM.INFO.{name}")["config"]["subjects"]) == 10


def test_a_restart_does_not_begin_again(port: int, name: str, foreign: Foreign) -> None:
    """RoadRunner runs the whole stream again, and at a stop it deletes what waits."""

    @on_the_loop
    async def scene() -> None:
        async with nats(port, name) as (driver, host):
            await driver.push([job("1"), job("2")])
            for found in await host.wait(2):
                await settled(driver.ack(found))
            await driver.cancel()
            await driver.push([job("3")])
        async with nats(port, name) as (driver, host):
            (found,) = await host.wait(1)
            assert found.job.id == "3"
            await settled(driver.ack(found))
            await quiet(host)

    scene()
    assert foreign.count(name) == 3


def test_two_servers_share_the_jobs(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with nats(port, name) as (driver, one), nats(port, name) as (_, two):
            await driver.push([job(str(number)) for number in range(100)])
            await until(lambda: len(one.arrived) + len(two.arrived) >= 20)
            assert len({found.job.id for found in one.arrived + two.arrived}) == 20  # twice prefetch
            assert one.arrived
            assert two.arrived

    scene()


@pytest.mark.parametrize(("new", "wanted"), [(False, ["1", "2"]), (True, ["2"])])
def test_deliver_new(port: int, name: str, foreign: Foreign, new: bool, wanted: list[str]) -> None:
    """The consumer exists from the declaration on: what is pushed before the first resume is delivered."""
    foreign.ask(f"STREAM.CREATE.{name}", name=name, subjects=[f"jobs.{name}"])
    data = b'{"job":"J","id":"1","payload":"","options":{}}'
    foreign.publish(f"jobs.{name}", data)

    @on_the_loop
    async def scene() -> None:
        async with nats(port, name, consume=False, deliver_new=new) as (driver, host):
            await driver.push([job("2")])
            await driver.consume()
            found = await host.wait(len(wanted))
            assert [one.job.id for one in found] == wanted
            for one in found:
                await settled(driver.ack(one))
            await quiet(host)

    scene()


def test_a_changed_ack_wait_is_applied(port: int, name: str, foreign: Foreign) -> None:
    @on_the_loop
    async def scene(ack_wait: int) -> None:
        async with nats(port, name, ack_wait=ack_wait, consumer="c"):
            pass

    scene(30)
    scene(40)
    assert foreign.ask(f"CONSUMER.INFO.{name}.c")["config"]["ack_wait"] == 40 * 10**9


def test_a_deleted_consumer_and_a_deleted_stream_are_noticed(port: int, name: str, foreign: Foreign) -> None:
    @on_the_loop
    async def scene() -> None:
        async with nats(port, name) as (driver, host):
            await asyncio.sleep(0.2)
            foreign.ask(f"CONSUMER.DELETE.{name}.p")
            assert "the consumer p" in await host.wait_lost()
            host.lost_why.clear()
            await driver.disconnect()
            await driver.connect()
            foreign.ask(f"STREAM.DELETE.{name}")
            with pytest.raises(BrokerError, match="no stream has the subject"):
                await driver.push([job("1")])
            assert "no stream" in await host.wait_lost()
            await driver.disconnect()
            await driver.connect()
            await driver.push([job("1")])

    scene()
    assert foreign.count(name) == 1


def test_only_the_key_for_it_deletes_the_stream(port: int, name: str, foreign: Foreign) -> None:
    @on_the_loop
    async def scene(**keys: Any) -> None:
        async with nats(port, name, **keys) as (driver, _):
            await driver.cancel()
            await driver.push([job("1")])

    scene()
    assert foreign.count(name) == 1
    scene(delete_stream_on_stop=True)
    assert foreign.ask(f"STREAM.INFO.{name}")["error"]["code"] == 404


# -- deliveries


def test_a_held_job_is_not_delivered_again(port: int, name: str) -> None:
    """Longer than ``ack_wait``: RoadRunner runs it again."""

    @on_the_loop
    async def scene() -> None:
        async with nats(port, name, ack_wait=1) as (driver, host):
            await driver.push([job("1")])
            (found,) = await host.wait(1)
            await quiet(host, 2.5)
            await settled(driver.ack(found))
            await quiet(host, 1.2)

    scene()


def test_a_job_of_a_server_that_has_gone_comes_after_ack_wait(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        with TcpProxy(port) as proxy:
            section = NatsSection(addr=f"nats://127.0.0.1:{proxy.port}")
            async with nats(port, name, section=section, ack_wait=1) as (driver, host):
                await driver.push([job("1")])
                await host.wait(1)
                proxy.cut(refuse=True)
                await host.wait_lost()
                async with nats(port, name, ack_wait=1) as (other, there):
                    (found,) = await there.wait(1)
                    assert (found.earlier, found.job.headers["rr_attempts"]) == (1, ["1"])
                    await settled(other.ack(found))

    scene()


def test_a_delivery_outlives_its_connection(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        with TcpProxy(port) as proxy:
            section = NatsSection(addr=f"nats://127.0.0.1:{proxy.port}")
            async with nats(port, name, section=section, ack_wait=2) as (driver, host):
                await driver.push([job("1")])
                (found,) = await host.wait(1)
                proxy.cut(refuse=True)
                await host.wait_lost()
                with pytest.raises(BrokerError):
                    await settled(driver.ack(found))
                await driver.disconnect()
                proxy.accept()
                await driver.connect()
                await driver.consume()
                await quiet(host, 2.5)  # held again
                await settled(driver.ack(found))
                await quiet(host, 2.5)

    scene()


def test_attempts_are_those_that_ran(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with nats(port, name) as (driver, host):
            await driver.push([job("1")])
            seen = []
            for _ in range(3):
                (found,) = await host.wait(1)
                seen.append((found.earlier, found.job.attempts()))
                await driver.release(found)
            for _ in range(2):
                (found,) = await host.wait(1)
                seen.append((found.earlier, found.job.attempts()))
                await driver.redeliver(found, 0)
            (found,) = await host.wait(1)
            assert [*seen, (found.earlier, found.job.attempts())] == [(0, 0)] * 4 + [(1, 1), (2, 2)]
            await driver.nack(found)
            await quiet(host)

    scene()


def test_delays(port: int, name: str) -> None:
    """NATS has none for publishing: RoadRunner refuses them."""

    @on_the_loop
    async def scene() -> None:
        async with nats(port, name) as (driver, host):
            began = time.time()
            await driver.push([job("late", delay=1), job("now")])
            (found,) = await host.wait(1)
            assert found.job.id == "now"
            await driver.redeliver(found, 1)
            late, now = sorted(await host.wait(2), key=lambda found: found.job.id)
            assert time.time() - began > 0.9
            assert (late.job.id, late.earlier, now.earlier) == ("late", 0, 1)
            began = time.time()
            await driver.requeue(late, {"a": ["1"]}, 1)
            (late,) = await host.wait(1)
            assert time.time() - began > 0.9
            assert (late.earlier, late.job.headers["a"]) == (0, ["1"])

    scene()


def test_a_requeued_job_is_a_new_message(port: int, name: str, foreign: Foreign) -> None:
    """With its headers, which RoadRunner forgets, but without those for the broker: it would drop the copy."""

    @on_the_loop
    async def scene() -> None:
        async with nats(port, name) as (driver, host):
            await driver.push([job("1", headers={"Nats-Msg-Id": ["m"], "h": ["x"]})])
            (found,) = await host.wait(1)
            assert found.job.headers["Nats-Msg-Id"] == ["m"]
            await driver.requeue(found, {"more": ["y", "z"]}, 0)
            (found,) = await host.wait(1)
            assert found.job.headers == {"h": ["x"], "more": ["y", "z"], "x-nats-subject": [f"jobs.{name}"]}
            await settled(driver.ack(found))
            await quiet(host)

    scene()
    assert foreign.ask(f"STREAM.INFO.{name}")["state"]["first_seq"] == 2


def test_delete_after_ack(port: int, name: str, foreign: Foreign) -> None:
    @on_the_loop
    async def scene() -> None:
        async with nats(port, name, delete_after_ack=True) as (driver, host):
            await driver.push([job("1"), job("2", auto_ack=True), job("3")])
            one, two, three = await host.wait(3)
            await settled(driver.ack(one))
            await settled(driver.ack(two))
            await driver.nack(three)

    scene()

    @on_the_loop
    async def look() -> None:
        async with nats(port, name, consume=False) as (driver, _):
            stat = await driver.stat()
            assert (stat.queue, stat.active, stat.reserved) == (f"jobs.{name}", 0, 0)

    look()
    assert foreign.count(name) == 1


def test_jobs_that_are_taken_and_given_back(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with nats(port, name, consume=False) as (driver, host):
            await driver.push([job(str(number)) for number in range(5)])
            for _ in range(3):
                taken = await driver.take(100)
                assert sorted(found.job.id for found in taken) == list("01234")
                for found in taken:
                    await driver.release(found)
            assert len(await driver.take(2)) == 2
            await driver.consume()
            found = await host.wait(3)
            assert [one.earlier for one in found] == [0, 0, 0]
            assert (await driver.stat()).active == 5  # RoadRunner's word for those that are held

    scene()


def test_cancelling_gives_nothing_away(port: int, name: str) -> None:
    """A push meanwhile arrives now or later, and no request of the old consumer takes it."""

    @on_the_loop
    async def scene() -> None:
        async with nats(port, name, ack_wait=30) as (driver, host):
            for number in range(20):
                await asyncio.gather(driver.cancel(), driver.push([job(str(number))]))
                await driver.consume()
            found = await host.wait(10)
            for one in found:
                await settled(driver.ack(one))
            found += await host.wait(10)
            assert sorted(int(one.job.id) for one in found) == list(range(20))

    scene()


# -- the connection


def test_a_server_that_stops_is_noticed_at_once(tmp_path: Path, name: str) -> None:
    @on_the_loop
    async def scene(server: NatsServer) -> None:
        async with nats(server.port, name) as (driver, host):
            pushing = asyncio.create_task(_push_for_ever(driver))
            await host.wait(10)
            server.stop()
            began = time.monotonic()
            assert str(server.port) in await host.wait_lost()
            with pytest.raises(BrokerError):
                await pushing
            assert time.monotonic() - began < 10
            await driver.disconnect()
            with pytest.raises(BrokerError, match=str(server.port)):
                await driver.connect()
            await driver.disconnect()

    with nats_server(tmp_path) as server:
        scene(server)


async def _push_for_ever(driver: NatsDriver) -> None:
    while True:
        await driver.push([job("1")])


def test_a_wrong_password_is_refused(tmp_path: Path, name: str) -> None:
    @on_the_loop
    async def scene(server: NatsServer) -> None:
        for login in ("", "u:wrong@"):
            section = NatsSection(addr=f"nats://{login}127.0.0.1:{server.port}")
            with pytest.raises(BrokerRefused, match=r"(?i)authorization violation"):
                async with nats(0, name, section=section):
                    pass
        section = NatsSection(addr=f"nats://127.0.0.1:1,nats://u:secret@127.0.0.1:{server.port}")
        async with nats(0, name, section=section) as (driver, _):
            await driver.push([job("1")])

    with nats_server(tmp_path, authorization={"user": "u", "password": "secret"}) as server:
        scene(server)


def test_tls_with_a_certificate_of_the_client(tmp_path: Path, name: str) -> None:
    authority = Authority(tmp_path)
    identity, client = authority.server(), authority.client("worker")
    files = {"cert_file": identity.cert, "key_file": identity.key, "ca_file": authority.root}
    tls = {**{key: str(file) for key, file in files.items()}, "verify": True, "timeout": 60}

    @on_the_loop
    async def scene(server: NatsServer) -> None:
        trusted = NatsTls(root_ca=str(authority.root), cert=str(client.cert), key=str(client.key))
        for scheme in ("nats", "tls"):
            section = NatsSection(addr=f"{scheme}://127.0.0.1:{server.port}", tls=trusted)
            async with nats(0, name, section=section) as (driver, _):
                await driver.push([job("1")])
        with pytest.raises(BrokerRefused, match="certificate"):
            async with nats(0, name, section=NatsSection(addr=f"tls://127.0.0.1:{server.port}")):
                pass

    with nats_server(tmp_path, tls=tls) as server:
        scene(server)


def test_a_server_without_jetstream(tmp_path: Path, name: str) -> None:
    @on_the_loop
    async def scene(server: NatsServer) -> None:
        with pytest.raises(BrokerError, match="JetStream"):
            async with nats(server.port, name):
                pass

    with nats_server(tmp_path, jetstream=False) as server:
        scene(server)
