"""Parse the text of a config file by its extension."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pyroadrunner.config.dotenv import parse_dotenv
from pyroadrunner.config.origin import KeyPath
from pyroadrunner.config.yaml_text import TextFault, parse_yaml

Parsed = tuple[Any, dict[KeyPath, int]]


def parse(text: str, extension: str) -> Parsed:
    """The document (``None`` if empty) and the lines of its keys (empty for TOML).

    Args:
        extension: of the file, in lower case, without the dot.

    Raises:
        TextFault: the text is malformed, or the format is unknown.
    """
    parser = _FORMATS.get(extension)
    if parser is None:
        known = ", ".join(_FORMATS)
        raise TextFault(f'Unsupported Config Type "{extension}"; the extension must be one of {known}')
    if not text.strip():
        return None, {}
    try:
        return parser(text)
    except RecursionError:
        raise TextFault("maps or lists are nested too deep") from None


def _json(text: str) -> Parsed:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as wrong:
        raise TextFault(wrong.msg, wrong.lineno, wrong.colno) from wrong
    except ValueError as wrong:  # a number with thousands of digits
        raise TextFault(str(wrong)) from wrong
    try:
        _, lines = parse_yaml(text)  # JSON is nearly YAML, whose parser reports lines and duplicate keys
    except TextFault as wrong:
        if "set twice" in wrong.problem:
            raise
        lines = {}
    return data, lines


def _toml(text: str) -> Parsed:
    import tomllib  # takes 10 ms, which only TOML files should cost

    try:
        return _plain(tomllib.loads(text)), {}
    except tomllib.TOMLDecodeError as wrong:
        raise TextFault(str(wrong)) from wrong


def _plain(value: Any) -> Any:
    """Convert dates and times to text, as in YAML."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) else str(value)


def _env(text: str) -> Parsed:
    entries = parse_dotenv(text, None)
    return {entry.name: entry.value for entry in entries}, {(entry.name,): entry.line for entry in entries}


_FORMATS: dict[str, Callable[[str], Parsed]] = {
    "yaml": parse_yaml,
    "yml": parse_yaml,
    "json": _json,
    "toml": _toml,
    "env": _env,
    "dotenv": _env,
}
