"""Parse command lines by RoadRunner's rules (Go's pflag and cobra). Pure. Imports little, to keep ``rr --version``
fast.

Flags may stand before and after the command: ``rr -c x serve`` is ``rr serve -c x``. They are written
``--name value``, ``--name=value``, ``-n value``, ``-nvalue``, ``-n=value``, ``-ab`` for ``-a -b``, ``--bool=false``;
``--`` ends them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


class UsageError(Exception):
    """An invalid command line. The texts are RoadRunner's."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One flag. ``value`` names its value (``FILE``); empty = a boolean flag. ``many`` = it may be repeated."""

    name: str
    short: str = ""
    value: str = ""
    many: bool = False
    help: str = ""

    def spelled(self) -> str:
        """``-c, --config FILE``"""
        short = f"-{self.short}, " if self.short else "    "
        return f"{short}--{self.name}{' ' + self.value if self.value else ''}"


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command: its words after ``rr``, the arguments it takes, its own flags.

    ``most`` is the maximum number of arguments (``None`` = no limit).
    """

    words: tuple[str, ...]
    help: str
    arguments: str = ""
    most: int | None = 0
    flags: tuple[Flag, ...] = ()
    example: str = ""


@dataclass(kw_only=True)
class Line:
    """A parsed command line.

    Attributes:
        command: ``None`` without a command, or if only the first word of a group such as ``config`` was given.
        words: the words of the command or group.
        arguments: the words that are neither flags nor part of the command.
        values: by flag name: a string, a list (for ``many``), or a bool. Contains only flags that were given.
    """

    command: Command | None
    words: tuple[str, ...]
    arguments: list[str]
    values: dict[str, str | bool | list[str]] = field(default_factory=dict)

    def text(self, flag: str, default: str = "") -> str:
        value = self.values.get(flag, default)
        return value if isinstance(value, str) else default

    def on(self, flag: str) -> bool:
        return self.values.get(flag) is True

    def texts(self, flag: str) -> tuple[str, ...]:
        value = self.values.get(flag)
        return tuple(value) if isinstance(value, list) else ()


def parse(arguments: Sequence[str], commands: Sequence[Command], shared: Sequence[Flag]) -> Line:
    """Parse the arguments after ``rr``.

    Args:
        shared: flags of every command.

    Raises:
        UsageError: an unknown flag or command, a missing or invalid value, or too many arguments.
    """
    # The command decides which flags are allowed, but to find the command the parser must know which flags take a
    # value. So it accepts all flags first, and rejects those of other commands later.
    known = [*shared, *(flag for command in commands for flag in command.flags)]
    line = Line(command=None, words=(), arguments=[])
    given: list[tuple[Flag, str]] = []
    for item in _items(arguments, known):
        if isinstance(item, str):
            line.arguments.append(item)
        else:
            flag, spelling, value = item
            given.append((flag, spelling))
            _set(line, flag, spelling, value)
    _find_command(line, commands)
    allowed = {flag.name for flag in (*shared, *(line.command.flags if line.command else ()))}
    for flag, spelling in given:
        if flag.name not in allowed:
            raise UsageError(_unknown(spelling))
    _count_arguments(line)
    return line


def _items(arguments: Sequence[str], known: Sequence[Flag]) -> Iterator[str | tuple[Flag, str, str | None]]:
    """Yield words, and flags with their spelling and value."""
    long = {flag.name: flag for flag in known}
    short = {flag.short: flag for flag in known if flag.short}
    rest = list(arguments)[::-1]
    while rest:
        word = rest.pop()
        if word == "--":
            yield from rest[::-1]
            return
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            flag = long.get(name)
            if flag is None:
                raise UsageError(_unknown(f"--{name}"))
            yield flag, f"--{name}", value if equals else _next(flag, rest, f"--{name}")
        elif word.startswith("-") and len(word) > 1:
            yield from _shorthands(word, short, rest)
        else:
            yield word


def _shorthands(word: str, short: dict[str, Flag], rest: list[str]) -> Iterator[tuple[Flag, str, str | None]]:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = short.get(letter)
        spelling = f"'{letter}' in {word}"
        if flag is None:
            raise UsageError(_unknown(spelling))
        if letters.startswith("="):
            yield flag, spelling, letters[1:]
            return
        if flag.value and letters:
            yield flag, spelling, letters
            return
        yield flag, spelling, _next(flag, rest, spelling)


def _next(flag: Flag, rest: list[str], spelling: str) -> str | None:
    if not flag.value:
        return None
    if not rest:
        raise UsageError(f"flag needs an argument: {spelling}")
    return rest.pop()


def _set(line: Line, flag: Flag, spelling: str, value: str | None) -> None:
    if flag.many:
        held = line.values.setdefault(flag.name, [])
        assert isinstance(held, list)
        held.append(value or "")
    elif flag.value:
        line.values[flag.name] = value or ""
    elif value is None or value in _TRUE:
        line.values[flag.name] = True
    elif value in _FALSE:
        line.values[flag.name] = False
    else:
        raise UsageError(f'invalid argument "{value}" for "{flag.spelled().strip()}" flag: expected true or false')


def _unknown(spelling: str) -> str:
    return f"unknown flag: {spelling}" if spelling.startswith("--") else f"unknown shorthand flag: {spelling}"


def _find_command(line: Line, commands: Sequence[Command]) -> None:
    """Set the longest command that matches the first arguments."""
    words = tuple(line.arguments)
    for command in sorted(commands, key=lambda command: -len(command.words)):
        if words[: len(command.words)] == command.words:
            line.command, line.words = command, command.words
            line.arguments = line.arguments[len(command.words) :]
            return
    if words and any(command.words[0] == words[0] for command in commands):  # `rr config` alone
        line.words, line.arguments = words[:1], line.arguments[1:]
    if line.arguments:
        depth = len(line.words)
        below = [command.words[depth] for command in commands if command.words[:-1][:depth] == line.words]
        near = _near(line.arguments[0], below)
        raise UsageError(f'unknown command "{line.arguments[0]}" for "{" ".join(("rr", *line.words))}"{near}')


def _near(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # slow to import, needed only here

    near = get_close_matches(word, known, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def _count_arguments(line: Line) -> None:
    most = line.command.most if line.command else 0
    if most is not None and len(line.arguments) > most:
        words = " ".join(("rr", *line.words))
        if most == 0:
            raise UsageError(f'unknown command "{line.arguments[0]}" for "{words}"')
        raise UsageError(f"{words} accepts at most {most} argument(s), received {len(line.arguments)}")
