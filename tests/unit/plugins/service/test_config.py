"""The section ``service``, read as from a file."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.plugins.service.config import ServiceConfig, ServiceSection


def read(section: dict[str, Any]) -> tuple[Any, list[str]]:
    reader = SectionReader(lambda _path: Origin(kind="built-in", source="test"))
    value = reader.read(ServiceSection, section, ("service",))
    return value, [str(fault) for fault in reader.faults]


def test_its_keys_are_names_and_quotes_of_a_command_group() -> None:
    section, faults = read(
        {
            "list": {"command": "php -r 'echo 1, 2;'"},
            "other": {"command": ["php", "-a"], "process_num": "2", "exec_timeout": "1m", "env": [{"a": 1}, {"b": 2}]},
        }
    )
    assert faults == []
    assert section.services == {
        "list": ServiceConfig(command=["php", "-r", "echo 1, 2;"]),
        "other": ServiceConfig(command=["php", "-a"], process_num=2, exec_timeout=60.0, env={"a": "1", "b": "2"}),
    }


@pytest.mark.parametrize(
    ("service", "fault"),
    [
        ({}, "service.a.command"),
        ({"command": ""}, "service.a.command: should not be empty"),
        ({"command": "a 'b"}, "has a ' that is not closed"),
        ({"command": "a", "process_num": -1}, "service.a.process_num"),
        ({"command": "a", "restart_sec": "soon"}, "service.a.restart_sec"),
        ({"command": "a", "remain_after_exit": "yes"}, "write true"),
    ],
)
def test_an_invalid_command_is_an_error_with_its_path(service: dict[str, Any], fault: str) -> None:
    _, faults = read({"a": service})
    assert len(faults) == 1
    assert fault in faults[0]
