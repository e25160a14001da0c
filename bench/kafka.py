"""A Kafka broker, the one that ``scripts/kafka.sh`` has fetched."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench import client_loops
from bench.broker import Broker, NotMeasured, installed, listening
from bench.client import free_port

HOME = Path(__file__).parent.parent / ".cache" / "kafka"


@contextlib.contextmanager
def kafka(folder: Path) -> Iterator[Broker]:
    java = installed("java")
    if not (HOME / "complete").exists():
        raise NotMeasured("there is no broker; scripts/kafka.sh fetches one (needs Java and Maven)")
    shutil.copytree(HOME / "data", folder / "data")
    port, controller = free_port(), free_port()
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENTS",
        "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": folder / "data",
        "num.partitions": 4,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,
    }
    file = folder / "server.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    command = [java, "-Xmx512m", "-XX:+UseSerialGC", "-cp", str(HOME / "lib" / "*"), "kafka.Kafka", str(file)]
    with listening(command, folder, port):
        address = f"127.0.0.1:{port}"
        yield Broker(
            sections={"kafka": {"brokers": [address]}},
            options=_options,
            loop=partial(client_loops.kafka, address),
            topics=True,
        )


def _options(name: str) -> dict[str, Any]:
    return {
        "auto_create_topics_enable": True,
        "consumer_options": {"topics": [name], "consumer_offset": {"type": "AtStart", "value": 0}},
        "group_options": {"group_id": name},
    }
