"""A real Kafka broker, fetched by ``scripts/kafka.sh``, and a client that is not the driver.

The only broker of its cluster, in KRaft mode. It listens at several ports: for clients in plain text, with a login,
with TLS, and several times in plain text behind a proxy: Kafka tells its clients where to connect, so it must know the
proxies before it starts.

All tests of a run share a broker (:func:`shared_kafka`); a test takes it away by its proxy (:func:`proxied`). One that
kills its broker has its own.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from cryptography.hazmat.primitives import serialization

from support.brokers import Brokers
from support.ports import kept_port
from support.programs import Program, running_program, wait_for_port
from support.tcp_proxy import TcpProxy
from support.tls import Authority

HOME = Path(__file__).parent.parent.parent / ".cache" / "kafka"
USER, PASSWORD = "alice", "secret"  # as in scripts/kafka.sh

_PARTITIONS = 4
_AT_ONCE = 3  # proxies that a process uses
_PATIENCE = 120.0  # seconds for a start: one, but many on a busy machine


class Kafka:
    """A broker.

    Attributes:
        port: for clients in plain text. The other ports: ``login`` (SASL), ``tls`` (needs a client certificate, too).
        proxied: ports of proxies, and those that they must forward to.
        authority: of the certificates.
    """

    def __init__(self, folder: Path, proxies: int = 0) -> None:
        self.port, self.login, self.tls, self._controller = (kept_port() for _ in range(4))
        self.proxied = [(kept_port(), kept_port()) for _ in range(proxies)]
        self.authority: Authority | None = None
        self._folder = folder
        self._data = folder / "data"
        self._program: Program | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def settings(self, tls: bool) -> dict[str, Any]:
        """Settings of the broker."""
        advertised = {
            "CLIENTS": (self.port, self.port, "PLAINTEXT"),
            "LOGIN": (self.login, self.login, "SASL_PLAINTEXT"),
        }
        if tls:
            advertised["TLS"] = (self.tls, self.tls, "SSL")
        for number, (proxy, behind) in enumerate(self.proxied):
            advertised[f"PROXIED{number}"] = (behind, proxy, "PLAINTEXT")
        maps = [f"{name}:{protocol}" for name, (_, _, protocol) in advertised.items()]
        jaas = "org.apache.kafka.common.security"
        plain = f'{jaas}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        scram = f"{jaas}.scram.ScramLoginModule required;"
        found: dict[str, Any] = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "listeners": ",".join(
                [
                    *(f"{name}://127.0.0.1:{port}" for name, (port, _, _) in advertised.items()),
                    f"CONTROLLER://127.0.0.1:{self._controller}",
                ]
            ),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, (_, port, _) in advertised.items()),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENTS",
            "listener.security.protocol.map": ",".join([*maps, "CONTROLLER:PLAINTEXT"]),
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.login.plain.sasl.jaas.config": plain,
            "listener.name.login.scram-sha-256.sasl.jaas.config": scram,
            "listener.name.login.scram-sha-512.sasl.jaas.config": scram,
            "log.dirs": self._data,
            "num.partitions": _PARTITIONS,
            "num.network.threads": 1,
            "num.io.threads": 2,
            "log.index.size.max.bytes": 1_000_000,
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "log.cleaner.enable": "false",
        }
        if tls:
            self.authority = authority = Authority(self._folder)
            server = authority.server("broker")
            store = self._folder / "store.pem"
            store.write_bytes(_pkcs8(server.key.read_bytes()) + server.cert.read_bytes())
            found |= {
                "listener.name.tls.ssl.keystore.type": "PEM",
                "listener.name.tls.ssl.keystore.location": store,
                "listener.name.tls.ssl.truststore.type": "PEM",
                "listener.name.tls.ssl.truststore.location": authority.root,
                "listener.name.tls.ssl.client.auth": "required",
            }
        return found

    @contextmanager
    def run(self, *java: str, tls: bool = False) -> Iterator[Kafka]:
        """The broker, until the end of the ``with``.

        Args:
            java: further options of the virtual machine.
        """
        shutil.copytree(HOME / "data", self._data)
        file = self._folder / "server.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in self.settings(tls).items()), encoding="utf-8")
        arguments = [
            *("java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *(java or _ARCHIVE)),
            *("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", class_path(), "kafka.Kafka", str(file)),
        ]
        with running_program(arguments, self._folder / "kafka.log") as self._program:
            self.wait()
            yield self

    def wait(self) -> None:
        """Return once it has an answer for clients."""
        assert self._program is not None
        wait_for_port(self.port, self._program, _PATIENCE)

    def stop(self) -> None:
        """Kill it."""
        assert self._program is not None
        self._program.kill()

    def start(self) -> None:
        """Start it again, with its data."""
        assert self._program is not None
        self._program.start()
        self.wait()

    @property
    def pid(self) -> int:
        assert self._program is not None
        return self._program.pid


_ARCHIVE = (f"-XX:SharedArchiveFile={HOME / 'classes.jsa'}",)


def class_path() -> str:
    """All parts of the broker, always in this order, as the archive of classes demands."""
    return ":".join(sorted(map(str, (HOME / "lib").glob("*.jar"))))


@contextmanager
def kafka(folder: Path, *, tls: bool = False, proxies: int = 0) -> Iterator[Kafka]:
    """A broker of its own."""
    require_kafka()
    folder.mkdir(parents=True, exist_ok=True)
    with Kafka(folder, proxies).run(tls=tls) as broker:
        yield broker


def require_kafka() -> None:
    """Skip the test without a broker: Maven Central or Java may be out of reach, in CI too."""
    if not (HOME / "complete").exists() or shutil.which("java") is None:
        pytest.skip("Kafka is not there: scripts/kafka.sh fetches it (needs Java and Maven)")


@contextmanager
def shared_kafka(folder: Path) -> Iterator[dict[str, Any]]:
    """A broker for :class:`support.brokers.Brokers`."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    with kafka(folder, tls=True, proxies=processes * _AT_ONCE) as broker:
        assert broker.authority is not None
        client = broker.authority.client("client")
        yield {
            "port": broker.port,
            "login": broker.login,
            "tls": broker.tls,
            "root": str(broker.authority.root),
            "cert": str(client.cert),
            "key": str(client.key),
            "proxied": broker.proxied,
        }


