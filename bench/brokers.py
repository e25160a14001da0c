"""The brokers behind the jobs that are measured, each started for its rows alone, and what ``rr`` has to know of them.

A driver without a broker here, or without its program, is named as not measured.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bench import client_loops
from bench.broker import Broker, NotMeasured, installed, listening
from bench.client import free_port
from bench.kafka import kafka

_RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the script that Debian's /usr/sbin/rabbitmq-server runs as a user


@contextlib.contextmanager
def memory(_folder: Path) -> Iterator[Broker]:
    yield Broker()


@contextlib.contextmanager
def boltdb(folder: Path) -> Iterator[Broker]:
    yield Broker(
        options=lambda name: {"file": str(folder / f"{name}.db")},
        loop=partial(client_loops.sqlite, str(folder / "loop.db")),
    )


@contextlib.contextmanager
def sql(folder: Path) -> Iterator[Broker]:
    yield Broker(
        sections={"sql": {"dsn": f"sqlite:///{folder / 'jobs.db'}"}},
        options=lambda name: {"queue": name},
        loop=partial(client_loops.sqlite, str(folder / "loop.db")),
    )


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[Broker]:
    port = free_port()
    command = [installed("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    with listening([*command, "--save", "", "--appendonly", "yes"], folder, port):
        yield Broker(
            sections={"redis": {"addrs": [f"127.0.0.1:{port}"]}},
            options=lambda name: {"queue": name},
            loop=partial(client_loops.redis, port),
        )


@contextlib.contextmanager
def beanstalk(folder: Path) -> Iterator[Broker]:
    port = free_port()
    with listening([installed("beanstalkd"), "-l", "127.0.0.1", "-p", str(port)], folder, port):
        yield Broker(
            sections={"beanstalk": {"addr": f"tcp://127.0.0.1:{port}"}},
            options=lambda name: {"tube": name},
            loop=partial(client_loops.beanstalk, port),
        )


@contextlib.contextmanager
def nats(folder: Path) -> Iterator[Broker]:
    port = free_port()
    command = [installed("nats-server"), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder / "streams")]
    with listening(command, folder, port):
        yield Broker(
            sections={"nats": {"addr": f"nats://127.0.0.1:{port}"}},
            options=lambda name: {"subject": f"jobs.{name}", "stream": name, "prefetch": 100},
            loop=partial(client_loops.nats, port),
        )


@contextlib.contextmanager
def amqp(folder: Path) -> Iterator[Broker]:
    port = free_port()
    (folder / "plugins").write_text("[].")
    (folder / "rabbitmq.conf").write_text("loopback_users = none\n")
    env = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(free_port()),
        "RABBITMQ_NODENAME": f"bench{port}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
    }
    with epmd(env), listening([installed(_RABBITMQ)], folder, port, env):
        yield Broker(
            sections={"amqp": {"addr": f"amqp://guest:guest@127.0.0.1:{port}/"}},
            options=lambda name: {
                "queue": name,
                "routing_key": name,
                "exchange": "bench",
                "durable": True,
                "exchange_durable": True,
                "prefetch": 100,
            },
            loop=partial(client_loops.amqp, port),
        )


@contextlib.contextmanager
def sqs(folder: Path) -> Iterator[Broker]:
    if find_spec("moto") is None:
        raise NotMeasured("moto, a server with the protocol of SQS, is not installed")
    port = free_port()
    with listening([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], folder, port):
        account = {"key": "k", "secret": "s", "region": "us-east-1", "endpoint": f"http://127.0.0.1:{port}"}
        yield Broker(
            sections={"sqs": account},
            options=lambda name: {"queue": name, "prefetch": 10, "max_messages_in_flight": 100},
            loop=partial(client_loops.sqs, account),
        )


# The driver google_pub_sub has no entry here and is not measured: its broker needs more than a program.
BROKERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Broker]]] = {
    "memory": memory,
    "boltdb": boltdb,
    "sql": sql,
    "redis": redis,
    "beanstalk": beanstalk,
    "nats": nats,
    "amqp": amqp,
    "sqs": sqs,
    "kafka": kafka,
}
DRIVERS = tuple(BROKERS)
ROADRUNNER_DRIVERS = frozenset(DRIVERS) - {"sql", "redis"}


@contextlib.contextmanager
def epmd(env: Mapping[str, str]) -> Iterator[None]:
    """Erlang's port mapper on a port of its own; a node would start one that stays behind."""
    program = shutil.which("epmd") or next(map(str, Path("/usr/lib/erlang").glob("erts-*/bin/epmd")), "")
    if not program:
        raise NotMeasured("epmd is not installed")
    with subprocess.Popen(
        [program, "-address", "127.0.0.1"], env={**os.environ, **env}, stdin=subprocess.DEVNULL
    ) as child:
        try:
            yield
        finally:
            child.terminate()
