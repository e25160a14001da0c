"""Compiles the listed files to descriptors, with protobuf's own compiler.

It comes with the package grpcio-tools and runs in a child process: it writes errors to its standard error and must not
take the server down. Only reflection needs what it makes.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import groupby

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from pyroadrunner.plugins.grpc.schema.errors import SchemaError
from pyroadrunner.plugins.grpc.schema.reader import ProtoFile
from pyroadrunner.workers.child_process import start_child

_OPTIONS = ("-I.", "--include_imports", "--descriptor_set_out=/dev/stdout")
_TIMEOUT = 60.0  # seconds; 8,000 lines take 0.1
_LAST = 1.0  # seconds to wait for the kernel after SIGKILL
_ERROR = re.compile(r"(?P<name>.+?):(?P<line>[0-9]+):(?P<column>[0-9]+): (?P<why>.*)")
# Errors of its parser. Others are about meaning: RoadRunner does not look for them.
_SYNTAX = ("Expected ", "Missing ", "Unmatched ", "Reached end ", "Unexpected ", "Unterminated ")


@dataclass(slots=True)
class Compiled:
    """What the compiler made.

    Attributes:
        sets: descriptors per import root: files with all that they import, imported files first.
        errors: invalid files, which prevent a start.
        warnings: files that were left out: a place and a reason.
    """

    sets: list[tuple[str, Sequence[FileDescriptorProto]]] = field(default_factory=list)
    errors: list[SchemaError] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)


def is_installed() -> bool:
    """Whether the compiler is installed (the extra ``grpc``)."""
    return find_spec("grpc_tools") is not None


async def compile_files(files: Iterable[ProtoFile]) -> Compiled:
    """Compile files. Those with errors are left out, as are those that import them.

    When cancelled, the compiler is killed.
    """
    compiled = Compiled()
    for root, group in groupby(sorted(files, key=lambda file: (file.root, file.name)), key=lambda file: file.root):
        await _compile_root(root, list(group), compiled)
    return compiled


async def _compile_root(root: str, files: list[ProtoFile], compiled: Compiled) -> None:
    while files:
        output, complaints = await _run(root, [file.name for file in files])
        if output is not None:
            compiled.sets.append((root, output))
            return
        wrong = _note_errors(complaints, root, files, compiled)
        files = [file for file in files if file.name not in wrong and not file.imports & wrong]


def _note_errors(complaints: str, root: str, files: list[ProtoFile], compiled: Compiled) -> set[str]:
    """Sort the compiler's lines into errors and warnings.

    Returns:
        names of invalid files; all if the lines name none.
    """
    listed = {file.name: file for file in files}
    wrong: set[str] = set()
    for line in complaints.splitlines():
        found = _ERROR.fullmatch(line)
        if found is None or found["why"].startswith("warning:"):
            continue
        name = found["name"]
        wrong.add(name)
        file = listed.get(name)
        where = f"{file.path if file else os.path.join(root, name)}:{found['line']}:{found['column']}"
        if file is not None and found["why"].startswith(_SYNTAX):
            compiled.errors.append(SchemaError(file.entry, f"{where}: {found['why']}"))
        elif not found["why"].startswith("Import "):  # follows the error of the imported file
            compiled.warnings.append((where, found["why"]))
    if not wrong & {name for file in files for name in (file.name, *file.imports)}:
        compiled.warnings.append((root, complaints.strip() or "the compiler of grpcio-tools failed"))
        return set(listed)
    return wrong


async def _run(root: str, names: Sequence[str]) -> tuple[Sequence[FileDescriptorProto] | None, str]:
    """Run the compiler in an import root.

    Returns:
        the descriptors, or ``None`` after errors; and what it wrote to its standard error.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        try:
            child = start_child(
                # -P: not from the working directory. ./: a name may begin with a dash.
                [*(sys.executable, "-P", "-m", "grpc_tools.protoc"), *_OPTIONS, *(f"./{name}" for name in names)],
                env=os.environ,
                stdout=output.fileno(),
                stderr=complaints.fileno(),
                folder=root,
            )
        except (OSError, ValueError) as error:
            return None, str(error)
        try:
            status = await child.wait(_TIMEOUT)
        finally:
            child.kill()
            await child.wait(_LAST)
        complaints.seek(0)
        text = complaints.read().decode(errors="replace")
        if status is None:
            return None, f"the compiler did not finish within {_TIMEOUT:g} seconds"
        if status:
            return None, text
        output.seek(0)
        try:
            return list(FileDescriptorSet.FromString(output.read()).file), text
        except DecodeError as error:
            return None, str(error)
