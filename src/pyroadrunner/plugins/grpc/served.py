"""What the server offers to clients: the services of ``grpc.proto``, and their descriptors for reflection."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.log import Log
from pyroadrunner.plugins.grpc.builtin import BUILTIN_SERVICES, builtin_files
from pyroadrunner.plugins.grpc.schema.compiler import compile_files, is_installed
from pyroadrunner.plugins.grpc.schema.descriptors import Descriptors
from pyroadrunner.plugins.grpc.schema.errors import SchemaInvalid
from pyroadrunner.plugins.grpc.schema.reader import Schema, read_schema

log = Log("grpc")


def read_served(entries: Sequence[str]) -> Schema:
    """Read the listed files.

    Raises:
        SchemaInvalid: some can't be read.
    """
    schema, errors = read_schema(entries, BUILTIN_SERVICES)
    if errors:
        raise SchemaInvalid(errors)
    for where, why in schema.warnings:
        log.warning(f"{where}: {why}")
    for where, why in schema.notes:
        log.debug("reflection does not know a file", file=where, reason=why)
    return schema


async def describe(schema: Schema) -> Descriptors:
    """Descriptors of the files and of the server's own services.

    Raises:
        SchemaInvalid: the compiler finds syntax errors.
    """
    descriptors = Descriptors()
    descriptors.add("", builtin_files())
    if not schema.files:
        return descriptors
    if not is_installed():
        log.info("reflection lists services but can't describe them: pip install 'pyroadrunner[grpc]'")
        return descriptors
    compiled = await compile_files(schema.files)
    if compiled.errors:
        raise SchemaInvalid(compiled.errors)
    for where, why in compiled.warnings:
        log.warning("reflection does not know a file", file=where, reason=why)
    for root, files in compiled.sets:
        descriptors.add(root, files)
    return descriptors
