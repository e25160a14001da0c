"""Settings of librdkafka, the client library. Pure."""

from __future__ import annotations

from typing import Any

from pyroadrunner.plugins.jobs.drivers.kafka.config import (
    MECHANISMS,
    ConsumerConfig,
    GroupConfig,
    KafkaConfig,
    KafkaSection,
    ProducerConfig,
)

_ACKS = {"NoAck": 0, "LeaderAck": 1, "AllISRAck": "all", "": "all"}


def connection_settings(section: KafkaSection, config: KafkaConfig) -> dict[str, Any]:
    """What producers and consumers have in common."""
    tls, sasl = section.tls, section.sasl
    encrypted = tls is not None and bool(tls.root_ca or tls.cert)
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(section.brokers),
        "client.id": "pyroadrunner",
        "security.protocol": ("SASL_" if sasl else "") + ("SSL" if encrypted else "PLAINTEXT"),
        "log_level": 0,  # what is wrong comes as an error, too
        "socket.keepalive.enable": True,
        "socket.timeout.ms": 15_000,
        "socket.connection.setup.timeout.ms": max(1000, _ms(tls.timeout if tls else 10.0)),
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "allow.auto.create.topics": config.auto_create_topics_enable,
    }
    if encrypted and tls:
        found["ssl.ca.location"] = tls.root_ca or "probe"
        if tls.cert:
            found |= {"ssl.certificate.location": tls.cert, "ssl.key.location": tls.key}
    if sasl:
        mechanism = MECHANISMS[sasl.mechanism.lower()]
        found |= {"sasl.mechanism": mechanism, "sasl.username": sasl.username, "sasl.password": sasl.password}
    return found


def producer_settings(options: ProducerConfig, timeout: float) -> dict[str, Any]:
    """What only a producer has.

    Args:
        timeout: seconds a push may take.
    """
    return {
        "enable.idempotence": not options.disable_idempotent,
        "acks": _ACKS[options.required_acks],
        "message.max.bytes": max(1000, options.max_message_bytes),
        "request.timeout.ms": max(1, _ms(options.request_timeout or 10.0)),
        "message.timeout.ms": max(1, _ms(options.delivery_timeout or timeout)),
        "compression.type": options.compression_codec or "snappy",
        "partitioner": "murmur2_random",
        "linger.ms": 1,
    }


def consumer_settings(options: ConsumerConfig, group: GroupConfig | None, own_group: str) -> dict[str, Any]:
    """What only a consumer has.

    Args:
        own_group: without a group the library needs a name, too; nothing is committed to it.
    """
    found: dict[str, Any] = {
        "group.id": group.group_id if group else own_group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "latest" if options.consumer_offset.type == "AtEnd" else "earliest",
        "partition.assignment.strategy": "cooperative-sticky",  # RoadRunner's, so both may be in one group
        "fetch.min.bytes": options.min_fetch_message_size,
        "fetch.max.bytes": options.max_fetch_message_size,
        "message.max.bytes": max(1000, min(1_000_000, options.max_fetch_message_size)),
        "receive.message.max.bytes": max(100_000_000, options.max_fetch_message_size + 512),
        "queued.max.messages.kbytes": 16_384,
    }
    if group:
        session = max(1, _ms(group.session_timeout or 10.0))
        found |= {"session.timeout.ms": session, "heartbeat.interval.ms": max(1, min(3000, session // 3))}
        if group.instance_id:
            found["group.instance.id"] = group.instance_id
    return found


def topic_patterns(options: ConsumerConfig) -> list[str]:
    """Topics to subscribe to; the library takes those with a leading ``^`` as regular expressions."""
    if not options.consume_regexp:
        return list(options.topics)
    return [topic if topic.startswith("^") else f"^.*({topic})" for topic in options.topics]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
