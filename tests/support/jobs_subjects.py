"""The drivers of ``jobs`` as subjects of one suite: how to run each, and where they may differ.

For a new driver, add a :class:`Subject` and its broker to :func:`running`, then run

    pytest tests/conformance/jobs -k NAME
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from support.beanstalk import beanstalkd
from support.brokers import Brokers
from support.kafka import options_of, proxied
from support.nats import nats_server
from support.packages import EXAMPLES, installed
from support.postgres import postgres_server
from support.pubsub import shared_pubsub
from support.rabbitmq import shared_rabbitmq
from support.redis import redis_server
from support.sqs import shared_sqs
from support.tcp_proxy import TcpProxy


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One driver with one kind of broker behind it.

    Attributes:
        name: of the subject; the driver's unless several subjects have one driver.
        driver: name of the driver.
        options: makes the settings of a pipeline, as for ``jobs.Declare``, from a name that no other test uses.
        prefetch: the key that bounds unsettled jobs; empty = none.
        queue: whether the worker gets the broker's name of the queue.
        delays: whether a delayed push runs later; ``retry_delays``: also a job that comes back.
        refuses_delays: whether a delayed push is an error.
        ordered: whether jobs of equal priority run in the order of the push.
        headers: whether headers survive; ``values``: also several of one name.
        persistent: whether jobs survive a destroyed pipeline and a killed server.
        largest: bytes of the largest payload of the suite.
        empty: whether a payload may be empty; ``binary``: may be any bytes.
        burst: jobs that the broker takes quickly enough in a test.
    """

    name: str
    driver: str
    options: Callable[[str], dict[str, Any]] = field(default=lambda _name: {})
    prefetch: str = "prefetch"
    queue: bool = False
    delays: bool = True
    retry_delays: bool = True
    refuses_delays: bool = False
    ordered: bool = True
    headers: bool = True
    values: bool = True
    persistent: bool = True
    largest: int = 5_000_000
    empty: bool = True
    binary: bool = True
    burst: int = 10_000


@dataclass(frozen=True, kw_only=True)
class Broker:
    """A running broker.

    Attributes:
        sections: global sections of the config, such as ``amqp``.
        env: environment of the server.
        options: settings of every pipeline, which depend on the running broker.
        stop, start: interrupt and continue it, keeping its data; ``None`` = there is no broker.
        proxies: those that the settings name already, by their ports.
        number: for names that no other user of a shared broker has.
    """

    sections: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    stop: Callable[[], object] | None = None
    start: Callable[[], object] | None = None
    proxies: dict[int, TcpProxy] = field(default_factory=dict)
    number: int = field(default_factory=count(1).__next__)


def _amqp(name: str) -> dict[str, Any]:
    durable = {"durable": True, "exchange_durable": True, "exchange": "durable"}
    return {"queue": name, "routing_key": name, "prefetch": 20, **durable}


SUBJECTS = [
    Subject(name="memory", driver="memory", persistent=False),
    Subject(name="boltdb", driver="boltdb", queue=True),
    Subject(name="sql", driver="sql", queue=True),
    Subject(name="folder", driver="folder", options=lambda name: {"queue": name}, queue=True),
    Subject(name="amqp", driver="amqp", options=_amqp, queue=True),
    Subject(
        name="beanstalk",
        driver="beanstalk",
        options=lambda name: {"tube": name},
        queue=True,
        largest=60_000,
    ),
    Subject(
        name="kafka",
        driver="kafka",
        options=options_of,
        queue=True,
        ordered=False,  # in each of the four partitions, not between them
        largest=900_000,
    ),
    Subject(
        name="redis",
        driver="redis",
        options=lambda name: {"queue": name, "visibility_timeout": "4s"},
        queue=True,
    ),
    Subject(
        name="nats",
        driver="nats",
        options=lambda name: {"subject": f"jobs.{name}", "stream": name, "prefetch": 20, "ack_wait": 5},
        queue=True,
        largest=700_000,
    ),
    Subject(
        name="sqs",
        driver="sqs",
        options=lambda name: {
            "queue": name,
            "prefetch": 10,
            "max_messages_in_flight": 20,
            "visibility_timeout": 10,
        },
        prefetch="max_messages_in_flight",
        queue=True,
        ordered=False,
        largest=200_000,
        empty=False,
        binary=False,
        burst=100,  # moto is slow
    ),
    Subject(
        name="pubsub",  # names on the service must not begin with "goog"
        driver="google_pub_sub",
        options=lambda name: {"project_id": "project", "topic": name, "prefetch": 20, "ack_deadline": 10},
        ordered=False,
        largest=3_500_000,
        burst=2000,
    ),
]


