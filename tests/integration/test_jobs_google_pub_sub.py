"""The driver ``google_pub_sub`` on Google's fake: what is on the wire, what a foreign client sees and sends, faults."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, Job, PushRefused
from pyroadrunner.plugins.jobs.drivers.google_pub_sub.config import PubSubConfig, PubSubSection
from pyroadrunner.plugins.jobs.drivers.google_pub_sub.driver import PubSubDriver
from pyroadrunner.proto.pubsub.v1 import pubsub_pb2 as pb
from pyroadrunner.sdk.jobs import Jobs
from pyroadrunner.sdk.rpc import RpcClient
from support.brokers import Brokers
from support.job_drivers import OpenHost, job, on_the_loop
from support.ports import free_port
from support.pubsub import Foreign, shared_pubsub
from support.server import Server
from support.tcp_proxy import TcpProxy
from support.tls import Authority

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def port(brokers: Brokers) -> int:
    return int(brokers.use("pubsub", shared_pubsub)["port"])


@pytest.fixture
def name() -> str:
    """A name for a topic and its subscription that no other test uses."""
    return f"t-{os.getpid()}-{next(_NUMBERS)}"


@pytest.fixture
def foreign(port: int) -> Iterator[Foreign]:
    with Foreign(port) as found:
        yield found


def made(port: int, name: str, host: OpenHost | None = None, **keys: Any) -> PubSubDriver:
    """A driver with a topic and a subscription of its own."""
    host = host or OpenHost()
    host.name = name
    config = PubSubConfig(**{"project_id": Foreign.project, "topic": name, "ack_deadline": 10, **keys})
    return PubSubDriver(host, config, PubSubSection(endpoint=f"127.0.0.1:{port}", insecure=True))


@asynccontextmanager
async def pubsub(
    port: int, name: str, *, consume: bool = True, **keys: Any
) -> AsyncIterator[tuple[PubSubDriver, OpenHost]]:
    """A connected driver."""
    host = OpenHost()
    driver = made(port, name, host, **keys)
    try:
        await driver.connect()
        if consume:
            await driver.consume()
        yield driver, host
    finally:
        await driver.disconnect()


async def _all(works: Iterable[Coroutine[Any, Any, object]]) -> None:
    await asyncio.gather(*works)


# -- the wire


def test_a_pushed_message_is_what_roadrunner_writes(port: int, name: str, foreign: Foreign) -> None:
    headers = {"Trace": ["1", "é"], "a": ["<b>"]}
    pushed = Job(
        id="i", name="App\\Job", payload=b"\x00\xff", headers=headers, pipeline=name, priority=7, delay=3, auto_ack=True
    )

    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name, consume=False) as (driver, _):
            await driver.push([pushed])

    scene()
    (found,) = foreign.receive(name)
    assert found.data == b"\x00\xff"
    assert dict(found.attributes) == {
        "rr_id": "i",
        "rr_job": "App\\Job",
        "rr_delay": "3",
        "rr_headers": '{"Trace":["1","é"],"a":["<b>"]}',
        "rr_priority": "7",
        "rr_auto_ack": "true",
    }
    assert found.ordering_key == ""


def test_a_message_of_roadrunner(port: int, name: str, foreign: Foreign) -> None:
    attributes = {
        "rr_id": "from-rr",
        "rr_job": "App\\Job",
        "rr_delay": "0",
        "rr_headers": '{"Uber-Trace-Id":["1:2"],"k":["v","w"],"n":null}',
        "rr_priority": "5",
        "rr_auto_ack": "false",
    }

    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name) as (driver, host):
            foreign.publish(name, b"body", attributes)
            (found,) = await host.wait(1)
            await driver.ack(found)
        received = found.job
        assert (received.id, received.name, received.payload, received.priority) == ("from-rr", "App\\Job", b"body", 5)
        assert (found.queue, found.order_key, received.pipeline, received.auto_ack) == ("", None, name, False)
        assert received.headers == {"Uber-Trace-Id": ["1:2"], "k": ["v", "w"], "n": []}

    scene()
    assert foreign.receive(name) == []


def test_a_message_of_another_program(port: int, name: str, foreign: Foreign) -> None:
    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name, priority=3) as (driver, host):
            foreign.publish(name, b"plain", {"text": "ü"})
            (found,) = await host.wait(1)
            await driver.ack(found)
        assert (found.job.name, found.job.payload, found.job.priority) == ("deduced_by_rr", b"plain", 3)
        assert (len(found.job.id), found.job.headers) == (36, {"text": ["ü"]})

    scene()


def test_large_batches_are_several_calls(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name, consume=False) as (driver, host):
            await driver.push([job(str(number), b"x" * 300_000) for number in range(20)])
            await driver.push([job(str(number)) for number in range(20, 2500)])
            with pytest.raises(PushRefused, match="no message of more than 10000000 bytes"):
                await driver.push([job("2500"), job("2501", b"x" * 10_000_000), job("2502")])
            taken = await driver.take(5000)
            assert {one.job.id for one in taken} == {str(number) for number in range(2501)}
            assert host.lost_why == []

    scene()


# -- deliveries


def test_a_held_job_is_not_delivered_again(port: int, name: str, foreign: Foreign) -> None:
    """Longer than its deadline."""

    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name, ack_deadline=2) as (driver, host):
            await driver.push([job("1")])
            (found,) = await host.wait(1)
            await asyncio.sleep(3.5)
            assert host.arrived == []
            await driver.ack(found)

    scene()
    assert foreign.receive(name) == []


def test_a_failed_job_is_copied_with_its_attempts(port: int, name: str, foreign: Foreign) -> None:
    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name) as (driver, host):
            await driver.push([job("1", headers={"a": ["1"]})])
            (found,) = await host.wait(1)
            found.failed_at = "then"
            began = time.time()
            await driver.redeliver(found, 1)
            (found,) = await host.wait(1)
            assert time.time() - began > 0.9
            assert (found.job.id, found.job.attempts(), found.earlier) == ("1", 1, 0)
            assert found.job.headers == {"a": ["1"], "rr_attempts": ["1"], "rr_first_failed": ["then"]}
            await driver.release(found)  # no attempt
            (found,) = await host.wait(1)
            assert found.job.attempts() == 1
            await driver.requeue(found, {"a": ["2", "3"]}, 0)
            (found,) = await host.wait(1)
            assert (found.job.id, found.job.headers["a"]) == ("1", ["2", "3"])
            await driver.nack(found)

    scene()
    assert foreign.receive(name) == []


def test_delays_longer_than_the_longest_deadline(port: int, name: str, foreign: Foreign) -> None:
    """The message is hidden again and again."""

    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name) as (driver, host):
            await driver.push([job("1", delay=100_000), job("2")])
            (found,) = await host.wait(1)
            assert found.job.id == "2"
            await driver.ack(found)
            while (await driver.stat()).reserved:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert await driver.take(10) == []
            assert host.arrived == []

    scene()


def test_the_services_own_dead_letters(port: int, name: str, foreign: Foreign) -> None:
    """With a topic for them, the service counts the deliveries, and moves a message after the last one."""
    keys = {"dead_letter_topic": f"{name}-dead", "max_delivery_attempts": 5}

    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name, **keys) as (driver, host):
            assert driver.dead_letters
            await driver.push([job("1", headers={"a": ["1"]})])
            seen = []
            (found,) = await host.wait(1)
            seen.append((found.earlier, found.job.attempts()))
            await driver.release(found)  # no attempt for us
            for delay in (0, 1):
                (found,) = await host.wait(1)
                seen.append((found.earlier, found.job.attempts()))
                began = time.monotonic()
                await driver.redeliver(found, delay)
            (found,) = await host.wait(1)
            assert time.monotonic() - began > 0.9
            assert [*seen, (found.earlier, found.job.attempts())] == [(0, 0), (0, 0), (1, 1), (2, 2)]
            await driver.nack(found)
            (found,) = await host.wait(1)
            await driver.nack(found)
        async with pubsub(port, f"{name}-dead") as (driver, host):
            (found,) = await host.wait(1)  # kept though nothing has read the topic until now
            assert (found.job.id, found.job.headers["a"]) == ("1", ["1"])  # Google's service adds some
            await driver.ack(found)

    scene()
    assert foreign.receive(name) == []


def test_jobs_that_are_taken_and_given_back(port: int, name: str, foreign: Foreign) -> None:
    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name, consume=False) as (driver, host):
            await driver.push([job(str(number)) for number in range(25)])
            for _ in range(2):
                taken = await driver.take(100)
                assert len({found.job.id for found in taken}) == 25
                await _all(driver.release(found) for found in taken)
            assert len(await driver.take(2)) == 2
            await driver.consume()
            await host.wait(23)
            stat = await driver.stat()
            assert (stat.queue, stat.active, stat.reserved) == (foreign.subscription(name), 0, 25)

    scene()
    assert len(foreign.receive(name)) == 25  # the stop has given them back


def test_a_cancelled_pipeline_gives_back_what_still_arrives(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name) as (driver, host):
            await asyncio.sleep(0.1)  # a call waits for messages
            await driver.cancel()
            await driver.push([job("1")])
            await asyncio.sleep(1)
            assert host.arrived == []
            await driver.consume()
            await host.wait(1)

    scene()


# -- topics, subscriptions, and the service


def test_what_does_not_exist_is_created(port: int, name: str, foreign: Foreign) -> None:
    keys = {"dead_letter_topic": f"{name}-dead", "max_delivery_attempts": 7, "ack_deadline": 30}

    @on_the_loop
    async def scene() -> None:
        for _ in range(2):  # RoadRunner fails when the topic exists
            async with pubsub(port, name, consume=False, **keys):
                pass

    scene()
    found = foreign.subscriber.get_subscription(subscription=foreign.subscription(name))
    assert (found.topic, found.ack_deadline_seconds) == (foreign.topic(name), 30)
    policy = found.dead_letter_policy
    assert (policy.dead_letter_topic, policy.max_delivery_attempts) == (foreign.topic(f"{name}-dead"), 7)
    dead = foreign.publisher.list_topic_subscriptions(topic=foreign.topic(f"{name}-dead"))
    assert list(dead) == [foreign.subscription(f"{name}-dead")]


def test_an_existing_subscription_gets_the_dead_letter_topic(port: int, name: str, foreign: Foreign) -> None:
    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name, consume=False):
            pass
        async with pubsub(port, name, consume=False, dead_letter_topic=f"{name}-dead", max_delivery_attempts=5):
            pass
        async with pubsub(port, name, consume=False):  # without one: it stays as it is
            pass

    scene()
    found = foreign.subscriber.get_subscription(subscription=foreign.subscription(name))
    assert found.dead_letter_policy.dead_letter_topic == foreign.topic(f"{name}-dead")


def test_a_subscription_of_another_topic_is_refused(port: int, name: str, foreign: Foreign) -> None:
    """What is published to the configured topic would never arrive."""

    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name, consume=False):
            pass
        with pytest.raises(BrokerRefused, match=f"belongs to the topic .*{name}, not to .*{name}-other"):
            async with pubsub(port, name, topic=f"{name}-other"):
                pass
        foreign.publisher.delete_topic(topic=foreign.topic(name))
        with pytest.raises(BrokerRefused, match="belongs to the topic _deleted-topic_"):
            async with pubsub(port, name):
                pass

    scene()


def test_a_deleted_subscription_is_created_again(port: int, name: str, foreign: Foreign) -> None:
    @on_the_loop
    async def scene() -> None:
        async with pubsub(port, name) as (driver, host):
            foreign.subscriber.delete_subscription(subscription=foreign.subscription(name))
            assert "NOT_FOUND" in await host.wait_lost()
            await driver.disconnect()
            await driver.connect()
            await driver.consume()
            await driver.push([job("1")])
            await host.wait(1)

    scene()


def test_a_service_that_can_not_be_reached(port: int, name: str, foreign: Foreign) -> None:
    @on_the_loop
    async def scene() -> None:
        with pytest.raises(BrokerError, match="onnection refused"):
            async with pubsub(free_port(), name):
                pass
        with TcpProxy(port) as proxy:
            async with pubsub(proxy.port, name) as (driver, host):
                await driver.push([job("1")])
                (found,) = await host.wait(1)
                proxy.cut()  # the service closes connections from time to time
                await driver.push([job("2")])
                assert [one.job.id for one in await host.wait(1)] == ["2"]
                assert host.lost_why == []
                proxy.cut(refuse=True)
                await host.wait_lost()
                with pytest.raises(BrokerError):
                    await driver.push([job("3")])
                await driver.disconnect()
                proxy.accept()
                await driver.connect()
                await driver.consume()
                await driver.ack(found)

    scene()
    assert [one.attributes["rr_id"] for one in foreign.receive(name)] == ["2"]  # held, and given back


def test_calls_under_way_end_with_the_connection(port: int, name: str) -> None:
    @on_the_loop
    async def scene() -> None:
        with TcpProxy(port) as proxy:
            async with pubsub(proxy.port, name, consume=False) as (driver, _):
                await driver.push([job("1")])
                (found,) = await driver.take(1)
                proxy.hold()
                acknowledging = asyncio.create_task(driver.ack(found))
                pushing = asyncio.create_task(driver.push([job("2")]))
                await asyncio.sleep(0.1)
                driver._lost("a test")
                await driver.disconnect()
                for task in (acknowledging, pushing):
                    with pytest.raises(BrokerError, match="not connected"):
                        await task

    scene()


def test_the_emulators_variable(port: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{port}")

    @on_the_loop
    async def scene() -> None:
        host = OpenHost()
        host.name = name
        driver = PubSubDriver(host, PubSubConfig(project_id="project", topic=name), None)
        await driver.connect()
        await driver.push([job("1")])
        await driver.disconnect()

    scene()


def test_a_message_that_could_not_be_given_back_is_not_held(port: int, name: str) -> None:
    """Otherwise its deadline would be extended, and no server would ever get it."""

    @on_the_loop
    async def scene() -> None:
        with TcpProxy(port) as proxy:
            async with pubsub(proxy.port, name, consume=False, ack_deadline=2) as (driver, host):
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
                await driver.release(released)  # tried again: the new delivery stays held
                assert (await driver.stat()).reserved == 2
                await driver.ack(found)
                await driver.ack(kept)

    scene()


def test_messages_that_were_not_taken_are_not_held(name: str) -> None:
    service = Service()
    message = pb.Message(message_id="m", attributes={"rr_id": "1"})
    answer = pb.PullResponse(received_messages=[pb.ReceivedMessage(ack_id="a", message=message)])
    service.answers["Pull"] = answer.SerializeToString()
    with service.running() as port:

        @on_the_loop
        async def scene() -> None:
            async with pubsub(port, name, consume=False) as (driver, _):
                service.errors["Pull"] = [None, grpc.StatusCode.INTERNAL]
                with pytest.raises(BrokerError, match="INTERNAL"):
                    await driver.take(10)
                assert (await driver.stat()).reserved == 0

        scene()


def test_a_busy_service_is_asked_again(name: str) -> None:
    service = Service()
    codes = grpc.StatusCode
    with service.running() as port:

        @on_the_loop
        async def scene() -> None:
            async with pubsub(port, name, consume=False) as (driver, host):
                service.errors["Publish"] = [codes.INTERNAL, codes.RESOURCE_EXHAUSTED]
                await driver.push([job("1")])
                service.errors["Publish"] = [codes.ABORTED] * 4
                with pytest.raises(BrokerError, match="ABORTED"):
                    await driver.push([job("1")])
                assert host.lost_why == []

        scene()
    assert [method for method, _, _ in service.calls].count("Publish") == 7


def test_a_refused_job_does_not_refuse_those_before_it(name: str) -> None:
    """A call stores all of its messages or none."""
    service = Service()
    with service.running() as port:

        @on_the_loop
        async def scene() -> None:
            async with pubsub(port, name, consume=False) as (driver, _):
                invalid = grpc.StatusCode.INVALID_ARGUMENT
                service.errors["Publish"] = [invalid]
                await driver.push([job("1"), job("2")])  # one by one
                service.errors["Publish"] = [invalid, invalid]
                with pytest.raises(PushRefused, match="INVALID_ARGUMENT"):
                    await driver.push([job("1"), job("2")])

        scene()
    assert [method for method, _, _ in service.calls].count("Publish") == 5


def test_without_the_right_to_create_what_exists_is_used(name: str) -> None:
    service = Service()
    denied = grpc.StatusCode.PERMISSION_DENIED
    everything = ("CreateTopic", "CreateSubscription", "GetSubscription", "ListTopicSubscriptions")
    with service.running() as port:

        @on_the_loop
        async def scene() -> None:
            service.errors = {method: [denied, denied] for method in everything}
            async with pubsub(port, name, dead_letter_topic="dead") as (driver, host):
                await driver.push([job("1")])
                assert host.lost_why == []

        scene()


def test_without_the_right_to_receive(name: str) -> None:
    service = Service()
    denied = grpc.StatusCode.PERMISSION_DENIED
    with service.running() as port:

        @on_the_loop
        async def scene() -> None:
            async with pubsub(port, name, consume=False) as (driver, host):
                service.errors["Pull"] = [denied]
                with pytest.raises(BrokerRefused, match="PERMISSION_DENIED"):
                    await driver.consume()
                await driver.consume()
                service.errors["Pull"] = [denied]  # taken away later
                assert "PERMISSION_DENIED" in await host.wait_lost()

        scene()


# -- credentials


def test_google_wants_tls_and_a_token(tmp_path: Path) -> None:
    """With a service account, a file that names the server of its tokens."""
    authority, service = Authority(tmp_path), Service()
    identity = authority.server()
    credentials = grpc.ssl_server_credentials([(identity.key.read_bytes(), identity.cert.read_bytes())])
    with token_server() as tokens, service.running(credentials) as port:
        key = tmp_path / "key.json"
        key.write_text(json.dumps(service_account(tokens)), encoding="utf-8")
        config = {
            "google_pub_sub": {"endpoint": f"127.0.0.1:{port}"},
            "server": {"command": "php worker.php"},
            "jobs": {"pipelines": {"p": {"driver": "google_pub_sub", "config": {"project_id": "p", "topic": "t"}}}},
        }
        env = {"GOOGLE_APPLICATION_CREDENTIALS": str(key), "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(authority.root)}
        with Server(tmp_path, config, env=env) as server, RpcClient(server.rpc) as rpc:
            Jobs(rpc).push("p", "Job", "x")
            (stat,) = Jobs(rpc).stats()
            assert (stat.state, stat.error_message) == ("paused", "")
    assert [(method, about) for method, about, _ in service.calls] == [
        ("CreateTopic", "name=projects%2Fp%2Ftopics%2Ft"),
        ("CreateSubscription", "name=projects%2Fp%2Fsubscriptions%2Fp"),
        ("Publish", "topic=projects%2Fp%2Ftopics%2Ft"),
    ]
    assert {token for _, _, token in service.calls} == {"Bearer the-token"}


def test_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))

    @on_the_loop
    async def scene() -> None:
        section = PubSubSection(endpoint="127.0.0.1:1")
        driver = PubSubDriver(OpenHost(), PubSubConfig(project_id="p", topic="t"), section)
        with pytest.raises(BrokerRefused, match=r"absent\.json was not found"):
            await driver.connect()
        await driver.disconnect()

    scene()


def service_account(tokens: str) -> dict[str, str]:
    """A key file as the console of Google writes it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "rr@p.iam.gserviceaccount.com",
        "token_uri": tokens,
    }


