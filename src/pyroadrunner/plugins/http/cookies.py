"""Reads ``Cookie`` headers as Go's ``net/http`` does, and decodes the values as RoadRunner does. Pure, and on the hot
path: most lines are read by one regular expression, all others by the rules one by one, with the same result."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_MOST_COOKIES = 3000
_COOKIE_BYTES = 128  # what a decoded cookie takes in memory besides its text

# Go net/http, readCookies: a name is a token, a value printable ASCII without quote, semicolon, backslash.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\x20\x21\x23-\x3a\x3c-\x5b\x5d-\x7e]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# One cookie as browsers send it, without blanks and quotes. If the line has anything else, the last cookie found has no
# name. The quantifiers are possessive, so the time is linear.
_USUAL = re.compile(rf"({_NAME.pattern}+)=([\x21\x23-\x3a\x3c-\x5b\x5d-\x7e]*+)(?:; |\Z)|(?s:.+)")


def parse_cookies(line: str) -> dict[str, str]:
    """Names and decoded values of a ``Cookie`` header. The last of a name wins; cookies that Go refuses are left out.
    If there are more than ``_MOST_COOKIES``, none is decoded, as in Go since 1.24.8: no browser sends that many."""
    jar: dict[str, str] = {}
    if line.count(";") >= _MOST_COOKIES:
        return jar
    found = _USUAL.findall(line)
    if not (found and found[-1][0]):
        found = _split(line)
    for name, value in found:
        if "%" in value:
            value = value.replace("%3D", "=")  # the padding of base64, often the only escape
        if "%" in value or "+" in value:
            if _BAD_ESCAPE.search(value):
                continue
            value = unquote_to_bytes(value.replace("+", " ")).decode("utf-8", "replace")
        jar[name] = value
    return jar


def size_in_memory(line: str, jar: dict[str, str]) -> int:
    """About how many bytes a line and its cookies take."""
    return 2 * len(line) + _COOKIE_BYTES * len(jar)


def _split(line: str) -> list[tuple[str, str]]:
    """The cookies of any line, with their values as they are."""
    found = []
    for part in line.split(";"):
        name, _, value = part.strip(" \t").partition("=")
        name = name.strip(" \t")
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if _NAME.fullmatch(name) and _VALUE.fullmatch(value):
            found.append((name, value))
    return found
