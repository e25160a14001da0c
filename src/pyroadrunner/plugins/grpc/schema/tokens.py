"""Splits the text of a ``.proto`` file into tokens. (https://protobuf.dev/reference/protobuf/proto3-spec/) Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pyroadrunner.plugins.grpc.schema.errors import ProtoSyntaxError

_TOKEN = re.compile(
    r"""
    (?P<skip>  [\s\f\v]+ | //[^\n]* | /\*.*?\*/ )
  | (?P<word>  [A-Za-z_][A-Za-z0-9_]* )
  | (?P<text>  "(?:[^"\\\n]|\\[^\n])*" | '(?:[^'\\\n]|\\[^\n])*' )
  | (?P<number>\.?[0-9](?:[eE][+-]?[0-9]|[A-Za-z0-9_.])* )
  | (?P<mark>  [^\s"'/\x00-\x1f] | /(?![/*]) )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


class Token(NamedTuple):
    """A token.

    Attributes:
        kind: ``word``, ``text`` (a string literal), ``number``, ``mark`` (one character), ``end``.
        value: as written; empty at the end.
        offset: its first character.
    """

    kind: str
    value: str
    offset: int

    def __str__(self) -> str:
        return "the end of the file" if self.kind == "end" else f'"{self.value}"'


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a file, without comments; the last one is the end.

    Raises:
        ProtoSyntaxError: a comment or a string does not end, or a character is not allowed.
    """
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise error_at(source, at, _why(source, at))
        if match.lastgroup != "skip":
            yield Token(match.lastgroup or "", match[0], at)
        at = match.end()
    yield Token("end", "", at)


def error_at(source: str, offset: int, why: str) -> ProtoSyntaxError:
    """An error at a place in the text."""
    return ProtoSyntaxError(source.count("\n", 0, offset) + 1, offset - (source.rfind("\n", 0, offset) + 1) + 1, why)


def _why(source: str, at: int) -> str:
    if source.startswith("/*", at):
        return "the comment does not end"
    if source[at] in "\"'":
        return "the string does not end on its line"
    return f"the character {source[at]!r} is not allowed"
