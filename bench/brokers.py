"""The brokers behind the jobs that are measured, each started for its rows alone, and what ``rr`` has to know of them.

A driver without a broker here, or without its program, is named as not measured.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench import client_loops
from bench.client import NotUp, free_port
from bench.client_loops import Loop
from bench.subject import process

_RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the script that Debian's /usr/sbin/rabbitmq-server runs as a user
_PATIENCE = 90.0  # seconds; Erlang starts slowly on a busy machine


class NotMeasured(Exception):
    """Why a driver has no figures."""


@dataclass(frozen=True, kw_only=True)
class Broker:
    """A running broker.

    Attributes:
        sections: global sections of the config.
        options: ``config`` of a pipeline with this name.
        loop: measures the client of this broker alone; ``None`` = there is no client.
    """

    sections: Mapping[str, Any] = field(default_factory=dict)
    options: Callable[[str], dict[str, Any]] = field(default=lambda _name: {})
    loop: Callable[[float], Loop] | None = None


def installed(program: str) -> str:
    """The path of a program.

    Raises:
        NotMeasured: it is not installed.
    """
    if found := shutil.which(program):
        return found
    raise NotMeasured(f"{Path(program).name} is not installed")


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


# Drivers that have no entry here are not measured: their brokers need more than a program (google_pub_sub, kafka, sqs).
BROKERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Broker]]] = {
    "memory": memory,
    "boltdb": boltdb,
    "sql": sql,
    "redis": redis,
    "beanstalk": beanstalk,
    "nats": nats,
    "amqp": amqp,
}
DRIVERS = (*BROKERS, "sqs", "kafka")
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


@contextlib.contextmanager
def listening(command: Sequence[str], folder: Path, port: int, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a broker.

    Raises:
        NotUp: it does not accept connections; with its output.
    """
    log = folder / "broker.log"
    with process(command, log, folder, env) as child:
        try:
            wait_for_port(port, child, log)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)  # a script's children, too


def wait_for_port(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    """Return when a process accepts connections.

    Raises:
        NotUp: with its output.
    """
    end = time.monotonic() + _PATIENCE
    while child.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise NotUp(f"nothing listens on port {port}\n{log.read_text(errors='replace')[-4000:]}")
