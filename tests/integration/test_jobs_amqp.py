"""The driver ``amqp`` on a real RabbitMQ: what is on the wire, what a foreign client sees and sends, faults."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.plugins.jobs.drivers.amqp.config import AmqpSection, AmqpTls
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, PushRefused
from support.amqp import AmqpClient, Field
from support.amqp_driver import amqp, fresh_name, job, run
from support.brokers import Brokers
from support.rabbitmq import LARGEST_MESSAGE, shared_rabbitmq
from support.tcp_proxy import TcpProxy
from support.tls import Authority

DURABLE = {"durable": True, "exchange_durable": True, "exchange": "durable"}


@pytest.fixture(scope="session")
def broker(brokers: Brokers) -> dict[str, Any]:
    found: dict[str, Any] = brokers.use("rabbitmq", shared_rabbitmq)
    return found


@pytest.fixture
def port(broker: dict[str, Any]) -> int:
    return int(broker["port"])


@pytest.fixture
def name() -> str:
    return fresh_name()


def queue(name: str) -> dict[str, Any]:
    return {**DURABLE, "queue": name, "routing_key": name}


# -- the wire


def test_a_pushed_message_is_what_roadrunner_writes(port: int, name: str) -> None:
    """jobs.md, section 5.3: other types crash a RoadRunner that reads them."""
    pushed = job(1, headers={"Trace": ["1", "é"], "a": ["<b>"]}, priority=7, auto_ack=True, payload=b"\x00\xff{}")

    async def scene() -> None:
        async with amqp(port, consume=False, **queue(name)) as (driver, _):
            await driver.push([pushed])

    run(scene())
    with AmqpClient(port) as foreign:
        found = foreign.get(name)
    assert found is not None
    assert found.body == pushed.payload
    assert abs(found.properties.pop("timestamp") - time.time()) < 60
    assert found.properties == {"content_type": "application/octet-stream", "delivery_mode": 2}
    assert {name: (kind, value) for name, kind, value in found.headers} == {
        "rr_id": ("S", "j1"),
        "rr_job": ("S", "App\\Job"),
        "rr_pipeline": ("S", "p"),
        "rr_headers": ("x", '{"Trace":["1","é"],"a":["<b>"]}'.encode()),
        "rr_delay": ("I", 0),
        "rr_priority": ("l", 7),
        "rr_auto_ack": ("t", True),
    }


ROADRUNNERS: list[Field] = [
    ("rr_id", "S", "from-rr"),
    ("rr_job", "S", "App\\Job"),
    ("rr_pipeline", "S", "theirs"),
    ("rr_headers", "x", b'{"Uber-Trace-Id":["1:2:0:1"],"k":["v","w"]}'),
    ("rr_delay", "I", 3),
    ("rr_priority", "l", 5),
    ("rr_auto_ack", "t", True),
]
FOREIGN: list[Field] = [
    ("text", "S", "ü"),
    ("raw", "x", b"bytes"),
    ("whole", "I", -5),
    ("large", "l", 2**40),
    ("yes", "t", True),
    ("decimal", "D", (2, 1234)),
    ("when", "T", 1_700_000_000),
    ("many", "A", [("S", "a"), ("I", 2)]),
    ("table", "F", [("inner", "S", "x")]),
]


def test_a_message_of_roadrunner_is_read(port: int, name: str) -> None:
    async def scene() -> Any:
        async with amqp(port, **queue(name)) as (driver, host):
            with AmqpClient(port) as foreign:
                foreign.publish("durable", name, b"body", ROADRUNNERS)
                foreign.publish("durable", name, b"", [*FOREIGN, ("rr_id", "I", 1)])
            found = await host.wait(2)
            for delivery in found:
                driver.ack(delivery)
            return found

    ours, others = run(scene())
    assert (ours.job.id, ours.job.name, ours.job.pipeline, ours.queue) == ("from-rr", "App\\Job", "theirs", name)
    assert (ours.job.priority, ours.job.delay, ours.job.auto_ack, ours.job.payload) == (5, 3, True, b"body")
    assert ours.job.headers == {
        "rr_id": ["from-rr"],
        "rr_job": ["App\\Job"],
        "rr_pipeline": ["theirs"],
        "rr_headers": ['{"Uber-Trace-Id":["1:2:0:1"],"k":["v","w"]}'],
        "rr_delay": ["3"],
        "rr_priority": ["5"],
        "rr_auto_ack": ["true"],
        "Uber-Trace-Id": ["1:2:0:1"],
        "k": ["v", "w"],
    }
    assert len(others.job.id) == 36
    assert (others.job.name, others.job.pipeline, others.job.priority) == ("deduced_by_rr", "p", 10)
    assert others.job.payload == b""
    assert others.job.headers == {
        "text": ["ü"],
        "raw": ["bytes"],
        "whole": ["-5"],
        "large": [str(2**40)],
        "yes": ["true"],
        "decimal": ["12.34"],
        "when": ["2023-11-14T22:13:20Z"],
        "many": ["a", "2"],
        "inner": ["x"],
        "rr_id": ["1"],
    }


def test_headers_that_can_not_be_decoded_do_not_stop_the_pipeline(port: int, name: str) -> None:
    """A time in milliseconds is after the year 9999."""

    async def scene() -> None:
        async with amqp(port, **queue(name)) as (_, host):
            with AmqpClient(port) as foreign:
                foreign.publish("durable", name, b"bad", [("when", "T", 1_700_000_000_000)])
                foreign.publish("durable", name, b"good", [("when", "T", 1_700_000_000)])
            found = await host.wait(2)
            assert [(one.job.payload, len(one.job.headers)) for one in found] == [(b"bad", 0), (b"good", 1)]
            assert host.losses == []

    run(scene())


def test_the_queue_of_a_delay_is_roadrunners(port: int, name: str) -> None:
    """Both can use the same: the broker would refuse other arguments."""

    async def scene() -> None:
        async with amqp(port, consume=False, **queue(name)) as (driver, _):
            await driver.push([job(1, delay=60), job(2, delay=60)])
            await driver.push([job(3, delay=60, headers={"x-routing-key": ["elsewhere"]})])
            assert (await driver.stat()).delayed == 3

    run(scene())
    dead = [("x-dead-letter-exchange", "S", "durable"), ("x-message-ttl", "l", 60_000), ("x-expires", "l", 120_000)]
    with AmqpClient(port) as foreign:
        delayed = f"delayed-60000.durable.{name}"
        assert foreign.declare(delayed, [*dead, ("x-dead-letter-routing-key", "S", name)]) == 2
        first = foreign.get(delayed)
        assert first is not None
        assert (first.header("rr_delay"), first.header("rr_id")) == (("I", 60), ("S", "j1"))
        other = f"{delayed}.elsewhere"
        assert foreign.declare(other, [*dead, ("x-dead-letter-routing-key", "S", "elsewhere")]) == 1
        for one in (delayed, other):
            foreign.delete(one)


def test_delayed_jobs_of_one_delay_survive_one_another(port: int, name: str) -> None:
    """The queue of a delay expires after twice the delay unless it is declared again."""

    async def scene() -> None:
        async with amqp(port, **queue(name), prefetch=20) as (driver, host):
            for number in range(12):
                await driver.push([job(number, delay=1)])
                await asyncio.sleep(0.25)
            await host.wait(12)
            assert sorted(host.ids) == sorted(f"j{number}" for number in range(12))

    run(scene())


def test_a_copy_has_none_of_the_headers_that_the_broker_has_added(port: int, name: str) -> None:
    """Otherwise each requeue of a delayed job would make it larger, and show old times."""

    async def scene() -> None:
        async with amqp(port, **queue(name)) as (driver, host):
            await driver.push([job(1, delay=1, headers={"k": ["v"]})])
            (delivery,) = await host.wait(1)
            assert delivery.job.headers["reason"] == ["expired"]
            await driver.requeue(delivery, {**delivery.job.headers, "tried": ["1"]}, 0)
            _, again = await host.wait(2)
            assert {name: again.job.headers[name] for name in ("k", "tried")} == {"k": ["v"], "tried": ["1"]}
            assert json.loads(again.job.headers["rr_headers"][0]) == {"k": ["v"], "tried": ["1"]}
            driver.ack(again)

    run(scene())


# -- exchanges and queues


@pytest.mark.parametrize("kind", ["direct", "fanout", "topic", "headers"])
def test_exchanges_of_all_types(port: int, name: str, kind: str) -> None:
    key = {"direct": name, "fanout": "", "topic": f"{name}.#", "headers": ""}[kind]
    keys = {"exchange": name, "exchange_type": kind, "routing_key": key, "queue": name, "exchange_auto_delete": True}

    async def scene() -> None:
        async with amqp(port, **keys, queue_auto_delete=True) as (driver, host):
            header = {"x-routing-key": [f"{name}.a.b"]} if kind == "topic" else {}
            await driver.push([job(1, headers=header), job(2, headers=header, delay=1)])
            found = await host.wait(2)
            assert host.ids == ["j1", "j2"]
            assert all("x-routing-key" not in one.job.headers for one in found)

    run(scene())


def test_a_job_that_no_queue_takes_is_an_error(port: int, name: str) -> None:
    async def scene() -> None:
        async with amqp(port, consume=False, exchange=name, routing_key="nowhere") as (driver, host):
            with pytest.raises(BrokerError, match=f"no queue took the job: NO_ROUTE, exchange '{name}'"):
                await driver.push([job(1), job(2)])
            assert host.losses == []
            assert (await driver.stat()).queue == ""
            with pytest.raises(BrokerRefused, match="empty queue name, consider adding the queue name"):
                await driver.consume()
        async with amqp(port, consume=False, exchange=name) as (driver, host):
            with pytest.raises(PushRefused, match="empty routing key, consider adding the routing key name"):
                await driver.push([job(1)])

    run(scene())


def test_what_was_deleted_is_declared_again(port: int, name: str) -> None:
    async def scene() -> None:
        keys = {**queue(name), "exchange": name}
        async with amqp(port, consume=False, **keys) as (driver, host):
            with AmqpClient(port) as foreign:
                foreign.delete(name)
                await driver.push([job(1)])
                foreign.delete_exchange(name)
                await driver.push([job(2)])
                assert host.losses == []
                await driver.consume()
                await host.wait(2)
                foreign.delete(name)
                await host.until(lambda: bool(host.losses))
            assert "the broker ended the consumer" in host.losses[0]

    run(scene())


def test_a_queue_that_deletes_itself_comes_back(port: int, name: str) -> None:
    async def scene() -> None:
        async with amqp(port, queue=name, routing_key=name, queue_auto_delete=True) as (driver, host):
            await driver.cancel()
            await driver.push([job(1)])
            await driver.consume()
            await host.wait(1)

    run(scene())


def test_a_queue_with_other_arguments_is_refused(port: int, name: str) -> None:
    async def scene() -> None:
        async with amqp(port, **queue(name)):
            with pytest.raises(BrokerRefused, match="PRECONDITION_FAILED - inequivalent arg 'x-max-length'"):
                async with amqp(port, **queue(name), queue_headers={"x-max-length": 5}):
                    pass

    run(scene())


def test_a_queue_is_deleted_at_a_stop_but_not_after_a_loss(port: int, name: str) -> None:
    async def scene(lose: bool) -> None:
        with TcpProxy(port) as proxy:
            async with amqp(proxy.port, **queue(name), delete_queue_on_stop=True) as (_, host):
                if lose:
                    proxy.cut(refuse=True)
                    await host.until(lambda: bool(host.losses))
                    proxy.accept()

    run(scene(True))
    with AmqpClient(port) as foreign:
        assert foreign.has(name)
    run(scene(False))
    with AmqpClient(port) as foreign:
        assert not foreign.has(name)


def test_dead_letters_of_the_broker(port: int, name: str) -> None:
    """``nack`` sends a job to the exchange that the queue names for it."""
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{name}-dead"}

    async def scene() -> None:
        async with amqp(port, **queue(name), queue_headers=arguments) as (driver, host):
            assert driver.dead_letters
            with AmqpClient(port) as foreign:
                foreign.declare(f"{name}-dead")
                await driver.push([job(1)])
                (delivery,) = await host.wait(1)
                driver.nack(delivery)
            async with amqp(port, **DURABLE, queue=f"{name}-dead", routing_key=f"{name}-dead") as (_, dead):
                (letter,) = await dead.wait(1)
                assert (letter.job.id, letter.job.headers["reason"]) == ("j1", ["rejected"])

    run(scene())


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_acknowledgements_in_few_frames_leave_running_jobs_alone(port: int, name: str, kind: str) -> None:
    keys = {**queue(name), "queue_headers": {"x-queue-type": kind}, "multiple_ack": True}

    async def scene() -> None:
        async with amqp(port, **keys) as (driver, host):
            await driver.push([job(number) for number in range(10)])
            found = list(await host.wait(10))
            for at in (0, 1, 2, 4, 9):
                driver.ack(found[at])
            driver.release(found[3])
            assert (await host.wait(11))[-1].job.id == "j3"
            assert (await driver.stat()).reserved == 5
            driver.nack(found[5])
        async with amqp(port, **keys) as (driver, host):
            again = await host.wait(4)
            assert sorted(one.job.id for one in again) == ["j3", "j6", "j7", "j8"]
            for one in again:
                driver.ack(one)

    run(scene())


def test_two_consumers_share_a_queue(port: int, name: str) -> None:
    async def scene() -> None:
        async with (
            amqp(port, **queue(name), prefetch=5) as (one, first),
            amqp(port, **queue(name), prefetch=5) as (_, second),
        ):
            await one.push([job(number) for number in range(10)])
            await asyncio.gather(first.wait(5), second.wait(5))
            assert sorted([*first.ids, *second.ids]) == [f"j{number}" for number in range(10)]

    run(scene())


# -- jobs that can't be pushed


def test_a_job_that_is_too_large_leaves_the_others_and_the_connection(port: int, name: str) -> None:
    async def scene() -> None:
        async with amqp(port, **queue(name)) as (driver, host):
            with pytest.raises(PushRefused, match="is larger than configured max size"):
                await driver.push([job(1), job(2, payload=b"x" * (LARGEST_MESSAGE + 1)), job(3)])
            await driver.push([job(4)])
            await host.until(lambda: "j4" in host.ids)
            with pytest.raises(PushRefused, match="the headers have"):
                await driver.push([job(5), job(6, headers={"h": ["x" * 140_000]}), job(7)])
            await host.until(lambda: "j5" in host.ids)
            with pytest.raises(PushRefused, match="the longest delay is 2147483 seconds, provided: 2147484"):
                await driver.push([job(8, delay=2_147_484)])
            await driver.push([job(9, delay=2_147_483)])
            with AmqpClient(port) as foreign:
                foreign.delete(f"delayed-2147483000.durable.{name}")
            assert host.losses == []

    run(scene())


def test_a_full_queue_refuses(port: int, name: str) -> None:
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}

    async def scene() -> None:
        async with amqp(port, consume=False, **queue(name), queue_headers=arguments) as (driver, host):
            await driver.push([job(1)])
            with pytest.raises(BrokerError, match=r"the broker did not take the message \(basic.nack\)"):
                await driver.push([job(2)])
            assert host.losses == []

    run(scene())


# -- the connection


def test_tls_with_a_certificate_of_the_client(broker: dict[str, Any], name: str, tmp_path: Path) -> None:
    addr = f"amqps://guest:guest@localhost:{broker['tls_port']}/"
    tls = AmqpTls(root_ca=broker["root"], cert=broker["cert"], key=broker["key"])

    async def scene() -> None:
        for one in (addr, addr.replace("amqps", "amqp")):
            section = AmqpSection(addr=one, tls=tls)
            async with amqp(0, section=section, **queue(name)) as (driver, host):
                await driver.push([job(1, payload=b"x" * 1_000_000)])
                (delivery,) = await host.wait(1)
                driver.ack(delivery)
        stranger = AmqpTls(root_ca=str(Authority(tmp_path).root), cert=broker["cert"], key=broker["key"])
        with pytest.raises(BrokerRefused, match="certificate verify failed"):
            async with amqp(0, section=AmqpSection(addr=addr, tls=stranger)):
                pass
        with pytest.raises(BrokerError):  # the broker asks for a certificate
            async with amqp(0, section=AmqpSection(addr=addr, tls=AmqpTls(root_ca=broker["root"]))):
                pass

    run(scene())


@pytest.mark.parametrize(
    ("address", "error", "why"),
    [
        ("amqp://guest:wrong@127.0.0.1:{port}/", BrokerRefused, "ACCESS_REFUSED - Login was refused"),
        ("amqp://guest:guest@127.0.0.1:{port}/none", BrokerRefused, "NOT_ALLOWED - vhost none not found"),
        ("amqp://guest:guest@127.0.0.1:1/", BrokerError, "connection refused"),
    ],
)
def test_a_connection_that_is_refused(port: int, address: str, error: type[BrokerError], why: str) -> None:
    async def scene() -> None:
        with pytest.raises(error, match=why) as raised:
            async with amqp(0, section=AmqpSection(addr=address.format(port=port))):
                pass
        assert type(raised.value) is error

    run(scene())


def test_a_network_that_loses_everything_is_noticed(port: int, name: str) -> None:
    async def scene() -> None:
        with TcpProxy(port) as proxy:
            section = AmqpSection(addr=f"amqp://guest:guest@127.0.0.1:{proxy.port}/?heartbeat=1")
            async with amqp(0, section=section, **queue(name)) as (driver, host):
                proxy.hold()
                pending = driver.push([job(1)])
                with pytest.raises(BrokerError):
                    await pending
                assert "heartbeat" in host.losses[0]

    run(scene())


def test_a_cancelled_connect_leaves_nothing(port: int) -> None:
    async def scene() -> None:
        with TcpProxy(port) as proxy:
            proxy.hold()
            section = AmqpSection(addr=f"amqp://guest:guest@127.0.0.1:{proxy.port}/")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2), amqp(0, section=section):
                    pass
            await asyncio.sleep(0)

    run(scene())
