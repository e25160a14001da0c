"""Reads the ``http`` section like `rr`."""

from __future__ import annotations

from typing import Any

from pyroadrunner.config.check import check
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.server.config import ServerConfig


def read_http(section: dict[str, Any]) -> tuple[HttpConfig | None, list[str], list[str]]:
    """The model (``None`` if there are errors), the errors and the warnings, as text."""
    raw = RawConfig.from_dict({"http": section, "server": {"command": "php worker.php"}}, "test")
    checked = check(raw, {"http": HttpConfig, "server": ServerConfig})
    read = checked.sections.get("http")
    assert read is None or isinstance(read, HttpConfig)
    return read, [str(fault) for fault in checked.faults], [str(warning) for warning in checked.warnings]
