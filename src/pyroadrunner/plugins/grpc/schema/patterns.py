"""Patterns of file names: ``**``, ``*``, ``?``, ``[a-z]``, ``{a,b}``, as in Go's doublestar. Pure.

``*``, ``?`` and classes match within one name, hidden ones, too; ``**`` as a whole name matches any number of folders.
A backslash makes the next character literal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyroadrunner.plugins.grpc.schema.errors import MalformedPattern

_META = frozenset("*?[{")
_LONGEST = 4096  # characters of a pattern: as many as a path may have
_MOST_ALTERNATIVES = 1024


def is_pattern(entry: str) -> bool:
    """Whether an entry of ``grpc.proto`` is a pattern, not the path of one file."""
    return not _META.isdisjoint(entry)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern without ``{}``.

    Attributes:
        root: the folder that holds all matches; empty = the working directory.
        parts: an expression per name below it; ``None`` = ``**``.
    """

    root: str
    parts: tuple[re.Pattern[str] | None, ...]

    @property
    def deepest(self) -> int | None:
        """How many names below the root a match has; ``None`` = any number."""
        return None if None in self.parts else len(self.parts)

    def matches(self, names: tuple[str, ...]) -> bool:
        """Whether a path below the root matches. Linear in names times parts."""
        reached = self._through({0})
        for name in names:
            reached = self._through(
                {
                    at if part is None else at + 1
                    for at, part in self._open(reached)
                    if part is None or part.fullmatch(name)
                }
            )
        return len(self.parts) in reached

    def _open(self, reached: set[int]) -> list[tuple[int, re.Pattern[str] | None]]:
        return [(at, self.parts[at]) for at in reached if at < len(self.parts)]

    def _through(self, reached: set[int]) -> set[int]:
        """Also what is reached if each ``**`` matches nothing."""
        found = set(reached)
        for at in reached:
            while at < len(self.parts) and self.parts[at] is None:
                at += 1
                found.add(at)
        return found


def parse_patterns(text: str) -> list[Pattern]:
    """The patterns of an entry, one for each combination of its alternatives.

    Raises:
        MalformedPattern
    """
    if len(text) > _LONGEST:
        raise MalformedPattern(f"the pattern is longer than {_LONGEST} characters")
    return [_pattern(expanded) for expanded in _expand(text)]


def _expand(text: str) -> list[str]:
    """Replace ``{a,b}``, from the outside in."""
    done: list[str] = []
    todo = [text]
    while todo:
        found = todo.pop()
        start = _find(found, "{", 0)
        if start < 0:
            if _find(found, "}", 0) >= 0:
                raise MalformedPattern('"}" without "{"')
            done.append(found)
        else:
            options, end = _alternatives(found, start)
            todo += [found[:start] + option + found[end:] for option in reversed(options)]
        if len(done) + len(todo) > _MOST_ALTERNATIVES:
            raise MalformedPattern(f"the pattern has more than {_MOST_ALTERNATIVES} alternatives")
    return done


def _find(text: str, mark: str, start: int) -> int:
    """The first ``mark`` outside classes and not after a backslash; -1 = none."""
    at = start
    while at < len(text):
        if text[at] == mark:
            return at
        at = _after(text, at)
    return -1


def _after(text: str, at: int) -> int:
    """The position after the character, escape or class at ``at``.

    Raises:
        MalformedPattern: it does not end.
    """
    if text[at] == "\\":
        if at + 1 == len(text):
            raise MalformedPattern('nothing follows the last "\\"')
        return at + 2
    return _class_end(text, at) if text[at] == "[" else at + 1


def _alternatives(text: str, start: int) -> tuple[list[str], int]:
    """The alternatives of the ``{`` at ``start``, and the position after its ``}``."""
    options = []
    depth = 0
    at = begin = start + 1
    while at < len(text):
        mark = text[at]
        if mark == "{":
            depth += 1
        elif mark == "}" and depth:
            depth -= 1
        elif mark == "}":
            options.append(text[begin:at])
            return options, at + 1
        elif mark == "," and not depth:
            options.append(text[begin:at])
            begin = at + 1
        at = _after(text, at)
    raise MalformedPattern('"{" is not closed')


def _class_end(text: str, start: int) -> int:
    """The position after the class that begins at ``start``."""
    at = start + 1
    if text[at : at + 1] in ("!", "^"):
        at += 1
    first = at
    while at < len(text):
        if text[at] == "]" and at > first:
            return at + 1
        at += 2 if text[at] == "\\" else 1
    raise MalformedPattern('"[" is not closed')


def _pattern(text: str) -> Pattern:
    names = [name for name in _split(text) if name not in ("", ".")]
    literal = 0
    while literal < len(names) - 1 and not is_pattern(names[literal]):
        literal += 1
    root = "/" if text.startswith("/") else ""
    root += "/".join(re.sub(r"\\(.)", r"\1", name) for name in names[:literal])
    return Pattern(root, tuple(None if name == "**" else _compile(name) for name in names[literal:]))


def _split(text: str) -> list[str]:
    names = [""]
    at = 0
    while at < len(text):
        after = _after(text, at)
        if text[at] == "/":
            names.append("")
        else:
            names[-1] += text[at:after]
        at = after
    return names


def _compile(name: str) -> re.Pattern[str]:
    made = ""
    at = 0
    while at < len(name):
        mark, after = name[at], _after(name, at)
        if mark == "*":
            while name[after : after + 1] == "*":
                after += 1
            made += ".*"
        elif mark == "?":
            made += "."
        elif mark == "[":
            made += _class(name[at:after])
        else:
            made += re.escape(name[at:after].removeprefix("\\") if mark == "\\" else mark)
        at = after
    return re.compile(made, re.DOTALL)


def _class(text: str) -> str:
    """``[!a-z]`` as an expression."""
    inner = text[1:-1]
    negated = inner[:1] in ("!", "^")
    made = ""
    at = int(negated)
    while at < len(inner):
        low, at = _member(inner, at)
        if inner[at : at + 1] == "-" and at + 1 < len(inner):
            high, at = _member(inner, at + 1)
            if high < low:
                raise MalformedPattern(f'"{low}-{high}" in "{text}" is empty')
            made += f"{re.escape(low)}-{re.escape(high)}"
        else:
            made += re.escape(low)
    return f"[{'^' if negated else ''}{made}]"


def _member(inner: str, at: int) -> tuple[str, int]:
    if inner[at] == "\\" and at + 1 < len(inner):
        at += 1
    return inner[at], at + 1
