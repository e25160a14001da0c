"""Settings of the driver ``amqp``: defaults, what PHP sends, faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.plugins.jobs.config import JobsConfig
from pyroadrunner.plugins.jobs.declaration import read_declaration
from pyroadrunner.plugins.jobs.drivers.amqp.config import DRIVER, AmqpConfig, AmqpSection, AmqpTls
from pyroadrunner.plugins.jobs.errors import BadDeclaration
from support.jobs import jobs_section


def read(model: Any, keys: dict[str, Any], name: str) -> tuple[Any, list[str]]:
    reader = SectionReader(lambda _path: Origin(kind="built-in", source="test"))
    return reader.read(model, keys, (name,)), [str(fault) for fault in reader.faults]


def test_roadrunners_defaults() -> None:
    config = jobs_section(pipelines={"a": {"driver": "amqp", "config": {"prefetch": 0, "exchange": ""}}})
    assert config.pipelines["a"].config == AmqpConfig(
        exchange="amqp.default", exchange_type="direct", prefetch=10, priority=10
    )
    assert AmqpSection().addr == "amqp://guest:guest@127.0.0.1:5672/"


def test_what_the_php_package_declares() -> None:
    values = {
        "name": "p",
        "driver": "amqp",
        "priority": "10",
        "prefetch": "100",
        "queue": "default",
        "queue_auto_delete": "false",
        "exchange": "amqp.default",
        "exchange_durable": "true",
        "exchange_type": "direct",
        "exchange_auto_delete": "false",
        "routing_key": "",
        "exclusive": "false",
        "multiple_ack": "true",
        "requeue_on_fail": "false",
        "durable": "true",
        "consume_all": "false",
        "queue_headers": "[]",
        "delete_queue_on_stop": "false",
        "redial_timeout": "60",
    }
    found = read_declaration("amqp", DRIVER, values).config
    assert found == AmqpConfig(
        prefetch=100,
        queue="default",
        exchange_durable=True,
        multiple_ack=True,
        durable=True,
        redial_timeout="60",
        consume_all="false",
    )
    arguments = read_declaration("amqp", DRIVER, {**values, "queue_headers": '{"x-max-priority": 10}'}).config
    assert isinstance(arguments, AmqpConfig)
    assert arguments.queue_headers == {"x-max-priority": 10}
    with pytest.raises(BadDeclaration, match="prefetch"):
        read_declaration("amqp", DRIVER, {**values, "prefetch": "many"})


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"exchange_type": "direkt"}, "exchange_type: is none of direct, fanout, topic, headers, x-..."),
        ({"prefetch": 65536}, "prefetch: can't be more than 65535"),
        ({"queue": "q" * 256}, "queue: is longer than 255 bytes"),
        ({"durable": "maybe"}, "durable: is"),
        ({"queue_headers": {"x-a": 1.5}}, "queue_headers.x-a: can't be sent"),
        ({"queue_headers": {"x-a": [1, None]}}, "queue_headers.x-a: can't be sent"),
    ],
)
def test_faults_of_a_pipeline(keys: dict[str, Any], fault: str) -> None:
    _, faults = read(JobsConfig, {"pipelines": {"a": {"driver": "amqp", "config": keys}}}, "jobs")
    assert [one for one in faults if f"jobs.pipelines.a.config.{fault}" in one], faults


@pytest.mark.parametrize(
    ("addr", "fault"),
    [
        ("127.0.0.1:5672", "addr: has to begin with amqp:// or amqps://"),
        ("amqp://", "addr: names no host"),
        ("amqp://host:port/", "addr: is no address"),
        ("amqps://user:password@[::1]:5671/vhost?heartbeat=30", ""),
    ],
)
def test_addresses(addr: str, fault: str) -> None:
    _, faults = read(AmqpSection, {"addr": addr}, "amqp")
    assert len(faults) == bool(fault)
    assert all(f"amqp.{fault}" in one for one in faults)


def test_tls_files(tmp_path: Path) -> None:
    missing = AmqpSection(tls=AmqpTls(root_ca=str(tmp_path / "ca.pem"), cert="c", key="k"))
    assert [key for key, _ in missing.absent()] == ["tls.key", "tls.cert", "tls.root_ca"]
    assert list(missing.doubtful()) == []
    _, faults = read(AmqpSection, {"tls": {"cert": "c"}}, "amqp")
    assert "amqp.tls.key: is missing" in faults[0]
    assert list(AmqpSection().absent()) == []
