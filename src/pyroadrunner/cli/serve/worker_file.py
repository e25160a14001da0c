"""``rr serve worker.php``: the command of a worker file, and the default config. Pure."""

from __future__ import annotations

import re
from typing import Any

from pyroadrunner.errors import RoadRunnerError

_PLAIN_WORD = re.compile(r"[A-Za-z0-9_./+=@%-]+")


def command_for(path: str, python: str) -> list[str]:
    """The command of a worker file.

    Args:
        path: path of the file.
        python: the interpreter for ``.py`` files: ours, since the worker imports ``pyroadrunner.sdk``.

    Raises:
        RoadRunnerError: the file is neither PHP nor Python.
    """
    if path.endswith(".php"):
        return ["php", path]
    if path.endswith(".py"):
        return [python, path]
    raise RoadRunnerError(
        f"{path}: a worker file must end in .php or .py; set any other command as server.command in .rr.yaml"
    )


def defaults(command: list[str]) -> dict[str, Any]:
    """A minimal config for a worker: HTTP and RPC on loopback, readable logs."""
    return {
        "version": "3",
        "server": {"command": command},
        "http": {"address": "127.0.0.1:8080"},
        "rpc": {"listen": "tcp://127.0.0.1:6001"},
        "logs": {"mode": "development", "level": "info"},
    }


def override(command: list[str]) -> str:
    """The ``-o`` flag that sets ``server.command`` to these words. They may contain any character except ``$``, which
    can't be escaped in a config."""
    return f"server.command={quoted(' '.join(_word(word) for word in command))}"


def quoted(text: str) -> str:
    """The value of an ``-o`` flag, in quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _word(word: str) -> str:
    if _PLAIN_WORD.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
