"""Convert config values from their form in a file to that in the code. Pure.

A section's struct declares with the aliases what a key accepts; ``section.py`` converts accordingly. The conversions
are RoadRunner's weak ones (rpc-cli-config.md, section 1.5): a number may be a string, since ``-o`` and ``${VAR}`` only
give strings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from pyroadrunner.config.command_line import split_command
from pyroadrunner.config.durations import parse_duration
from pyroadrunner.config.secrets import masked

# Seconds. "10s", "1m30s", "500ms"; a bare integer is nanoseconds, as in RoadRunner.
Duration = Annotated[float, Meta(extra={"rr": "duration"})]
# One string (split as in a shell) or a list of arguments.
Command = Annotated[list[str], Meta(extra={"rr": "command"})]
# A list, or a string split at commas.
StringList = Annotated[list[str], Meta(extra={"rr": "list"})]
# A map, or a list of maps merged into one; scalar values become strings.
StringMap = Annotated[dict[str, str], Meta(extra={"rr": "map"})]

# Marks the only field of a section whose keys are names chosen by the user (`service: {queue: {command: ...}}`): its
# value is the whole section, so its name does not appear in the file.
#
#     services: Annotated[dict[str, ServiceConfig], NAMED] = msgspec.field(default_factory=dict)
NAMED = Meta(extra={"rr_named": True})


def unbuilt(note: str) -> Meta:
    """Mark a key of RoadRunner's that is accepted but ignored: setting it gives a warning.

        ssl: Annotated[dict[str, Any] | None, unbuilt("TLS; connections are plain HTTP")] = None

    Args:
        note: the key's effect in RoadRunner; what happens instead.
    """
    return Meta(extra={"rr_unbuilt": note})


class Unreadable(ValueError):
    """A value can't be converted to the type of its key: the reason, what is expected, and how to write it."""

    def __init__(self, message: str, *, expected: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.hint = hint


# The words of strconv.ParseBool; YAML's yes/no/on/off are strings in RoadRunner and fail.
_BOOLS = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False", ""), False
)
_WHOLE = re.compile(
    r"([-+]?)(?:0[xX](?P<x>[0-9a-fA-F]+)|0[bB](?P<b>[01]+)|0[oO]?(?P<o>[0-7]+)|(?P<d>0|[1-9][0-9]*))", re.ASCII
)
_BASES = {"x": 16, "b": 2, "o": 8, "d": 10}
_LONGEST_WHOLE = 70  # digits: more than a binary int64; longer numbers are refused anyway, and int() is slow on them


def shown(value: object) -> str:
    """A value for messages: scalars are shortened, passwords in URLs masked, maps and lists only named."""
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list):
        return "a list"
    text: str = masked(to_string(value), ())
    if isinstance(value, str):
        # One line in every log and terminal, whatever a variable contains.
        text = f'"{text if text.isprintable() else text.encode("unicode_escape").decode()}"'
    return text if len(text) <= 60 else text[:57] + "..."


def parse_whole(text: str) -> int | None:
    """Parse an integer like Go's ``ParseInt(text, 0)``: ``0x1f``, ``0o17``, ``017``, ``0b1``; ``None`` if invalid."""
    found = _WHOLE.fullmatch(text.replace("_", "")) if len(text) <= _LONGEST_WHOLE else None
    if found is None or found.lastgroup is None:
        return None
    number = int(found[found.lastgroup], _BASES[found.lastgroup])
    return -number if found[1] == "-" else number


def to_int(value: object) -> int:
    """A whole number from a number, a numeric string (any Go base) or a bool; ``""`` (an unset variable) is 0."""
    number: int | None = None
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        number = int(value)
    elif isinstance(value, str):
        number = parse_whole(value or "0")
    if number is None or not -(2**63) <= number < 2**64:
        raise Unreadable(f"is {shown(value)}", expected="a whole number")
    return number


def to_float(value: object) -> float:
    """A float from a number, a numeric string or a bool; ``""`` is 0."""
    number = math.nan
    if isinstance(value, int | float | str):
        try:
            number = float(value or 0)
        except (ValueError, OverflowError):
            whole = parse_whole(value) if isinstance(value, str) else None
            number = math.nan if whole is None else float(whole)
    if not math.isfinite(number):
        raise Unreadable(f"is {shown(value)}", expected="a number")
    return number


def to_bool(value: object) -> bool:
    """A bool from a bool, a number (0 is false) or one of Go's words; ``""`` is false."""
    if isinstance(value, bool | int | float):
        return bool(value)
    if isinstance(value, str) and value in _BOOLS:
        return _BOOLS[value]
    meant = {"yes": "true", "y": "true", "on": "true", "no": "false", "n": "false", "off": "false"}
    word = meant.get(value.lower()) if isinstance(value, str) else None
    raise Unreadable(f"is {shown(value)}", expected="true or false", hint=f"write {word}" if word else "")


def to_string(value: object) -> str:
    """A scalar as text in Go's form: ``true`` is ``1``, ``1.0`` is ``1``, null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return repr(value)
    if isinstance(value, int):
        # str() refuses thousands of digits (from JSON); such a number is never a port or a password.
        return str(value) if value.bit_length() <= 4096 else f"{value:#x}"
    if isinstance(value, str):
        return value
    raise Unreadable(f"is {shown(value)}", expected="a string")


def to_duration(value: object) -> float:
    """Seconds from ``"1m30s"`` or from a bare integer in nanoseconds."""
    expected = 'a duration such as "30s", "1m30s", "500ms"'
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unreadable(f"is {shown(value)}", expected=expected)
    if isinstance(value, str):
        try:
            seconds = parse_duration(value)
        except ValueError as wrong:
            raise Unreadable(f"{shown(value)} {wrong}", expected=expected) from None
    elif isinstance(value, float) and not value.is_integer():
        raise Unreadable(f"{shown(value)} has no unit", expected=expected, hint=f'write "{value}s" for seconds')
    elif abs(value) >= 2**63:
        raise Unreadable(f"is {shown(value)} nanoseconds, longer than 292 years", expected=expected)
    else:
        seconds = value / 1_000_000_000
    if seconds < 0:
        raise Unreadable(f"{shown(value)} is negative", expected=expected)
    return seconds


def to_string_list(value: object) -> list[str]:
    """A list of scalars, or a string split at commas (blanks around items and empty items are dropped)."""
    if isinstance(value, list):
        return [to_string(item) for item in value]
    if isinstance(value, Mapping):
        raise Unreadable("is a map", expected="a list of strings, or one string with commas")
    return [part.strip() for part in to_string(value).split(",") if part.strip()]


def to_command(value: object) -> list[str]:
    """Arguments: a list of two or more is used as it is; one string (or a list of one) is split by
    ``command_line.py``."""
    expected = "a command: a string, or a list of arguments"
    words = [to_string(item) for item in value] if isinstance(value, list) else [value]
    if len(words) != 1:
        return [to_string(word) for word in words]
    if not isinstance(words[0], str):
        raise Unreadable(f"is {shown(value)}", expected=expected)
    try:
        return split_command(words[0])
    except ValueError as wrong:
        raise Unreadable(f"{shown(value)} {wrong}", expected=expected) from None


def to_map(value: object) -> dict[str, Any]:
    """A map, or a list of maps merged into one (later ones win), such as the common ``env: [{A: 1}, {B: 2}]``."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        return {key: item for part in value for key, item in part.items()}
    raise Unreadable(f"is {shown(value)}", expected="a map")


def to_string_map(value: object) -> dict[str, str]:
    """A map (or list of maps) whose values are scalars."""
    return {key: to_string(item) for key, item in to_map(value).items()}
