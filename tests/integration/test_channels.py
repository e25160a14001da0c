"""Which lines go where: levels, channels, other libraries."""

from __future__ import annotations

import asyncio
import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from pyroadrunner.log import Log
from pyroadrunner.plugins.logger.config import ChannelConfig, LogsConfig
from pyroadrunner.plugins.logger.plugin import LoggerPlugin


def logged(config: LogsConfig, act: Callable[[], None]) -> None:
    async def live() -> None:
        plugin = LoggerPlugin(config)
        await plugin.start()
        act()
        await plugin.stop(1.0)

    asyncio.run(live())


def test_lines_below_the_level_are_not_written(tmp_path: Path) -> None:
    def act() -> None:
        log = Log("http")
        assert not log.enabled_for(logging.INFO)
        log.debug("a")
        log.info("b")
        log.warning("c")
        log.error("d")

    logged(LogsConfig(mode="raw", level="warn", output=[str(tmp_path / "log")]), act)
    assert (tmp_path / "log").read_text() == "c\nd\n"


def test_a_mode_of_none_writes_nothing(tmp_path: Path) -> None:
    logged(LogsConfig(mode="none", output=[str(tmp_path / "log")]), lambda: Log("http").error("a"))
    assert (tmp_path / "log").read_text() == ""


def test_a_channel_has_its_own_format_and_output_and_inherits_nothing(tmp_path: Path) -> None:
    config = LogsConfig(
        mode="raw",
        level="error",
        output=[str(tmp_path / "all")],
        channels={
            "http": ChannelConfig(mode="production", output=[str(tmp_path / "http")]),
            "rpc": ChannelConfig(),
        },
    )

    def act() -> None:
        for channel in ("http", "rpc", "server"):
            Log(channel).debug("quiet")
            Log(channel).info("said")
            Log(channel).error("loud")

    logged(config, act)
    assert (tmp_path / "all").read_text() == "loud\nloud\n"  # of server, and of rpc, whose empty settings are ignored
    messages = [json.loads(line)["msg"] for line in (tmp_path / "http").read_text().splitlines()]
    assert messages == ["said", "loud"]


def test_outputs_get_the_same_lines_and_channels_of_one_output_keep_their_order(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    config = LogsConfig(mode="raw", output=[one, other], channels={"http": ChannelConfig(mode="raw", output=[one])})

    def act() -> None:
        Log("a").info("1")
        Log("http").info("2")
        Log("a").info("3")

    logged(config, act)
    assert Path(one).read_text() == "1\n2\n3\n"
    assert Path(other).read_text() == "1\n3\n"


def test_lines_of_threads_are_written(tmp_path: Path) -> None:
    async def live() -> None:
        plugin = LoggerPlugin(LogsConfig(mode="raw", output=[str(tmp_path / "log")]))
        await plugin.start()
        log = Log("a")
        await asyncio.gather(*(asyncio.to_thread(lambda: [log.info("x") for _ in range(500)]) for _ in range(4)))
        await plugin.stop(1.0)

    asyncio.run(live())
    assert (tmp_path / "log").read_text() == "x\n" * 2000


def test_other_libraries_and_warnings_are_lines_of_their_channel(tmp_path: Path) -> None:
    def act() -> None:
        other = logging.getLogger("some.library")
        other.info("not this")
        other.warning("%s is low", "disk")
        try:
            raise ValueError("inside")
        except ValueError:
            other.exception("failed")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old", UserWarning, stacklevel=1)

    logged(LogsConfig(mode="production", output=[str(tmp_path / "log")]), act)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["logger"], line["level"]) for line in lines] == [
        ("some.library", "warn"),
        ("some.library", "error"),
        ("py.warnings", "warn"),
    ]
    assert lines[0]["msg"] == "disk is low"
    assert lines[1]["error"] == "inside"
    assert lines[1]["trace"][0] == "Traceback (most recent call last):"
    assert lines[1]["trace"][-1] == "ValueError: inside"


def test_logging_is_restored_after_the_stop(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logged(LogsConfig(output=[str(tmp_path / "log")]), lambda: None)
    Log("http").error("nobody writes this")
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "log").read_text() == ""
