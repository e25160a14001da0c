"""Errors in ``grpc.proto`` and in the files it lists. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pyroadrunner.errors import RoadRunnerError


class SchemaError(RoadRunnerError):
    """An entry of ``grpc.proto`` can't be used.

    Attributes:
        entry: its place, from 0.
        why: the error without the key.
    """

    def __init__(self, entry: int, why: str) -> None:
        super().__init__(f"grpc.proto[{entry}]: {why}")
        self.entry = entry
        self.why = why


class SchemaInvalid(RoadRunnerError):
    """Entries of ``grpc.proto`` can't be used; the text has a line for each."""

    def __init__(self, errors: Iterable[SchemaError]) -> None:
        super().__init__("\n".join(map(str, errors)))


class ProtoSyntaxError(RoadRunnerError):
    """The text of a ``.proto`` file is not valid.

    Attributes:
        line: from 1.
        column: from 1.
    """

    def __init__(self, line: int, column: int, why: str) -> None:
        super().__init__(f"{line}:{column}: {why}")
        self.line = line
        self.column = column
        self.why = why


class MalformedPattern(ValueError):
    """A pattern of file names is not valid."""
