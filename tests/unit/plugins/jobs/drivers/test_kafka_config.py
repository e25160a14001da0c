"""Settings of the driver ``kafka``."""

from __future__ import annotations

import json

import pytest

from pyroadrunner.plugins.jobs.declaration import read_declaration
from pyroadrunner.plugins.jobs.drivers.kafka.config import (
    DRIVER,
    ConsumerConfig,
    GroupConfig,
    KafkaConfig,
    KafkaSection,
    OffsetConfig,
    ProducerConfig,
    SaslConfig,
    TlsConfig,
)
from pyroadrunner.plugins.jobs.drivers.kafka.settings import (
    connection_settings,
    consumer_settings,
    producer_settings,
    topic_patterns,
)
from pyroadrunner.plugins.jobs.errors import BadDeclaration


def test_what_the_php_package_declares() -> None:
    values = {
        "auto_create_topics_enable": "true",
        "producer_options": json.dumps(
            {
                "disable_idempotent": False,
                "max_message_bytes": 1000012,
                "request_timeout": "7s",
                "delivery_timeout": 3_000_000_000,
                "required_acks": "AllISRAck",
                "compression_codec": "lz4",
            }
        ),
        "consumer_options": json.dumps(
            {
                "topics": [],
                "consume_regexp": False,
                "max_fetch_message_size": 50000,
                "min_fetch_message_size": 1,
                "consumer_offset": {"type": "AtStart", "value": 1},
                "consume_partitions": {"mails": {"2": {"type": "At", "value": 5}}},
            }
        ),
        "group_options": json.dumps({"group_id": "g", "block_rebalance_on_poll": False}),
    }
    assert read_declaration("kafka", DRIVER, values).config == KafkaConfig(
        auto_create_topics_enable=True,
        producer_options=ProducerConfig(request_timeout=7.0, delivery_timeout=3.0, compression_codec="lz4"),
        consumer_options=ConsumerConfig(
            max_fetch_message_size=50000,
            consumer_offset=OffsetConfig(type="AtStart", value=1),
            consume_partitions={"mails": {"2": OffsetConfig(type="At", value=5)}},
        ),
        group_options=GroupConfig(group_id="g"),
    )


def test_empty_options_of_php_are_absent_ones() -> None:
    values = {"consumer_options": "[]", "group_options": "null"}
    assert read_declaration("kafka", DRIVER, values).config == KafkaConfig()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"consumer_options": "{}"}, "topics is empty, and so is consume_partitions"),
        ({"group_options": '{"group_id": ""}'}, "group_id is empty"),
        ({"producer_options": '{"required_acks": "NoAck"}'}, "NoAck needs disable_idempotent"),
        ({"producer_options": '{"compression_codec": "zip"}'}, "compression_codec"),
        ({"consumer_options": "{"}, "consumer_options is no JSON"),
        ({"order_key": "x"}, "order_key"),
    ],
)
def test_wrong_values(values: dict[str, str], message: str) -> None:
    with pytest.raises(BadDeclaration, match=message):
        read_declaration("kafka", DRIVER, values)


@pytest.mark.parametrize(
    ("sasl", "keys"),
    [
        (SaslConfig(mechanism="plain", username="a"), []),
        (SaslConfig(mechanism="scram-sha-512", username="a"), []),
        (SaslConfig(mechanism="SCRAM-SHA-256"), ["username"]),
        (SaslConfig(mechanism="aws_msk_iam"), ["mechanism"]),
        (SaslConfig(mechanism="gssapi", username="a"), ["mechanism"]),
        (SaslConfig(mechanism="plain", username="a", zid="b", is_token=True), ["zid", "is_token"]),
    ],
)
def test_logins(sasl: SaslConfig, keys: list[str]) -> None:
    assert [key for key, _ in sasl.faults()] == keys


def test_a_certificate_without_its_key() -> None:
    assert [key for key, _ in TlsConfig(cert="x").faults()] == ["key"]
    assert [key for key, _ in TlsConfig(key="x").faults()] == ["cert"]


def test_a_section_needs_a_broker() -> None:
    assert [key for key, _ in KafkaSection(brokers=[]).faults()] == ["brokers"]


@pytest.mark.parametrize(
    ("section", "protocol"),
    [
        (KafkaSection(brokers=["a:1"]), "PLAINTEXT"),
        (KafkaSection(brokers=["a:1"], tls=TlsConfig(root_ca="x")), "SSL"),
        (KafkaSection(brokers=["a:1"], tls=TlsConfig()), "PLAINTEXT"),
        (KafkaSection(brokers=["a:1"], sasl=SaslConfig(mechanism="plain", username="a")), "SASL_PLAINTEXT"),
        (
            KafkaSection(
                brokers=["a:1"],
                sasl=SaslConfig(mechanism="plain", username="a"),
                tls=TlsConfig(cert="x", key="y"),
            ),
            "SASL_SSL",
        ),
    ],
)
def test_protocols(section: KafkaSection, protocol: str) -> None:
    assert connection_settings(section, KafkaConfig())["security.protocol"] == protocol


def test_a_push_takes_no_longer_than_a_publisher_waits() -> None:
    assert producer_settings(ProducerConfig(), 60)["message.timeout.ms"] == 60_000
    assert producer_settings(ProducerConfig(delivery_timeout=2.0), 60)["message.timeout.ms"] == 2000


def test_offsets_are_committed_by_the_driver_alone() -> None:
    settings = consumer_settings(ConsumerConfig(topics=["t"]), GroupConfig(group_id="g", instance_id="i"), "own")
    assert (settings["group.id"], settings["group.instance.id"]) == ("g", "i")
    assert not settings["enable.auto.commit"]
    assert consumer_settings(ConsumerConfig(topics=["t"]), None, "own")["group.id"] == "own"


def test_regular_expressions_match_anywhere_unless_they_begin_with_a_caret() -> None:
    options = ConsumerConfig(topics=["mail|sms", "^x"], consume_regexp=True)
    assert topic_patterns(options) == ["^.*(mail|sms)", "^x"]
    assert topic_patterns(ConsumerConfig(topics=["mail"])) == ["mail"]
