"""The files that ``grpc.proto`` lists."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyroadrunner.plugins.grpc.schema.errors import MalformedPattern, SchemaError
from pyroadrunner.plugins.grpc.schema.patterns import Pattern, is_pattern, parse_patterns


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file, and the entry that lists it.

    Attributes:
        path: as the entry names it.
        entry: its place, from 0.
    """

    path: str
    entry: int


def listed_files(entries: Sequence[str], errors: list[SchemaError]) -> list[ListedFile]:
    """The files of all entries, each once, in the order of the entries; those of a pattern are sorted.

    Paths are relative to the working directory. Empty entries are skipped, and a pattern may match nothing.

    Args:
        errors: gets a :class:`SchemaError` per entry that can't be used.
    """
    found: dict[str, ListedFile] = {}
    for at, entry in enumerate(entries):
        try:
            paths = _paths(entry)
        except MalformedPattern as wrong:
            errors.append(SchemaError(at, f'"{entry}": {wrong}'))
            continue
        except (OSError, ValueError) as error:
            errors.append(SchemaError(at, f'"{entry}": {_reason(error)} (looked in {os.getcwd()})'))
            continue
        for path in paths:
            found.setdefault(os.path.realpath(path), ListedFile(path, at))
    return list(found.values())


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _paths(entry: str) -> list[str]:
    if not entry:
        return []
    if is_pattern(entry):
        return sorted({path for pattern in parse_patterns(entry) for path in _matches(pattern)})
    os.stat(entry)
    if not os.path.isfile(entry):
        raise ValueError("is not a regular file")
    return [entry]


def _matches(pattern: Pattern) -> Iterator[str]:
    """Files that match; symbolic links to folders are not followed below the first ``**``, so they can't loop."""
    if not pattern.parts:
        return
    start = pattern.root or "."
    follow = pattern.deepest is not None
    for folder, folders, files in os.walk(start, followlinks=follow):
        below = os.path.relpath(folder, start)
        names = () if below == "." else tuple(below.split(os.sep))
        for file in files:
            if pattern.matches((*names, file)):
                path = os.path.join(pattern.root, *names, file)
                if os.path.isfile(path):
                    yield path
        if pattern.deepest is not None and len(names) + 1 >= pattern.deepest:
            folders.clear()
