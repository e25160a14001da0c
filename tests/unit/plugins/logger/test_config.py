"""The `logs` section: what it accepts and what it means."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from pyroadrunner.config.check import check
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.plugins.logger.config import NOTHING, ChannelConfig, LogsConfig


def read(section: Any) -> tuple[LogsConfig | None, list[str], list[str]]:
    checked = check(RawConfig.from_dict({"logs": section}, "test"), {"logs": LogsConfig})
    made = checked.sections.get("logs")
    assert made is None or isinstance(made, LogsConfig)
    return made, [fault.path for fault in checked.faults], [warning.path for warning in checked.warnings]


def test_octanes_flags_are_accepted() -> None:
    made, faults, warnings = read({"mode": "production", "level": "warn", "output": "stdout", "encoding": "json"})
    assert (faults, warnings) == ([], [])
    assert made is not None
    assert made.output == ["stdout"]
    assert made.threshold() == logging.WARNING
    assert made.is_json()


def test_an_unknown_encoding_is_an_error() -> None:
    assert read({"encoding": "zzz"})[1] == ["logs.encoding"]
    assert read({"channels": {"http": {"encoding": "zzz"}}})[1] == ["logs.channels.http.encoding"]


def test_an_unknown_mode_or_level_is_a_warning() -> None:
    assert read({"mode": "loud", "level": "chatty"}) == (
        LogsConfig(mode="loud", level="chatty"),
        [],
        ["logs.mode", "logs.level"],
    )


@pytest.mark.parametrize(
    ("config", "threshold"),
    [
        (LogsConfig(), logging.DEBUG),
        (LogsConfig(mode="production"), logging.DEBUG),
        (LogsConfig(mode="production", level="nonsense"), logging.INFO),
        (LogsConfig(mode="development", level="nonsense"), logging.DEBUG),
        (LogsConfig(level="WARNING"), logging.WARNING),
        (LogsConfig(level="fatal"), logging.CRITICAL),
        (LogsConfig(mode="none"), NOTHING),
        (LogsConfig(mode="OFF", level="debug"), NOTHING),
        (ChannelConfig(), logging.DEBUG),
        (ChannelConfig(mode="production"), logging.INFO),
        (ChannelConfig(mode="raw"), logging.INFO),
    ],
)
def test_the_level_is_as_in_roadrunner(config: ChannelConfig, threshold: int) -> None:
    assert config.threshold() == threshold


def test_a_rotated_file_is_json_in_every_mode() -> None:
    made, faults, _ = read({"mode": "development", "file_logger_options": {"log_output": "a.log"}})
    assert faults == []
    assert made is not None
    assert made.is_json()
    assert read({"file_logger_options": {"max_size": 1}})[1] == ["logs.file_logger_options.log_output"]
