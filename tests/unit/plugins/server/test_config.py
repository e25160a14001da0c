"""The section ``server``: its faults."""

from __future__ import annotations

import pytest

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.plugins.server.config import ServerConfig


def faults(relay: str) -> list[str]:
    reader = SectionReader(lambda _path: Origin(kind="file", source=".rr.yaml", line=4))
    reader.read(ServerConfig, {"command": "php worker.php", "relay": relay}, ("server",))
    return [str(fault) for fault in reader.faults]


@pytest.mark.parametrize("relay", ["", "pipes", "tcp://127.0.0.1:7000", "tcp://:7000", "unix:///run/rr.sock"])
def test_each_kind_of_relay(relay: str) -> None:
    assert faults(relay) == []


@pytest.mark.parametrize("relay", ["pipe", "127.0.0.1:7000", "tcp://127.0.0.1", "unix://"])
def test_another_relay_is_a_fault_of_the_config(relay: str) -> None:
    (fault,) = faults(relay)
    assert fault == f".rr.yaml:4: server.relay: is `{relay}`; expected pipes, tcp://host:port or unix://path"
