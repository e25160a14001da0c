"""The limit of a broker: its client in a loop of its own, one job at a time, without a server and without workers.

Each function pushes for so many seconds, then consumes what it has pushed, for as long at most. A push waits for the
broker's confirmation; a job is received and deleted.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

PAYLOAD = b"p" * 100
NAME = "loop"


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Rates per second.

    Attributes:
        pushes: one after another.
        jobs: received and deleted, one after another.
    """

    pushes: float
    jobs: float


def rate(step: Callable[[], bool], seconds: float) -> float:
    """Calls per second, until one returns false or the time is over."""
    count = 0
    begin = now = time.perf_counter()
    while now < begin + seconds and step():
        count += 1
        now = time.perf_counter()
    return count / (now - begin) if count else 0.0


async def async_rate(step: Callable[[], Awaitable[bool]], seconds: float) -> float:
    """The same for coroutines."""
    count = 0
    begin = now = time.perf_counter()
    while now < begin + seconds and await step():
        count += 1
        now = time.perf_counter()
    return count / (now - begin) if count else 0.0


def sqlite(file: str, seconds: float) -> Loop:
    """The module ``sqlite3``: a transaction for each push and each job."""
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, payload BLOB)")

    def push() -> bool:
        database.execute("INSERT INTO jobs (payload) VALUES (?)", (PAYLOAD,))
        return True

    def consume() -> bool:
        found = database.execute("SELECT id, payload FROM jobs ORDER BY id LIMIT 1").fetchone()
        if found is not None:
            database.execute("DELETE FROM jobs WHERE id = ?", found[:1])
        return found is not None

    try:
        return Loop(pushes=rate(push, seconds), jobs=rate(consume, seconds))
    finally:
        database.close()


def redis(port: int, seconds: float) -> Loop:
    """redis-py: a stream with a consumer group."""
    from redis import Redis

    with Redis(port=port) as client:
        client.xgroup_create(NAME, "group", "0", mkstream=True)

        def push() -> bool:
            client.xadd(NAME, {"payload": PAYLOAD})
            return True

        def consume() -> bool:
            found = client.xreadgroup("group", "consumer", {NAME: ">"}, 1)
            if found:
                entry = found[0][1][0][0]
                client.xack(NAME, "group", entry)
                client.xdel(NAME, entry)
            return bool(found)

        return Loop(pushes=rate(push, seconds), jobs=rate(consume, seconds))


def beanstalk(port: int, seconds: float) -> Loop:
    """A socket: the driver has no other client, either."""
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as replies:

        def ask(command: bytes) -> bytes:
            connection.sendall(command)
            return replies.readline()

        def push() -> bool:
            return ask(b"put 10 0 60 %d\r\n%s\r\n" % (len(PAYLOAD), PAYLOAD)).startswith(b"INSERTED")

        def consume() -> bool:
            line = ask(b"reserve-with-timeout 0\r\n")
            if not line.startswith(b"RESERVED"):
                return False
            _, number, size = line.split()
            replies.read(int(size) + 2)
            return ask(b"delete %s\r\n" % number) == b"DELETED\r\n"

        return Loop(pushes=rate(push, seconds), jobs=rate(consume, seconds))


def nats(port: int, seconds: float) -> Loop:
    """nats-py: a stream with a pull consumer."""
    return asyncio.run(_nats(port, seconds))


async def _nats(port: int, seconds: float) -> Loop:
    connection = await import_module("nats").connect(f"nats://127.0.0.1:{port}")
    streams = connection.jetstream()
    await streams.add_stream(name=NAME, subjects=[NAME])
    subscription = await streams.pull_subscribe(NAME, "consumer")
    fetched: list[Any] = []

    async def push() -> bool:
        await streams.publish(NAME, PAYLOAD)
        return True

    async def consume() -> bool:
        if not fetched:
            try:
                fetched.extend(await subscription.fetch(100, timeout=0.5))
            except TimeoutError:
                return False
        await fetched.pop().ack()
        return True

    try:
        return Loop(pushes=await async_rate(push, seconds), jobs=await async_rate(consume, seconds))
    finally:
        await connection.close()


def sqs(account: Mapping[str, str], seconds: float) -> Loop:
    """botocore: a call for each push, one for up to ten jobs, and one for each that is deleted."""
    session = import_module("botocore.session").Session()
    client = session.create_client(
        "sqs",
        endpoint_url=account["endpoint"],
        region_name=account["region"],
        aws_access_key_id=account["key"],
        aws_secret_access_key=account["secret"],
    )
    url = client.create_queue(QueueName=NAME)["QueueUrl"]
    received: list[Any] = []

    def push() -> bool:
        client.send_message(QueueUrl=url, MessageBody=PAYLOAD.decode())
        return True

    def consume() -> bool:
        if not received:
            received.extend(client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ()))
        if not received:
            return False
        client.delete_message(QueueUrl=url, ReceiptHandle=received.pop()["ReceiptHandle"])
        return True

    try:
        return Loop(pushes=rate(push, seconds), jobs=rate(consume, seconds))
    finally:
        client.close()


def kafka(address: str, seconds: float) -> Loop:
    """confluent-kafka: each pushed record is flushed, and each offset committed."""
    library = import_module("confluent_kafka")
    administration = import_module("confluent_kafka.admin")
    servers = {"bootstrap.servers": address}
    client = administration.AdminClient(servers)
    client.create_topics([administration.NewTopic(NAME, 4, 1)])[NAME].result(20)
    producer = library.Producer({**servers, "linger.ms": 0, "enable.idempotence": True})

    def push() -> bool:
        producer.produce(NAME, PAYLOAD)
        return bool(producer.flush(20) == 0)

    push()  # before the clock runs: it connects
    pushes = rate(push, seconds)
    consumer = library.Consumer(
        {**servers, "group.id": NAME, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.subscribe([NAME])
    first = [consumer.poll(20)]  # here it joins its group

    def consume() -> bool:
        message = first.pop() if first else consumer.poll(0.5)
        if message is not None:
            consumer.commit(message, asynchronous=False)
        return message is not None

    try:
        return Loop(pushes=pushes, jobs=rate(consume, seconds))
    finally:
        consumer.close()


def amqp(port: int, seconds: float) -> Loop:
    """pika: a durable queue, confirmed pushes of persistent messages."""
    pika = import_module("pika")
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(NAME, durable=True)
    persistent = pika.BasicProperties(delivery_mode=2)

    def push() -> bool:
        channel.basic_publish("", NAME, PAYLOAD, persistent, mandatory=True)
        return True

    pushes = rate(push, seconds)
    channel.basic_qos(prefetch_count=100)
    received = channel.consume(NAME, inactivity_timeout=0.5)

    def consume() -> bool:
        method, _, _ = next(received)
        if method is not None:
            channel.basic_ack(method.delivery_tag)
        return method is not None

    try:
        return Loop(pushes=pushes, jobs=rate(consume, seconds))
    finally:
        connection.close()
