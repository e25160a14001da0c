"""Parse dotenv files (``--dotenv``, ``envfile``): ``NAME=value`` lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pyroadrunner.config.expand import expand
from pyroadrunner.config.yaml_text import TextFault

_ENTRY = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[\w.\-]+)[ \t]*[=:][ \t]*
    (?:
        '(?P<single>[^']*)'
      | "(?P<double>(?:\\.|[^"\\])*)"
      | (?P<bare>(?!['"])[^\r\n]*)
    )
    [ \t]*(?:\#[^\n]*)?\r?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_IDLE = re.compile(r"(?:[ \t\r]*(?:\#[^\n]*)?\n)*[ \t\r]*(?:\#[^\n]*\Z)?")  # blank lines and comments
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One variable and its first line."""

    name: str
    value: str
    line: int


def parse_dotenv(text: str, env: Mapping[str, str] | None) -> list[Entry]:
    """The variables in order. ``'...'`` is literal; elsewhere earlier variables and ``env`` are expanded.

    Args:
        env: values for ``$NAME`` besides earlier variables; ``None`` = ``$`` is not expanded.

    Raises:
        TextFault: a line is not an assignment, or a quote is not closed.
    """
    entries: list[Entry] = []
    known = None if env is None else dict(env)
    position = _after_idle(text, 0)
    while position < len(text):
        line = text.count("\n", 0, position) + 1
        found = _ENTRY.match(text, position)
        if found is None:
            raise TextFault("is not NAME=value, or a quote is not closed", line)
        entries.append(Entry(found["name"], _value(found, known), line))
        if known is not None:
            known[found["name"]] = entries[-1].value
        position = _after_idle(text, found.end())
    return entries


def _after_idle(text: str, position: int) -> int:
    idle = _IDLE.match(text, position)
    return idle.end() if idle else position


def _value(found: re.Match[str], known: Mapping[str, str] | None) -> str:
    def expanded(part: str) -> str:
        return part if known is None else expand(part, known)

    if found["single"] is not None:
        return found["single"]
    if found["double"] is not None:
        parts = re.split(r"\\(.)", found["double"], flags=re.DOTALL)  # text, escaped, text, escaped, ..., text
        return "".join(_ESCAPES.get(part, part) if i % 2 else expanded(part) for i, part in enumerate(parts))
    return expanded(re.split(r"(?:^|\s)#", found["bare"])[0].strip())
