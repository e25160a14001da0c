"""Read config files and dotenv files from disk, with clear errors."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Literal

from pyroadrunner.config.dotenv import parse_dotenv
from pyroadrunner.config.errors import ConfigError, Fault, fail
from pyroadrunner.config.formats import parse
from pyroadrunner.config.keys import Layer, normalise
from pyroadrunner.config.origin import Origin
from pyroadrunner.config.yaml_text import TextFault


def label(path: str) -> str:
    """A path for messages: relative if it is below the current folder."""
    short = os.path.relpath(path)
    return path if short.startswith("..") else short


def read_config(path: str, kind: Literal["file", "include"], *, missing: str) -> Layer:
    """Read one config file and normalise its keys, without expansion. An empty file is an empty config.

    Args:
        missing: the hint if the file does not exist.

    Raises:
        ConfigError: the file can't be read or parsed, is not a map, or sets a key twice.
    """
    place = Origin(kind=kind, source=label(path))
    text = _text_of(path, missing)
    try:
        document, lines = parse(text, os.path.splitext(path)[1][1:].lower())
    except TextFault as wrong:
        raise _unparsed(wrong, place) from wrong
    if not isinstance(document, dict | None):
        raise ConfigError([Fault(message="has no sections", expected='a map, such as `version: "3"`', origin=place)])
    layer = normalise(document or {}, lines, place)
    fail(layer.faults)
    return layer


def load_dotenv(path: str, env: MutableMapping[str, str]) -> None:
    """Add the variables of a dotenv file to ``env``; existing variables are not changed.

    Raises:
        ConfigError: the file is missing or malformed.
    """
    text = _text_of(path, f"looked in {os.getcwd()}")
    try:
        entries = parse_dotenv(text, env)
    except TextFault as wrong:
        raise _unparsed(wrong, Origin(kind="file", source=label(path))) from wrong
    for entry in entries:
        env.setdefault(entry.name, entry.value)


def _text_of(path: str, missing: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as wrong:
        reason = (wrong.strerror or str(wrong)).lower()
        hint = missing if isinstance(wrong, FileNotFoundError) else ""
        raise ConfigError([Fault(message=f"open {path}: {reason}", hint=hint)]) from wrong
    except UnicodeDecodeError as wrong:
        raise ConfigError([Fault(message=f"open {path}: is not UTF-8 text")]) from wrong


def _unparsed(wrong: TextFault, place: Origin) -> ConfigError:
    column = f"column {wrong.column}: " if wrong.column is not None else ""
    origin = Origin(kind=place.kind, source=place.source, line=wrong.line)
    return ConfigError([Fault(message=column + wrong.problem, origin=origin)])