@contextmanager
def token_server() -> Iterator[str]:
    """Gives everyone the same token."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps({"access_token": "the-token", "expires_in": 3600, "token_type": "Bearer"}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token"
    server.shutdown()
    thread.join()
    server.server_close()


class Service(grpc.GenericRpcHandler):
    """Answers each call with an empty message, or with an error that a test has prepared.

    Attributes:
        calls: method, subject and token of each one.
        errors: by method, for its next calls; ``None`` = no error.
        answers: by method, instead of an empty message.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.errors: dict[str, list[grpc.StatusCode | None]] = {}
        self.answers: dict[str, bytes] = {}

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        metadata = dict(call.invocation_metadata)
        method = call.method.rpartition("/")[2]
        self.calls.append((method, str(metadata.get("x-goog-request-params")), str(metadata.get("authorization"))))
        errors = self.errors.get(method)

        def answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
            if errors and (error := errors.pop(0)) is not None:
                context.abort(error, "a test")
            return self.answers.get(method, b"")

        return grpc.unary_unary_rpc_method_handler(answer)

    @contextmanager
    def running(self, credentials: grpc.ServerCredentials | None = None) -> Iterator[int]:
        """Its port."""
        server = grpc.server(ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers([self])
        address = "127.0.0.1:0"
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        server.start()
        yield port
        server.stop(None).wait()