@dataclass(frozen=True)
class SharedKafka:
    """The shared broker: its ports, and files for TLS."""

    port: int
    login: int
    tls: int
    root: str
    cert: str
    key: str
    proxied: list[tuple[int, int]]

    @classmethod
    def of(cls, brokers: Brokers) -> SharedKafka:
        require_kafka()
        return cls(**brokers.use("kafka", shared_kafka))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


_proxies: list[TcpProxy] | None = None  # of this process, those that are not in use


@contextmanager
def proxied(brokers: Brokers) -> Iterator[TcpProxy]:
    """A proxy before the shared broker, which no other test uses now."""
    global _proxies
    shared = SharedKafka.of(brokers)
    if _proxies is None:
        first = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) * _AT_ONCE
        _proxies = [TcpProxy(behind, at) for at, behind in shared.proxied[first : first + _AT_ONCE]]
    proxy = _proxies.pop()
    try:
        yield proxy
    finally:
        proxy.cut()
        _proxies.append(proxy)


class KafkaClient:
    """Another program that uses the broker.

    Args:
        address: of the broker.
    """

    def __init__(self, address: str) -> None:
        self._settings: dict[str, Any] = {"bootstrap.servers": address, "log_level": 0}
        self._admin = AdminClient(self._settings)

    def create(self, topic: str, partitions: int = _PARTITIONS) -> None:
        self._admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(20)

    def put(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        partition: int = -1,
    ) -> None:
        """Put a record."""
        producer = Producer(self._settings)
        producer.produce(topic, value=value, key=key, headers=list(headers), partition=partition)
        assert producer.flush(20) == 0

    def records(self, topic: str, count: int) -> list[Message]:
        """The first records of a topic."""
        consumer = Consumer(
            {**self._settings, "group.id": f"look-{topic}-{time.monotonic_ns()}", "auto.offset.reset": "earliest"}
        )
        try:
            consumer.subscribe([topic])
            found: list[Message] = []
            until = time.monotonic() + 20
            while len(found) < count:
                assert time.monotonic() < until, f"only {len(found)} records"
                message = consumer.poll(0.2)
                if message is not None and message.error() is None:
                    found.append(message)
            return found
        finally:
            consumer.close()

    def committed(self, group: str, topic: str, partition: int = 0) -> tuple[int, str]:
        """What a group has committed: the offset, and the metadata of the driver."""
        asked = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, partition)])]
        found = self._admin.list_consumer_group_offsets(asked)[group].result(20).topic_partitions[0]
        metadata, end, _ = (found.metadata or "").partition(";")  # the library may return bytes behind the end
        return found.offset, metadata + end


def options_of(name: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Settings of a pipeline with a topic and a group of this name."""
    return {
        "auto_create_topics_enable": True,
        "consumer_options": {"topics": [name]},
        "group_options": {"group_id": name, "session_timeout": "6s"},
        **(extra or {}),
    }


def _pkcs8(key: bytes) -> bytes:
    """A key in the form that Java reads."""
    loaded = serialization.load_pem_private_key(key, None)
    return loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _archive(path: Path) -> None:
    """Write an archive of the classes that a start needs."""
    with TemporaryDirectory() as folder:
        broker = Kafka(Path(folder))
        with broker.run(f"-XX:ArchiveClassesAtExit={path}"):
            process = broker.pid
            os.kill(process, 15)
            until = time.monotonic() + 120
            while not path.exists() or broker._program is None or not broker._program.ended:
                if time.monotonic() > until:
                    sys.exit((Path(folder) / "kafka.log").read_text())
                time.sleep(0.1)


if __name__ == "__main__":
    _archive(Path(sys.argv[1]))
