"""Encode a log entry as the bytes of a line. Pure.

The formats are RoadRunner's (rpc-cli-config.md, section 7), byte by byte: Laravel Octane reads the JSON of production
mode, users have scripts for the others. An encoder produces a line for any field value: logging must not fail the
caller.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pyroadrunner.config.durations import format_duration

# level (of ``logging``), unix nanoseconds, channel, message, fields in order -> the line with its ending
Encoder = Callable[[int, int, str, str, Mapping[str, Any]], bytes]

_PADDED = 12  # width of the channel's name in development
_SIMPLE = frozenset({str, int, float, bool, type(None)})  # types the JSON encoder handles directly
_encode_spaced = json.JSONEncoder(ensure_ascii=False).encode
_encode = msgspec.json.Encoder().encode


def encoder(mode: str, *, as_json: bool, ending: str = "\n") -> Encoder:
    """The encoder of a mode.

    Args:
        mode: ``production``, ``development``, ``raw``; any other name means development.
        as_json: JSON instead of console columns.
        ending: line ending.
    """
    end = (ending or "\n").encode()
    mode = mode.lower()
    if mode == "production":
        return _production_json(end) if as_json else _production_console(end)
    if mode == "raw":
        return _raw_json(end) if as_json else _raw_console(end)
    if as_json:
        return _development_json(end) if mode == "development" else _other_json(end)
    return _development_console(end)


def level_name(level: int) -> str:
    """``debug``, ``info``, ``warn``, ``error`` or ``fatal``: the name of a ``logging`` level, or of the next lower
    one."""
    if level not in _LEVEL_NAMES:
        floors = [floor for floor in _LEVEL_NAMES if floor <= level]
        return _LEVEL_NAMES[max(floors, default=logging.DEBUG)]
    return _LEVEL_NAMES[level]


_LEVEL_NAMES = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warn",
    logging.ERROR: "error",
    logging.CRITICAL: "fatal",
}


# -- formats -----------------------------------------------------------------------------------------------------------


def _production_json(end: bytes) -> Encoder:
    def encode(level: int, ns: int, name: str, message: str, fields: Mapping[str, Any]) -> bytes:
        return _json({"level": level_name(level), "ts": ns, "logger": name, "msg": message}, fields, _number) + end

    return encode


def _production_console(end: bytes) -> Encoder:
    def encode(level: int, ns: int, name: str, message: str, fields: Mapping[str, Any]) -> bytes:
        return _columns([str(ns), level_name(level), name, message], fields, _number) + end

    return encode


def _development_console(end: bytes) -> Encoder:
    def encode(level: int, ns: int, name: str, message: str, fields: Mapping[str, Any]) -> bytes:
        columns = [_time_text(ns), level_name(level).upper(), name.ljust(_PADDED), message]
        return _columns(columns, fields, _text) + end

    return encode


def _development_json(end: bytes) -> Encoder:
    def encode(level: int, ns: int, name: str, message: str, fields: Mapping[str, Any]) -> bytes:
        head = {"level": level_name(level).upper(), "ts": _time_text(ns), "logger": name.ljust(_PADDED), "msg": message}
        return _json(head, fields, _text) + end

    return encode


def _other_json(end: bytes) -> Encoder:
    def encode(level: int, ns: int, name: str, message: str, fields: Mapping[str, Any]) -> bytes:
        head = {"L": level_name(level).upper(), "T": _time_text(ns), "N": name, "M": message}
        return _json(head, fields, _text) + end

    return encode


def _raw_json(end: bytes) -> Encoder:
    def encode(level: int, ns: int, name: str, message: str, fields: Mapping[str, Any]) -> bytes:
        return _json({"message": message}, fields, _number) + end

    return encode


def _raw_console(end: bytes) -> Encoder:
    def encode(level: int, ns: int, name: str, message: str, fields: Mapping[str, Any]) -> bytes:
        return _columns([message], fields, _number) + end

    return encode


# -- parts -------------------------------------------------------------------------------------------------------------


def _json(head: dict[str, Any], fields: Mapping[str, Any], draw: Callable[[Any], Any]) -> bytes:
    shown = _simple(fields, draw)
    if head.keys().isdisjoint(shown):
        try:  # the fast path, for most lines
            return _encode({**head, **shown})
        except (ValueError, OverflowError):  # half a surrogate pair, a number of thousands of digits
            pass
    whole = {key: _plain(value) for key, value in head.items()}
    for key, value in shown.items():
        # Octane relies on the keys of the head: a field must not replace them.
        whole[f"{_whole_text(key)}_" if key in head else _whole_text(key)] = _plain(value)
    return _encode(whole)


def _columns(columns: list[str], fields: Mapping[str, Any], draw: Callable[[Any], Any]) -> bytes:
    if fields:
        columns.append(_spaced(fields, draw))
    return "\t".join(columns).encode("utf-8", "backslashreplace")


def _spaced(fields: Mapping[str, Any], draw: Callable[[Any], Any]) -> str:
    shown = _simple(fields, draw)
    try:
        return _encode_spaced(shown)
    except ValueError:  # a number of thousands of digits
        return _encode_spaced(_plain(shown))


def _simple(fields: Mapping[str, Any], draw: Callable[[Any], Any]) -> Mapping[str, Any]:
    """The fields, with all values that are not simple converted."""
    if _SIMPLE.issuperset(map(type, fields.values())):
        return fields
    return {key: value if type(value) in _SIMPLE else _drawn(value, draw) for key, value in fields.items()}


def _drawn(value: Any, draw: Callable[[Any], Any]) -> Any:
    try:
        drawn = draw(value)
        return drawn if type(drawn) is int or type(drawn) is float else _plain(drawn, draw)
    except Exception as wrong:  # a value's __str__ failed; the line is still written
        return f"<{type(value).__name__} that can't be shown: {type(wrong).__name__}>"


def _plain(value: Any, draw: Callable[[Any], Any] = lambda value: value) -> Any:
    """A copy for any JSON encoder: maps, lists and scalars; other values as their ``str``."""
    if isinstance(value, str):
        return _whole_text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= 64 else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {_whole_text(str(key)): _plain(draw(item), draw) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(draw(item), draw) for item in value]
    return _whole_text(str(value))


def _whole_text(text: str) -> str:
    """Text that can be encoded as UTF-8: lone surrogates are replaced by their numbers."""
    return text.encode("utf-8", "backslashreplace").decode()


def _number(value: Any) -> Any:
    """Times as unix nanoseconds and durations as seconds, for programs."""
    if isinstance(value, datetime):
        return round(_with_zone(value).timestamp() * 1_000_000) * 1_000
    return value.total_seconds() if isinstance(value, timedelta) else value


def _text(value: Any) -> Any:
    """Times and durations as text, for people."""
    if isinstance(value, datetime):
        return f"{_with_zone(value).astimezone(UTC).isoformat()[:19]}+0000"
    if isinstance(value, timedelta):
        return format_duration(value.total_seconds()).replace("us", "\u00b5s")
    return value


def _with_zone(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


_last_second = (-1, "")  # many lines share their second; one tuple, so that threads see both or neither


def _time_text(ns: int) -> str:
    global _last_second
    second, text = _last_second
    if second != ns // 1_000_000_000:
        second = ns // 1_000_000_000
        text = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}+0000"
        _last_second = (second, text)
    return text
