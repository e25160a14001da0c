"""The lines of ``rr serve`` for a terminal. Pure.

Octane and scripts read these lines from a pipe; there they are RoadRunner's, word for word. On a terminal they look
like the log lines around them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pyroadrunner.cli.palette import FAINT, HEADING, paint

_STOP = re.compile(r"stop signal received, grace timeout is: (\S+) seconds$")
_READY = "ready"
_FORCED = "exit forced"
_OVER_CTRL_C = "\r"  # the terminal has echoed ^C at the start of the line


def on_terminal(text: str, now: datetime, *, coloured: bool = False) -> str:
    """The line to print instead of RoadRunner's.

    Args:
        now: local time.
        coloured: in the colours of the log lines around it.
    """
    over = ""
    if stop := _STOP.match(text):
        text = f"stopping: running requests have {stop[1]} s to finish; press Ctrl-C again to stop immediately"
        over = _OVER_CTRL_C
    elif text == _FORCED:
        text = "stopped immediately, without waiting for requests"
        over = _OVER_CTRL_C
    text = text.removeprefix("[INFO] ")
    if text.startswith(_READY):
        text = paint(_READY, HEADING, coloured=coloured) + text.removeprefix(_READY)
    return f"{over}{paint(f'{now:%H:%M:%S}', FAINT, coloured=coloured)} {text}"


def ready(config: Mapping[str, Any], version: str, roadrunner: str) -> str:
    """The line to print when everything has started.

    Args:
        config: the whole config; ``http.address`` is shown as a URL.
    """
    http = config.get("http")
    address = str(http.get("address") or "") if isinstance(http, Mapping) else ""
    host, colon, port = address.rpartition(":")
    colon = colon if port.isdecimal() else ""
    where = f" on http://{'127.0.0.1' if host in ('', '0.0.0.0', '[::]') else host}:{port}" if colon else ""
    return f"ready{where}: pyroadrunner {version}, compatible with RoadRunner {roadrunner}; Ctrl-C stops it"
