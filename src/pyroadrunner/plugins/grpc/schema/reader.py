"""Reads the listed files and what they import.

Files are named in imports by their path below an import root. RoadRunner knows one root per listed file, the file's own
folder, at all depths. Where that leaves imports unresolved, the folders above it are tried, up to the working
directory, and the first one that resolves all of them is taken: the layout of most projects (``proto/acme/v1/a.proto``
with ``import "acme/v1/b.proto"``).

A missing or unreadable import is no error. Its file serves calls all the same, only not to reflection.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from pyroadrunner.plugins.grpc.schema.errors import ProtoSyntaxError, SchemaError
from pyroadrunner.plugins.grpc.schema.listed import ListedFile, listed_files
from pyroadrunner.plugins.grpc.schema.outline import Outline, read_outline
from pyroadrunner.plugins.grpc.schema.services import Service, Services

_WELL_KNOWN = "google/protobuf/"  # the compiler brings these along


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtoFile:
    """A listed file, ready for the compiler.

    Attributes:
        path: as listed.
        entry: the place in ``grpc.proto`` of what lists it.
        root: the import root, absolute.
        name: the path below it, as imports name it.
        imports: names of all files that it needs, directly or not.
    """

    path: str
    entry: int
    root: str
    name: str
    imports: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What the listed files say.

    Attributes:
        services: of the listed files and of what they import.
        files: the files that have all of their imports.
        notes: what was left out, and why: a place and a reason.
        warnings: the same, for what users probably did not intend.
    """

    services: Services = field(default_factory=Services)
    files: tuple[ProtoFile, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()


def read_schema(entries: Sequence[str], builtin: Collection[str] = ()) -> tuple[Schema, list[SchemaError]]:
    """Read ``grpc.proto``, relative to the working directory.

    Args:
        builtin: full names of services that the server itself offers; files can't replace them.

    Returns:
        the schema without what could not be read, and the errors, which prevent a start. Never raises for the content
        of files.
    """
    errors: list[SchemaError] = []
    return _Reader(builtin, errors).read(listed_files(entries, errors)), errors


@dataclass(frozen=True, slots=True)
class _Closure:
    """A file and all that it imports below one root.

    Attributes:
        files: real paths by the names of imports; the file itself is the first.
        problems: reasons why it can't be compiled.
    """

    root: str
    name: str
    files: dict[str, str]
    problems: list[str]


class _Reader:
    def __init__(self, builtin: Collection[str], errors: list[SchemaError]) -> None:
        self._builtin = builtin
        self._errors = errors
        self._outlines: dict[str, Outline | ProtoSyntaxError | None] = {}
        self._services: dict[str, tuple[Service, str]] = {}
        self._notes: list[tuple[str, str]] = []
        self._warnings: list[tuple[str, str]] = []

    def read(self, listed: Sequence[ListedFile]) -> Schema:
        closures = [(file, self._closure_of(file)) for file in listed if self._readable(file)]
        for _, closure in closures:
            for path in closure.files.values():
                outline = self._outline(path)
                assert isinstance(outline, Outline)
                self._offer(outline, path)
        for file, closure in closures:
            for problem in closure.problems:
                self._notes.append((file.path, problem))
        return Schema(
            services=Services(service for service, _ in self._services.values()),
            files=tuple(_compilable(closures)),
            notes=tuple(dict.fromkeys(self._notes)),
            warnings=tuple(dict.fromkeys(self._warnings)),
        )

    def _readable(self, file: ListedFile) -> bool:
        outline = self._outline(file.path)
        if isinstance(outline, Outline):
            return True
        why = f"{file.path}:{outline}" if outline else f"{file.path}: can't be read"
        self._errors.append(SchemaError(file.entry, why))
        return False

    def _outline(self, path: str) -> Outline | ProtoSyntaxError | None:
        """What a file says; an error for invalid text, ``None`` if it is not a file or not readable."""
        real = os.path.realpath(path)
        if real not in self._outlines:
            self._outlines[real] = _read(real)
        return self._outlines[real]

    def _closure_of(self, file: ListedFile) -> _Closure:
        path = os.path.abspath(file.path)
        roots = _roots(path)
        first = self._closure(next(roots), path)
        if not first.problems:
            return first
        return next((found for root in roots if not (found := self._closure(root, path)).problems), first)

    def _closure(self, root: str, path: str) -> _Closure:
        name = os.path.relpath(path, root)
        closure = _Closure(root, name, {name: os.path.realpath(path)}, [])
        above: list[str] = [name]  # the way from the file to the current import
        todo: list[Iterator[str]] = [self._imports(path)]
        while todo:
            wanted = next(todo[-1], None)
            if wanted is None:
                todo.pop()
                above.pop()
            elif wanted in above:
                closure.problems.append(
                    f"its imports form a cycle: {' -> '.join([*above[above.index(wanted) :], wanted])}"
                )
            elif wanted not in closure.files and (imported := self._import(closure, root, wanted)):
                closure.files[wanted] = imported
                above.append(wanted)
                todo.append(self._imports(imported))
        return closure

    def _import(self, closure: _Closure, root: str, wanted: str) -> str | None:
        path = os.path.realpath(f"{root}/{wanted}")
        outline = self._outline(path)
        if isinstance(outline, Outline):
            return path
        if isinstance(outline, ProtoSyntaxError):
            closure.problems.append(f"the import {wanted} is not valid: {path}:{outline}")
        elif not wanted.startswith(_WELL_KNOWN):
            closure.problems.append(f"the import {wanted} was not found")
        return None

    def _imports(self, path: str) -> Iterator[str]:
        outline = self._outline(path)
        return iter(outline.imports if isinstance(outline, Outline) else ())

    def _offer(self, outline: Outline, path: str) -> None:
        for service in outline.services:
            if service.name in self._builtin:
                self._warnings.append((path, f"the service {service.name} is the server's own; this one is not used"))
                continue
            known, where = self._services.setdefault(service.name, (service, path))
            if known.methods != service.methods:
                self._warnings.append((path, f"the service {service.name} is also declared in {where}, which is used"))


def _read(path: str) -> Outline | ProtoSyntaxError | None:
    try:
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as file:
            return read_outline(file.read())
    except ProtoSyntaxError as error:
        return error
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None


def _roots(path: str) -> Iterator[str]:
    """The folder of a file, and those above it up to the working directory if the file is below that."""
    folder = os.path.dirname(path)
    yield folder
    top = os.getcwd()
    while folder != top and folder.startswith(os.path.join(top, "")):
        folder = os.path.dirname(folder)
        yield folder


def _compilable(closures: list[tuple[ListedFile, _Closure]]) -> Iterator[ProtoFile]:
    """The files whose imports are complete. A file that another one imports is named as the import names it, so that
    it does not appear twice."""
    complete = [(file, closure) for file, closure in closures if not closure.problems]
    imported = {
        path: (closure.root, name)
        for _, closure in complete
        for name, path in closure.files.items()
        if name != closure.name
    }
    for file, closure in complete:
        path = closure.files[closure.name]
        if len(closure.files) == 1:
            root, name = imported.get(path, (closure.root, closure.name))
        else:
            root, name = closure.root, closure.name
        yield ProtoFile(
            path=file.path, entry=file.entry, root=root, name=name, imports=frozenset(closure.files) - {name}
        )
