"""``rr serve worker.php``: how a worker file is run, and the config there is when nobody wrote one. Pure."""

from __future__ import annotations

import re
from typing import Any

from pyroadrunner.errors import RoadRunnerError

_PLAIN_WORD = re.compile(r"[A-Za-z0-9_./+=@%-]+")


def command_for(path: str, python: str) -> list[str]:
    """The command of a worker file.

    Args:
        path: of the file.
        python: the interpreter for ``.py``: ours, since the worker imports ``pyroadrunner.sdk``.

    Raises:
        RoadRunnerError: the file is neither PHP nor Python.
    """
    if path.endswith(".php"):
        return ["php", path]
    if path.endswith(".py"):
        return [python, path]
    raise RoadRunnerError(
        f"{path}: a worker file ends in .php or .py; for any other command write a config: server.command in .rr.yaml"
    )


def defaults(command: list[str]) -> dict[str, Any]:
    """A config for a worker and nothing else: HTTP and RPC on loopback, logs for people."""
    return {
        "version": "3",
        "server": {"command": command},
        "http": {"address": "127.0.0.1:8080"},
        "rpc": {"listen": "tcp://127.0.0.1:6001"},
        "logs": {"mode": "development", "level": "info"},
    }


def override(command: list[str]) -> str:
    """The ``-o`` flag that sets ``server.command`` to these words, whatever characters they have (but for ``$``, which
    can't be escaped in a config)."""
    words = " ".join(_word(word) for word in command)
    escaped = words.replace("\\", "\\\\").replace("'", "\\'")
    return f"server.command='{escaped}'"


def _word(word: str) -> str:
    if _PLAIN_WORD.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