@contextmanager
def running(subject: Subject, folder: Path, brokers: Brokers) -> Iterator[Broker]:
    """The broker of a subject. Shared ones are reached through a proxy, so that a test can take away its own."""
    if subject.driver == "memory":
        yield Broker()
        return
    if subject.driver == "boltdb":
        files, away = folder / "files", folder / "away"
        files.mkdir()
        yield Broker(
            options={"file": str(files / "jobs.db")},
            stop=partial(files.rename, away),
            start=partial(away.rename, files),
        )
        return
    if subject.driver == "sql":
        with postgres_server(folder) as server:
            yield Broker(
                sections={"sql": {"dsn": server.dsn, "lease": "4s"}},
                stop=server.stop,
                start=server.start,
            )
        return
    if subject.driver == "folder":
        jobs, away = folder / "jobs", folder / "away"
        jobs.mkdir()
        env = {"PYTHONPATH": str(installed(EXAMPLES / "jobs-driver-folder"))}
        yield Broker(
            env=env,
            options={"path": str(jobs)},
            stop=partial(jobs.rename, away),
            start=partial(away.rename, jobs),
        )
        return
    if subject.driver == "amqp":
        with TcpProxy(brokers.use("rabbitmq", shared_rabbitmq)["port"]) as proxy:
            section = {"addr": f"amqp://guest:guest@127.0.0.1:{proxy.port}/"}
            yield Broker(sections={"amqp": section}, stop=partial(proxy.cut, refuse=True), start=proxy.accept)
        return
    if subject.driver == "beanstalk":
        with beanstalkd(folder) as server:
            yield Broker(sections={"beanstalk": {"addr": server.address}}, stop=server.stop, start=server.start)
        return
    if subject.driver == "kafka":
        with proxied(brokers) as proxy:
            yield Broker(
                sections={"kafka": {"brokers": [f"127.0.0.1:{proxy.port}"]}},
                stop=partial(proxy.cut, refuse=True),
                start=proxy.accept,
                proxies={proxy.port: proxy},
            )
        return
    if subject.driver == "redis":
        with redis_server(folder, "--appendonly", "yes", "--appendfsync", "everysec") as server:
            sections = {"redis": {"addrs": [server.address]}}
            yield Broker(sections=sections, stop=server.program.kill, start=server.program.start)
        return
    if subject.driver == "nats":
        with nats_server(folder) as nats:
            yield Broker(sections={"nats": {"addr": nats.url}}, stop=nats.stop, start=nats.start)
        return
    if subject.driver == "sqs":
        with TcpProxy(brokers.use("sqs", shared_sqs)["port"]) as proxy:
            section = {"key": "k", "secret": "s", "region": "us-east-1", "endpoint": f"http://127.0.0.1:{proxy.port}"}
            yield Broker(sections={"sqs": section}, stop=partial(proxy.cut, refuse=True), start=proxy.accept)
        return
    if subject.driver == "google_pub_sub":
        with TcpProxy(brokers.use("pubsub", shared_pubsub)["port"]) as proxy:
            service = {"endpoint": f"127.0.0.1:{proxy.port}", "insecure": True}
            yield Broker(sections={"google_pub_sub": service}, stop=partial(proxy.cut, refuse=True), start=proxy.accept)
        return
    raise ValueError(subject.driver)
