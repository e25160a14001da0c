"""The driver ``kafka`` alone, with a real broker, and a foreign client beside it."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pyroadrunner.plugins.jobs.connection import Connection
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, PushRefused
from pyroadrunner.plugins.jobs.drivers.kafka.config import KafkaConfig, KafkaSection
from pyroadrunner.plugins.jobs.drivers.kafka.driver import KafkaDriver
from support.brokers import Brokers
from support.job_drivers import PATIENCE, OpenHost, job, on_the_loop
from support.kafka import PASSWORD, USER, Kafka, KafkaClient, SharedKafka, kafka, options_of, proxied

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def broker(brokers: Brokers) -> SharedKafka:
    return SharedKafka.of(brokers)


@pytest.fixture(scope="session")
def client(broker: SharedKafka) -> KafkaClient:
    return KafkaClient(broker.address)


@pytest.fixture
def topic(client: KafkaClient) -> str:
    """A topic with one partition."""
    name = f"topic-{os.getpid()}-{next(NUMBERS)}"
    client.create(name, 1)
    return name


def driver_of(
    host: OpenHost, broker: Kafka | SharedKafka, name: str, section: dict[str, Any] | None = None, **options: Any
) -> KafkaDriver:
    """A driver with a topic and a group of this name."""
    config = msgspec.convert(_seconds({**options_of(name), **options}), KafkaConfig)
    made = msgspec.convert({"brokers": [broker.address], "ping": {"timeout": 30.0}, **(section or {})}, KafkaSection)
    return KafkaDriver(host, config, made)


def _seconds(options: dict[str, Any]) -> dict[str, Any]:
    group = options.get("group_options")
    if group is None:
        return options
    return {**options, "group_options": {**group, "session_timeout": float(group["session_timeout"].rstrip("s"))}}


@asynccontextmanager
async def running(driver: KafkaDriver, *, consume: bool = True) -> AsyncIterator[KafkaDriver]:
    try:
        await driver.connect()
        if consume:
            await driver.consume()
        yield driver
    finally:
        await driver.cancel()
        await driver.disconnect()


# -- records


@on_the_loop
async def test_a_pushed_job_is_roadrunners_record(broker: SharedKafka, client: KafkaClient, topic: str) -> None:
    async with running(driver_of(OpenHost(), broker, topic), consume=False) as driver:
        await driver.push([job("id-1", b"\xff\0", headers={"One": ["é"], "many": ["1", "2"]}, priority=7)])
    (record,) = await asyncio.to_thread(client.records, topic, 1)
    assert (record.key(), record.value()) == (b"id-1", b"\xff\0")
    assert record.headers() == [
        ("One", "é".encode()),
        ("many", b"1"),
        ("many", b"2"),
        ("rr_job", b"J"),
        ("rr_pipeline", b"p"),
        ("rr_priority", b"\x07\0\0\0\0\0\0\0"),
    ]


@on_the_loop
async def test_records_of_other_programs_and_their_copies(broker: SharedKafka, client: KafkaClient, topic: str) -> None:
    headers = [("b", b"\xff"), ("n", None)]
    await asyncio.to_thread(client.put, topic, b"raw", b"\xfe", headers)
    host = OpenHost()
    async with running(driver_of(host, broker, topic)) as driver:
        (delivery,) = await host.wait(1)
        assert (delivery.job.name, delivery.job.payload, delivery.job.pipeline) == ("deduced_by_rr", b"raw", "p")
        assert delivery.job.headers == {"b": ["\ufffd"], "n": [""]}
        assert delivery.more == {"topic": topic, "partition": 0, "offset": 0}
        assert delivery.queue == topic
        delivery.failed_at = "now"
        await driver.redeliver(delivery, 0)
        (again,) = await host.wait(1)
        assert again.job.headers["rr_attempts"] == ["1"]
        driver.ack(again)
    copy = (await asyncio.to_thread(client.records, topic, 2))[1]
    assert (copy.key(), copy.value()) == (b"\xfe", b"raw")
    assert (copy.headers() or [])[:2] == headers


@on_the_loop
async def test_jobs_that_kafka_does_not_take(broker: SharedKafka, topic: str) -> None:
    host = OpenHost()
    async with running(driver_of(host, broker, topic)) as driver:
        with pytest.raises(PushRefused, match="MSG_SIZE_TOO_LARGE"):
            await driver.push([job("1"), job("2", b"x" * 1_100_000), job("3")])
        (first,) = await host.wait(1)
        assert first.job.id == "1"
    async with running(driver_of(OpenHost(), broker, topic, consumer_options=None), consume=False) as pusher:
        with pytest.raises(PushRefused, match="cannot produce record with no topic and no default topic"):
            await pusher.push([job("1")])
        await pusher.push([job("2", topic=topic)])
        assert (await pusher.stat()).queue == "NO TOPICS"


@on_the_loop
async def test_delays_and_retries_wait(broker: SharedKafka, topic: str) -> None:
    host = OpenHost()
    async with running(driver_of(host, broker, topic)) as driver:
        began = time.time()
        await driver.push([job("late", delay=3), job("now")])
        (now,) = await host.wait(1)
        assert now.job.id == "now"
        assert (await driver.stat()).delayed == 1
        driver.ack(now)
        (late,) = await host.wait(1)
        assert time.time() - began > 2.9
        late.failed_at = "x"
        await driver.redeliver(late, 1)
        (again,) = await host.wait(1)
        assert time.time() - began > 3.9
        driver.ack(again)


# -- offsets


@on_the_loop
async def test_offsets_are_committed_after_the_jobs_in_any_order(
    broker: SharedKafka, client: KafkaClient, topic: str
) -> None:
    host = OpenHost()
    async with running(driver_of(host, broker, topic)) as driver:
        await driver.push([job(str(number)) for number in range(6)])
        held = await host.wait(6)
        for number in (1, 2, 4):
            driver.ack(held[number])
    assert await asyncio.to_thread(client.committed, topic, topic) == (0, "rr:1-2,4;")
    other = OpenHost()
    async with running(driver_of(other, broker, topic)) as driver:
        left = await other.wait(3)
        assert [delivery.job.id for delivery in left] == ["0", "3", "5"]
        assert (await driver.stat()).reserved == 3
        for delivery in left:
            driver.ack(delivery)
    assert await asyncio.to_thread(client.committed, topic, topic) == (6, "")


@on_the_loop
async def test_partitions_move_when_their_jobs_are_done(broker: SharedKafka, client: KafkaClient) -> None:
    name = f"move-{os.getpid()}-{next(NUMBERS)}"
    await asyncio.to_thread(client.create, name, 2)
    one, two = OpenHost(), OpenHost()
    async with running(driver_of(one, broker, name)) as first:
        await first.push([job(str(number)) for number in range(20)])
        held = await one.wait(20)
        async with running(driver_of(two, broker, name), consume=False) as second:
            joining = asyncio.create_task(second.consume())
            await asyncio.sleep(0.5)
            for delivery in held:
                first.ack(delivery)
            await joining
            await second.push([job(f"new-{number}") for number in range(20)])
            records = await asyncio.to_thread(client.records, name, 40)
            moved = {delivery.receipt.place[1] for delivery in await two.wait(1)}
            counts = Counter(record.partition() for record in records if (record.key() or b"").startswith(b"new"))
            (mine,) = moved
            await two.wait(counts[mine] - 1)
            await one.wait(counts[1 - mine])


@on_the_loop
async def test_without_a_group_each_start_begins_at_the_offset(
    broker: SharedKafka, client: KafkaClient, topic: str
) -> None:
    for number in range(3):
        await asyncio.to_thread(client.put, topic, b"", str(number).encode())
    for offset, expected in (
        ({}, ["0", "1", "2"]),
        ({"type": "At", "value": 1}, ["1", "2"]),
        ({"type": "Relative", "value": 2}, ["2"]),
        ({"type": "AfterMilli", "value": 1}, ["0", "1", "2"]),
    ):
        for options in ({"topics": [topic], "consumer_offset": offset}, {"consume_partitions": {topic: {"0": offset}}}):
            host = OpenHost()
            driver = driver_of(host, broker, topic, consumer_options=options, group_options=None)
            async with running(driver):
                found = await host.wait(len(expected))
                assert [delivery.job.id for delivery in found] == expected
                for delivery in found:
                    driver.ack(delivery)


@on_the_loop
async def test_topics_by_a_regular_expression_and_the_end(broker: SharedKafka, client: KafkaClient, topic: str) -> None:
    await asyncio.to_thread(client.put, topic, b"", b"old")
    host = OpenHost()
    options = {"topics": [f"{topic[2:]}$"], "consume_regexp": True, "consumer_offset": {"type": "AtEnd"}}
    async with running(driver_of(host, broker, topic, consumer_options=options, topic=topic)) as driver:
        await driver.push([job("new")])
        (delivery,) = await host.wait(1)
        assert delivery.job.id == "new"
        driver.ack(delivery)


@on_the_loop
async def test_order_keys(broker: SharedKafka, topic: str) -> None:
    for order, expected in (("none", None), ("partition", (topic, 0)), ("key", ((topic, 0), b"a"))):
        host = OpenHost()
        async with running(driver_of(host, broker, topic, order_key=order)) as driver:
            await driver.push([job("a")])
            (delivery,) = await host.wait(1)
            assert delivery.order_key == expected
            driver.ack(delivery)


@pytest.mark.parametrize("strategy", ["Manual", "RoundRobin", "Sticky", "LeastBackup"])
@on_the_loop
async def test_partitioning(broker: SharedKafka, client: KafkaClient, strategy: str) -> None:
    name = f"spread-{os.getpid()}-{next(NUMBERS)}"
    await asyncio.to_thread(client.create, name, 3)
    driver = driver_of(OpenHost(), broker, name, producer_options={"partitioning_strategy": strategy})
    async with running(driver, consume=False):
        await driver.push([job("same", partition=2) for _ in range(6)])
        if strategy == "Manual":
            with pytest.raises(PushRefused):
                await driver.push([job("x", partition=7)])
    used = {record.partition() for record in await asyncio.to_thread(client.records, name, 6)}
    assert used == {2} if strategy == "Manual" else len(used) == (1 if strategy == "Sticky" else 3)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
@on_the_loop
async def test_codecs(broker: SharedKafka, topic: str, codec: str) -> None:
    host = OpenHost()
    async with running(driver_of(host, broker, topic, producer_options={"compression_codec": codec})) as driver:
        await driver.push([job("1", b"x" * 10_000)])
        (delivery,) = await host.wait(1)
        assert delivery.job.payload == b"x" * 10_000
        driver.ack(delivery)


# -- connections


@pytest.mark.parametrize("mechanism", ["plain", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@on_the_loop
async def test_logins(broker: SharedKafka, topic: str, mechanism: str) -> None:
    sasl = {"mechanism": mechanism, "username": USER, "password": PASSWORD}
    section = {"brokers": [f"127.0.0.1:{broker.login}"], "sasl": sasl}
    async with running(driver_of(OpenHost(), broker, topic, section), consume=False) as driver:
        await driver.push([job("1")])
    section = {**section, "sasl": {**sasl, "password": "wrong"}}
    wrong = driver_of(OpenHost(), broker, topic, section)
    with pytest.raises(BrokerRefused, match="AUTHENTICATION"):
        await wrong.connect()
    await wrong.disconnect()


@on_the_loop
async def test_tls_with_a_client_certificate(broker: SharedKafka, topic: str, tmp_path: Path) -> None:
    tls = {"root_ca": broker.root, "cert": broker.cert, "key": broker.key}
    section = {"brokers": [f"127.0.0.1:{broker.tls}"], "tls": tls}
    host = OpenHost()
    async with running(driver_of(host, broker, topic, section)) as driver:
        await driver.push([job("1")])
        (delivery,) = await host.wait(1)
        driver.ack(delivery)
    for bad in ({**tls, "root_ca": broker.cert}, {**tls, "root_ca": str(tmp_path / "none")}):
        wrong = driver_of(OpenHost(), broker, topic, {**section, "tls": bad})
        with pytest.raises(BrokerRefused):
            await wrong.connect()
        await wrong.disconnect()


@on_the_loop
async def test_no_broker(broker: SharedKafka, topic: str) -> None:
    driver = driver_of(OpenHost(), broker, topic, {"brokers": ["127.0.0.1:1"]})
    began = time.monotonic()
    with pytest.raises(BrokerError, match="ALL_BROKERS_DOWN"):
        await driver.connect()
    await driver.disconnect()
    assert time.monotonic() - began < 15


@on_the_loop
async def test_a_paused_pipeline_leaves_its_group_and_comes_back(
    broker: SharedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyroadrunner.plugins.jobs.drivers.kafka.driver._LINGER", 0.2)
    host = OpenHost()
    async with running(driver_of(host, broker, f"pause-{os.getpid()}")) as driver:
        for turn in range(5):
            await driver.cancel()
            await driver.push([job(f"{turn}-{number}") for number in range(10)])
            async with asyncio.timeout(PATIENCE):
                while driver._poller is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await driver.consume()
            for delivery in await host.wait(10):
                driver.ack(delivery)


# -- a broker that fails


class ConnectedHost(OpenHost):
    """A pipeline that connects again."""

    connection: Connection

    def lost(self, why: str) -> None:
        super().lost(why)
        self.connection.lost(why)


@asynccontextmanager
async def connected(host: ConnectedHost, driver: KafkaDriver) -> AsyncIterator[Connection]:
    """The connection of a pipeline that consumes."""
    host.connection = Connection("p", driver, driver.consume)
    host.connection.start()
    try:
        await host.connection.wait()
        yield host.connection
    finally:
        await host.connection.stop()


@on_the_loop
async def test_a_broker_dies_before_it_confirms_offsets(tmp_path: Path) -> None:
    """The consumer that waits for the confirmation gives its partitions to the next one."""
    with kafka(tmp_path / "kafka") as broker:
        host = ConnectedHost()
        driver = driver_of(host, broker, "topic")
        async with connected(host, driver) as connection:
            await driver.push([job("1"), job("2")])
            held = await host.wait(2)
            os.kill(broker.pid, signal.SIGSTOP)
            for delivery in held:
                driver.ack(delivery)
            await asyncio.sleep(0.5)  # the offsets are on their way
            broker.stop()
            await host.wait_lost()
            await asyncio.to_thread(broker.start)
            await connection.wait()
            left = {f"new-{number}" for number in range(20)}
            await driver.push([job(name) for name in left])
            while left:  # the others may come again
                (delivery,) = await host.wait(1)
                left.discard(delivery.job.id)
                driver.ack(delivery)


@on_the_loop
async def test_figures_of_a_broker_that_does_not_answer(brokers: Brokers) -> None:
    with proxied(brokers) as proxy:
        name = f"held-{os.getpid()}"
        host = OpenHost()
        group = {"group_id": name, "session_timeout": "30s"}
        section = {"brokers": [f"127.0.0.1:{proxy.port}"]}
        driver = driver_of(host, SharedKafka.of(brokers), name, section, group_options=group)
        async with running(driver):
            await driver.push([job(str(number)) for number in range(3)])
            held = await host.wait(3)
            proxy.hold()
            try:
                found = await driver.stat()
            finally:
                proxy.flow()
            assert (found.queue, found.reserved) == (f"[{name}]", 3)
            assert "Kafka does not tell its offsets" in found.error
            assert (await driver.stat()).error == ""
            for delivery in held:
                driver.ack(delivery)
