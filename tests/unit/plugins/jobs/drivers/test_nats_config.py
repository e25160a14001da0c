"""Settings of the driver ``nats``."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.jobs.declaration import read_declaration
from pyroadrunner.plugins.jobs.drivers.nats.config import DRIVER, NatsConfig, NatsSection, NatsTls, durable_name
from pyroadrunner.plugins.jobs.errors import BadDeclaration


def test_what_the_php_package_declares() -> None:
    values = {
        "prefetch": "100",
        "subject": "default",
        "stream": "default-stream",
        "deliver_new": "true",
        "rate_limit": "100",
        "delete_stream_on_stop": "false",
        "delete_after_ack": "true",
        "priority": "2",
    }
    found = read_declaration("nats", DRIVER, values).config
    assert found == NatsConfig(prefetch=100, deliver_new=True, rate_limit="100", delete_after_ack=True, priority=2)


def test_a_declaration_has_another_default_of_prefetch() -> None:
    assert read_declaration("nats", DRIVER, {}).config == NatsConfig(prefetch=100)
    assert NatsConfig().prefetch == 10


@pytest.mark.parametrize(
    ("key", "value"),
    [("stream", "a.b"), ("stream", ""), ("stream", "a b"), ("subject", ""), ("subject", "a b"), ("consumer", "a.*")],
)
def test_names_that_nats_does_not_have(key: str, value: str) -> None:
    with pytest.raises(BadDeclaration, match=key):
        read_declaration("nats", DRIVER, {key: value})


def test_addresses() -> None:
    assert list(NatsSection(addr="nats://u:p@h:4222, tls://h2").faults()) == []
    assert NatsSection(addr="nats://a:1, b:2").servers == ["nats://a:1", "nats://b:2"]
    for wrong in ("", "http://h", "nats://", "nats://h:x"):
        assert [key for key, _ in NatsSection(addr=wrong).faults()] == ["addr"]


def test_a_certificate_needs_its_key() -> None:
    assert [key for key, _ in NatsTls(cert="c").faults()] == ["key"]
    assert [key for key, _ in NatsSection(tls=NatsTls(root_ca="/nonexistent")).absent()] == ["tls.root_ca"]


def test_names_of_consumers() -> None:
    assert durable_name("mails") == "mails"
    assert durable_name("a.b c/d>*") == "a_b_c_d__"
