"""The text of ``rr help``, generated from the command tables. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyroadrunner.cli.command_table import COMMANDS, SHARED
from pyroadrunner.cli.flags import Command, Flag
from pyroadrunner.cli.palette import HEADING, paint

_HEADING = re.compile(r"^[A-Z][\w ]*:$", re.MULTILINE)
_ABOUT = "pyroadrunner: an application server that keeps PHP and Python workers running between requests."


def help_text(words: Sequence[str], *, coloured: bool = False) -> str:
    """The help of a command, of a group such as ``config``, or of ``rr`` if there are no words."""
    text = _help_text(words)
    return _HEADING.sub(lambda found: paint(found[0], HEADING), text) if coloured else text


def _help_text(words: Sequence[str]) -> str:
    command = next((command for command in COMMANDS if command.words == tuple(words)), None)
    if command is not None:
        return _command_help(command)
    below = [command for command in COMMANDS if command.words[: len(words)] == tuple(words)]
    lines = [_ABOUT, ""] if not words else []
    lines += ["Usage:", f"  {' '.join(('rr', *words))} COMMAND [flags]", "", "Commands:", *_commands(below)]
    return "\n".join([*lines, "", *_flags("Flags of every command:", SHARED)])


def _command_help(command: Command) -> str:
    usage = " ".join(part for part in ("rr", *command.words, command.arguments, "[flags]") if part)
    lines = [command.help, "", "Usage:", f"  {usage}"]
    if command.example:
        lines += ["", "Example:", f"  {command.example}"]
    if command.flags:
        lines += ["", *_flags("Flags:", command.flags)]
    if below := [other for other in COMMANDS if other.words[:-1] == command.words]:
        lines += ["", "Commands:", *_commands(below)]
    return "\n".join([*lines, "", *_flags("Flags of every command:", SHARED)])


def _commands(found: Sequence[Command]) -> list[str]:
    return _rows([(" ".join((*command.words, command.arguments)).strip(), command.help) for command in found])


def _flags(title: str, flags: Sequence[Flag]) -> list[str]:
    return [title, *_rows([(flag.spelled(), flag.help) for flag in flags])]


def _rows(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(left) for left, _ in rows)
    return [f"  {left.ljust(width)}  {right}" for left, right in rows]
