"""What ``rr serve`` says of itself, for a person at a terminal. Pure.

Octane and scripts match these lines when they read them from a pipe; there they are RoadRunner's, word for word. On a
terminal they look like the lines of the log between which they stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_STOP = re.compile(r"stop signal received, grace timeout is: (\S+) seconds$")
_FORCED = "exit forced"
_OVER_CTRL_C = "\r"  # the terminal has written ^C where the line begins


def on_terminal(text: str, now: datetime) -> str:
    """The line in place of RoadRunner's.

    Args:
        now: local time.
    """
    over = ""
    if stop := _STOP.match(text):
        text = f"stopping: running requests have {stop[1]} s to end; Ctrl-C again ends them at once"
        over = _OVER_CTRL_C
    elif text == _FORCED:
        text = "stopped at once, without waiting for requests"
        over = _OVER_CTRL_C
    return f"{over}{now:%H:%M:%S} {text.removeprefix('[INFO] ')}"


def ready(config: Mapping[str, Any], version: str, roadrunner: str) -> str:
    """The line once everything has started.

    Args:
        config: the whole config; ``http.address`` is shown as a URL.
    """
    http = config.get("http")
    address = str(http.get("address") or "") if isinstance(http, Mapping) else ""
    host, colon, port = address.rpartition(":")
    colon = colon if port.isdecimal() else ""
    where = f" on http://{'127.0.0.1' if host in ('', '0.0.0.0', '[::]') else host}:{port}" if colon else ""
    return f"ready{where}: pyroadrunner {version}, compatible with RoadRunner {roadrunner}; Ctrl-C stops it"
