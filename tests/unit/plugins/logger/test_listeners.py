"""Listeners get every line of every channel, also after a reload."""

from __future__ import annotations

import logging
from pathlib import Path

from pyroadrunner.contracts import LogLine
from pyroadrunner.log import Log
from pyroadrunner.plugins.logger.config import ChannelConfig, LogsConfig
from pyroadrunner.plugins.logger.plugin import LoggerPlugin
from support.virtual_time import run_virtual


def config(folder: Path) -> LogsConfig:
    target = [str(folder / "log")]
    return LogsConfig(output=target, channels={"apart": ChannelConfig(output=target, mode="raw", level="warn")})


def test_each_line_comes_once_until_the_listener_leaves(tmp_path: Path) -> None:
    async def main() -> None:
        plugin = LoggerPlugin(config(tmp_path))
        seen: list[LogLine] = []
        await plugin.start()
        end = plugin.listen(seen.append)
        Log("main").warning("one", pid=1)
        Log("apart").warning("two")
        Log("apart").info("below the level of its channel")
        (await plugin.prepare_reload(config(tmp_path), {})).apply()
        Log("main").error("three")
        end()
        end()
        Log("main").error("four")
        await plugin.stop(1.0)
        assert [(line.level, line.channel, line.message, dict(line.fields)) for line in seen] == [
            (logging.WARNING, "main", "one", {"pid": 1}),
            (logging.WARNING, "apart", "two", {}),
            (logging.ERROR, "main", "three", {}),
        ]

    run_virtual(main())
