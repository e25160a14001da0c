"""The driver ``sqs`` on moto's server: what is on the wire, what a foreign client (boto3) sees and sends, faults."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import boto3
import pytest

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, Delivery, Job, PushRefused
from pyroadrunner.plugins.jobs.drivers.sqs.client import CallFailed, Client
from pyroadrunner.plugins.jobs.drivers.sqs.config import SqsConfig, SqsSection
from pyroadrunner.plugins.jobs.drivers.sqs.driver import SqsDriver
from support.brokers import Brokers
from support.job_drivers import PATIENCE, OpenHost, job, on_the_loop
from support.ports import free_port
from support.sqs import shared_sqs
from support.tcp_proxy import TcpProxy

_NUMBERS = itertools.count(1)
SYSTEM = ("ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount", "SenderId", "SentTimestamp")


@pytest.fixture(scope="session")
def port(brokers: Brokers) -> int:
    return int(brokers.use("sqs", shared_sqs)["port"])


@pytest.fixture
def name() -> str:
    """A name for queues that no other test uses."""
    return f"t-{os.getpid()}-{next(_NUMBERS)}"


def section(port: int, **keys: Any) -> SqsSection:
    account = {"key": "k", "secret": "s", "region": "us-east-1", "endpoint": f"http://127.0.0.1:{port}"}
    return SqsSection(**{**account, **keys})


@asynccontextmanager
async def sqs(port: int, name: str, *, consume: bool = True, **keys: Any) -> AsyncIterator[tuple[SqsDriver, OpenHost]]:
    """A connected driver with a queue of its own."""
    host = OpenHost()
    config = SqsConfig(**{"queue": name, "prefetch": 10, "max_messages_in_flight": 100, "wait_time_seconds": 1, **keys})
    driver = SqsDriver(host, config, section(port))
    try:
        await driver.connect()
        if consume:
            await driver.consume()
        yield driver, host
    finally:
        await driver.disconnect()


class Foreign:
    """A queue as boto3 sees it."""

    def __init__(self, port: int, name: str) -> None:
        keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
        self.client = boto3.client("sqs", endpoint_url=f"http://127.0.0.1:{port}", **keys)
        self.url = self.client.create_queue(
            QueueName=name, Attributes={"FifoQueue": "true"} if name.endswith(".fifo") else {}
        )["QueueUrl"]

    def send(self, body: str, attributes: dict[str, Any], **more: Any) -> None:
        self.client.send_message(QueueUrl=self.url, MessageBody=body, MessageAttributes=attributes, **more)

    def receive(self) -> list[dict[str, Any]]:
        """All messages that are there."""
        found: list[dict[str, Any]] = []
        while messages := self.client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        ).get("Messages"):
            found += messages
        return found

    def counts(self) -> tuple[int, int, int]:
        """Visible, delayed and hidden messages."""
        names = ("", "Delayed", "NotVisible")
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        visible, delayed, hidden = (int(found[f"ApproximateNumberOfMessages{name}"]) for name in names)
        return visible, delayed, hidden


async def until_counts(port: int, name: str, counts: tuple[int, int, int]) -> None:
    """The queue does not say when it changes."""
    foreign = Foreign(port, name)
    async with asyncio.timeout(PATIENCE):
        while foreign.counts() != counts:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


# -- the wire


def test_a_pushed_message_is_what_roadrunner_writes(port: int, name: str) -> None:
    pushed = Job(
        id="i",
        name="App\\Job",
        payload="{é}".encode(),
        headers={"Trace": ["1", "é"], "a": ["<b>"]},
        pipeline="p",
        priority=7,
        auto_ack=True,
    )

    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name, consume=False) as (driver, _):
            await driver.push([pushed])
            await driver.push([job("2", delay=60), job("3", delay=900)])
            with pytest.raises(PushRefused) as refused:
                await driver.push([job("4", delay=901)])
            wanted = "unable to push, maximum possible delay is 900 seconds (15 minutes), provided: 901"
            assert str(refused.value) == wanted

    scene()
    foreign = Foreign(port, name)
    assert foreign.counts() == (1, 2, 0)
    (found,) = foreign.receive()
    assert found["Body"] == "{é}"
    assert found["MessageAttributes"] == {
        "rr_id": text("i"),
        "rr_job": text("App\\Job"),
        "rr_delay": text("0"),
        "rr_priority": {"DataType": "Number", "StringValue": "7"},
        "rr_auto_ack": text("true"),
        "rr_headers": {"DataType": "Binary", "BinaryValue": '{"Trace":["1","é"],"a":["<b>"]}'.encode()},
    }


def test_a_message_of_roadrunner(port: int, name: str) -> None:
    attributes = {
        "rr_id": text("from-rr"),
        "rr_job": text("App\\Job"),
        "rr_delay": text("0"),
        "rr_priority": {"DataType": "Number", "StringValue": "5"},
        "rr_auto_ack": text("false"),
        "rr_headers": {"DataType": "Binary", "BinaryValue": b'{"Uber-Trace-Id":["1:2"],"k":["v","w"],"n":null}'},
    }
    Foreign(port, name).send("body", attributes)

    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name) as (driver, host):
            (found,) = await host.wait(1)
            await driver.ack(found)
        received = found.job
        assert (received.id, received.name, received.payload, received.priority) == ("from-rr", "App\\Job", b"body", 5)
        assert (found.queue, found.order_key, received.pipeline, received.auto_ack) == (name, None, "p", False)
        headers = dict(received.headers)
        assert [len(headers.pop(one)) for one in SYSTEM] == [1, 1, 1, 1]
        assert headers == {"Uber-Trace-Id": ["1:2"], "k": ["v", "w"], "n": []}

    scene()
    assert Foreign(port, name).counts() == (0, 0, 0)


def test_a_message_of_another_program(port: int, name: str) -> None:
    attributes = {
        "text": text("ü"),
        "number": {"DataType": "Number", "StringValue": "1.5"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"raw"},
    }
    Foreign(port, name).send("plain", attributes)

    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name, priority=3) as (driver, host):
            (found,) = await host.wait(1)
            await driver.ack(found)
        assert (found.job.name, found.job.payload, found.job.priority) == ("deduced_by_rr", b"plain", 3)
        assert len(found.job.id) == 36
        own = {name: values for name, values in found.job.headers.items() if name not in SYSTEM}
        assert own == {"text": ["ü"], "number": ["1.5"], "bytes": ["raw"]}

    scene()


@pytest.mark.parametrize("payload", [b"", b"\xff", b"a\x00", "\ufffe".encode()])
def test_what_sqs_can_not_carry_is_refused(port: int, name: str, payload: bytes) -> None:
    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name, consume=False) as (driver, _):
            with pytest.raises(PushRefused, match="SQS"):
                await driver.push([job("1"), job("2", payload=payload), job("3")])

    scene()
    assert Foreign(port, name).counts() == (1, 0, 0)  # those before the refused one


def test_too_large_a_job_is_refused(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name, consume=False) as (driver, host):
            await driver.push([job(str(number), b"x" * 100_000) for number in range(5)])  # in several calls
            with pytest.raises(PushRefused, match="InvalidParameterValue"):
                await driver.push([job("1", b"x" * 2_000_000)])
            assert host.lost_why == []

    scene()
    assert Foreign(port, name).counts() == (5, 0, 0)


# -- deliveries


def test_a_held_job_is_not_delivered_again(port: int, name: str) -> None:
    """Longer than its visibility timeout: RoadRunner runs it again."""

    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name, visibility_timeout=2) as (driver, host):
            await driver.push([job("1")])
            (found,) = await host.wait(1)
            await asyncio.sleep(3.5)
            assert host.arrived == []
            await driver.ack(found)

    scene()
    assert Foreign(port, name).counts() == (0, 0, 0)


def test_attempts_are_those_that_ran(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name) as (driver, host):
            await driver.push([job("1")])
            seen = []
            for _ in range(2):
                (found,) = await host.wait(1)
                seen.append((found.earlier, found.job.attempts()))
                await driver.release(found)
            for delay in (0, 1):
                (found,) = await host.wait(1)
                seen.append((found.earlier, found.job.attempts()))
                began = time.monotonic()
                await driver.redeliver(found, delay)
            (found,) = await host.wait(1)
            assert time.monotonic() - began > 0.9
            assert [*seen, (found.earlier, found.job.attempts())] == [(0, 0), (0, 0), (0, 0), (1, 1), (2, 2)]
            await driver.nack(found)

    scene()
    assert Foreign(port, name).counts() == (0, 0, 0)


@pytest.mark.parametrize(
    ("how", "lost"), [("release", False), ("redeliver", False), ("nack", False), ("release", True)]
)
def test_a_job_that_comes_back_before_the_reply_is_a_delivery(
    port: int, name: str, how: str, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that waits for messages may bring the job before the call that made it visible returns."""

    @on_the_loop
    async def scene() -> None:
        keys = {"retain_failed_jobs": True, "error_visibility_timeout": 1, "visibility_timeout": 600}
        async with sqs(port, name, **keys) as (driver, host):
            real = Client.call

            async def late(client: Client, action: str, body: dict[str, Any], wait: float = 0.0) -> dict[str, Any]:
                answer = await real(client, action, body, wait)
                if action == "ChangeMessageVisibilityBatch":
                    await host.wait_arrived(1)
                    if lost:
                        raise CallFailed("ServiceUnavailable", "")
                return answer

            await driver.push([job("1")])
            (found,) = await host.wait(1)
            with monkeypatch.context() as patch:
                patch.setattr(Client, "call", late)
                settle = {
                    "release": driver.release,
                    "nack": driver.nack,
                    "redeliver": lambda one: driver.redeliver(one, 0),
                }
                await settle[how](found)
            (again,) = await host.wait(1)
            assert (again.job.id, again.earlier) == ("1", 0 if how == "release" else 1)
            await driver.ack(again)

    scene()
    assert Foreign(port, name).counts() == (0, 0, 0)


def test_a_released_job_is_not_hidden_by_a_call_under_way(
    port: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call that keeps a held message hidden must not reach the service after the one that releases it."""

    @on_the_loop
    async def scene() -> None:
        real = Client.call
        keeping, go = asyncio.Event(), asyncio.Event()
        order = []

        async def slow(client: Client, action: str, body: dict[str, Any], wait: float = 0.0) -> dict[str, Any]:
            if action == "ChangeMessageVisibilityBatch":
                seconds = body["Entries"][0]["VisibilityTimeout"]
                if seconds == 2:
                    keeping.set()
                    await go.wait()
                order.append(seconds)
            return await real(client, action, body, wait)

        async with sqs(port, name, visibility_timeout=2) as (driver, host):
            await driver.push([job("1")])
            (found,) = await host.wait(1)
            monkeypatch.setattr(Client, "call", slow)
            await keeping.wait()
            releasing = asyncio.create_task(driver.release(found))
            await asyncio.wait([releasing], timeout=0.3)
            go.set()
            await releasing
            (found,) = await host.wait(1)
            assert order == [2, 0]
            await driver.ack(found)

    scene()


def test_retained_jobs_stay_in_the_queue(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        keys = {"retain_failed_jobs": True, "error_visibility_timeout": 1}
        async with sqs(port, name, **keys) as (driver, host):
            assert driver.dead_letters
            await driver.push([job("1")])
            (found,) = await host.wait(1)
            await driver.nack(found)
            (found,) = await host.wait(1)
            assert found.earlier == 1
        async with sqs(port, name, retain_failed_jobs=True, visibility_timeout=1) as (driver, host):
            for _ in range(2):
                (found,) = await host.wait(1)
                await driver.nack(found)
            (found,) = await host.wait(1)
            await driver.ack(found)

    scene()
    assert Foreign(port, name).counts() == (0, 0, 0)


def test_a_requeued_job_is_a_new_message(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name) as (driver, host):
            await driver.push([job("1", headers={"a": ["1"], "b": ["1"]})])
            (found,) = await host.wait(1)
            await driver.requeue(found, {"a": ["2", "3"]}, 0)
            (found,) = await host.wait(1)
            own = {name: values for name, values in found.job.headers.items() if name not in SYSTEM}
            assert (found.job.id, found.earlier, own) == ("1", 0, {"a": ["2", "3"], "b": ["1"]})
            await driver.requeue(found, {}, 5)

    scene()
    assert Foreign(port, name).counts() == (0, 1, 0)


def test_a_requeue_with_a_longer_delay_than_sqs_has(port: int, name: str) -> None:
    """After the 900 seconds of the service, the message is hidden for the rest."""

    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name) as (driver, host):
            await driver.push([job("1")])
            (found,) = await host.wait(1)
            await driver.requeue(found, {}, 4000)
            assert Foreign(port, name).counts() == (0, 1, 0)
            # The same message, as it is when the service's delay is over.
            attributes = {"rr_id": text("2"), "rr_job": text("J"), "rr_delay": text("901")}
            Foreign(port, name).send("x", attributes)
            await until_counts(port, name, (0, 1, 1))
            assert host.arrived == []

    scene()


def test_jobs_that_are_taken_and_given_back(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name, consume=False) as (driver, host):
            await driver.push([job(str(number)) for number in range(25)])
            for _ in range(2):
                taken = await driver.take(100)
                assert len({found.job.id for found in taken}) == 25
                await _all(driver.release(found) for found in taken)
            assert len(await driver.take(2)) == 2
            await driver.consume()
            assert [found.earlier for found in await host.wait(23)] == [0] * 23
            stat = await driver.stat()
            assert (stat.queue, stat.active, stat.reserved) == (Foreign(port, name).url, 0, 25)

    scene()
    assert Foreign(port, name).counts() == (25, 0, 0)  # the stop has given them back


async def _all(works: Any) -> None:
    await asyncio.gather(*works)


def test_a_cancelled_pipeline_gives_back_what_still_arrives(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name, wait_time_seconds=2) as (driver, host):
            await asyncio.sleep(0.3)
            await driver.cancel()
            await driver.push([job("1")])
            await until_counts(port, name, (1, 0, 0))
            assert host.arrived == []
            await driver.consume()
            (found,) = await host.wait(1)
            assert found.earlier == 0

    scene()


# -- FIFO queues


def test_a_fifo_queue(port: int, name: str) -> None:
    name += ".fifo"

    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name, message_group_id="g") as (driver, host):
            await driver.push([job(str(number)) for number in range(25)])
            await driver.push([job("3")])  # the queue has seen this id
            seen: list[str] = []
            while len(seen) < 25:
                for found in await host.wait(1):
                    assert found.order_key == "g"
                    seen.append(found.job.id)
                    await driver.ack(found)
            assert seen == [str(number) for number in range(25)]
            await driver.push([job("100")])
            (found,) = await host.wait(1)
            await driver.requeue(found, {"h": ["x"]}, 0)  # the same id: RoadRunner's copy is dropped, and lost
            (found,) = await host.wait(1)
            assert (found.job.id, found.job.headers["h"]) == ("100", ["x"])
            await driver.redeliver(found, 0)
            (found,) = await host.wait(1)
            assert found.earlier == 1
            await driver.ack(found)
            retried = Job(id="100", name="J", payload=b"x", pipeline="p", headers=found.job.headers)
            await driver.push([retried])  # as `rr jobs retry` does it
            (found,) = await host.wait(1)
            await driver.ack(found)

    scene()
    assert Foreign(port, name).counts() == (0, 0, 0)


def test_a_fifo_queue_needs_a_group_for_pushes(port: int, name: str) -> None:
    name += ".fifo"
    group = {"MessageGroupId": "theirs", "MessageDeduplicationId": "d"}
    Foreign(port, name).send("x", {}, **group)

    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name) as (driver, host):
            with pytest.raises(PushRefused, match="message_group_id"):
                await driver.push([job("1")])
            (found,) = await host.wait(1)
            await driver.requeue(found, {}, 0)  # keeps its group
            (found,) = await host.wait(1)
            assert found.order_key == "theirs"
            await driver.ack(found)

    scene()


# -- the queue and the service


def test_a_queue_is_created_with_attributes_and_tags(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        keys = {"attributes": {"delayseconds": 7, "visibilitytimeout": "33", "nonsense": 1}, "tags": {"team": "a"}}
        async with sqs(port, name, consume=False, **keys):
            pass
        async with sqs(port, name, consume=False, attributes={"delayseconds": 9}):  # others: it stays as it is
            pass

    scene()
    client = Foreign(port, "any").client
    url = client.get_queue_url(QueueName=name)["QueueUrl"]
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (found["DelaySeconds"], found["VisibilityTimeout"]) == ("7", "33")
    assert client.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "a"}


def test_a_queue_that_must_exist(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        with pytest.raises(BrokerError, match="does not exist"):
            async with sqs(port, name, skip_queue_declaration=True):
                pass
        Foreign(port, name)
        async with sqs(port, name, skip_queue_declaration=True) as (driver, _):
            await driver.push([job("1")])

    scene()


def test_a_deleted_queue_is_created_again(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name) as (driver, host):
            foreign = Foreign(port, name)
            foreign.client.delete_queue(QueueUrl=foreign.url)
            assert "does not exist" in await host.wait_lost()
            await driver.disconnect()
            await driver.connect()
            await driver.consume()
            await driver.push([job("1")])
            await host.wait(1)

    scene()


def test_a_service_that_can_not_be_reached(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        with pytest.raises(BrokerError, match="Cannot connect"):
            async with sqs(free_port(), name):
                pass
        with TcpProxy(port) as proxy:
            async with sqs(proxy.port, name, visibility_timeout=2) as (driver, host):
                await driver.push([job("1")])
                (found,) = await host.wait(1)
                proxy.cut(refuse=True)
                await host.wait_lost()
                with pytest.raises(BrokerError):
                    await driver.push([job("2")])
                await driver.disconnect()
                proxy.accept()
                await driver.connect()
                await driver.consume()
                await asyncio.sleep(2.5)
                assert host.arrived == []  # held again
                await driver.ack(found)

    scene()
    assert Foreign(port, name).counts() == (0, 0, 0)


def test_a_message_that_could_not_be_given_back_is_not_held(port: int, name: str) -> None:
    """Otherwise it would be hidden on and on, and no server would ever get it."""

    @on_the_loop
    async def scene() -> None:
        with TcpProxy(port) as proxy:
            async with sqs(proxy.port, name, consume=False, visibility_timeout=2) as (driver, host):
                await driver.push([job("1"), job("2")])
                released, kept = await driver.take(2)
                proxy.cut(refuse=True)
                with pytest.raises(BrokerError):
                    await driver.release(released)
                await driver.disconnect()
                proxy.accept()
                await driver.connect()
                await driver.consume()
                (found,) = await host.wait(1)
                assert found.job.id == released.job.id
                await driver.ack(found)
                await driver.ack(kept)

    scene()


def test_without_credentials(port: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in [key for key in os.environ if key.startswith("AWS_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")

    @on_the_loop
    async def scene(faulty: SqsSection, text: str) -> None:
        driver = SqsDriver(OpenHost(), SqsConfig(queue=name), faulty)
        with pytest.raises(BrokerRefused, match=text):
            await driver.connect()
        await driver.disconnect()

    scene(section(port, key="", secret=""), "no credentials")
    scene(section(port, region="", endpoint=""), "no region")


def test_aws_own_variables(port: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{port}")

    @on_the_loop
    async def scene() -> None:
        driver = SqsDriver(OpenHost(), SqsConfig(queue=name), SqsSection())
        await driver.connect()
        await driver.push([job("1")])
        await driver.disconnect()

    scene()


def test_many_acknowledgements_at_once(port: int, name: str) -> None:
    """They go together: one call for each job would be ten times as many."""

    @on_the_loop
    async def scene() -> None:
        async with sqs(port, name) as (driver, host):
            await driver.push([job(str(number)) for number in range(100)])
            found: Sequence[Delivery] = await host.wait(100)
            await _all(driver.ack(one) for one in found)

    scene()
    assert Foreign(port, name).counts() == (0, 0, 0)
