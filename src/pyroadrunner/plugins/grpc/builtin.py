"""Services that the server offers itself, without a worker: health and reflection. Pure.

They are stream handlers (:data:`pyroadrunner.grpcd.StreamHandler`), the unary ones, too, and know messages, not HTTP/2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from pyroadrunner.grpcd import GrpcStatus, StatusCode, Stream, StreamHandler
from pyroadrunner.proto.grpc.v1 import health_pb2, reflection_pb2

HEALTH = "grpc.health.v1.Health"
REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
BUILTIN_SERVICES = (HEALTH, *REFLECTION)

BuiltinMethods: TypeAlias = Mapping[str, StreamHandler]
"""Handlers by path, such as ``/grpc.health.v1.Health/Check``."""

_OURS = "pyroadrunner."  # before the standard package; see proto/grpc/v1


async def only_message(call: Stream) -> bytes:
    """The only message of a unary call.

    Raises:
        GrpcStatus: UNIMPLEMENTED if the client has sent none, or several, as gRPC asks of servers.
    """
    message = await call.receive()
    if message is None:
        raise GrpcStatus(StatusCode.UNIMPLEMENTED, "the client sent no message")
    if await call.receive() is not None:
        raise GrpcStatus(StatusCode.UNIMPLEMENTED, "the client sent more than one message")
    return message


def builtin_files() -> list[FileDescriptorProto]:
    """Descriptors of the services, with their standard names."""
    return [
        _standard(health_pb2.DESCRIPTOR.serialized_pb, "v1", "v1"),
        _standard(reflection_pb2.DESCRIPTOR.serialized_pb, "v1", "v1"),
        _standard(reflection_pb2.DESCRIPTOR.serialized_pb, "v1", "v1alpha"),
    ]


def _standard(serialized: bytes, version: str, wanted: str) -> FileDescriptorProto:
    file = FileDescriptorProto.FromString(serialized)
    own = file.package
    file.package = own.removeprefix(_OURS).removesuffix(version) + wanted
    file.name = f"{file.package.replace('.', '/')}/{file.name.rpartition('/')[2]}"

    def rename(name: str) -> str:
        return f".{file.package}{name.removeprefix(f'.{own}')}" if name.startswith(f".{own}.") else name

    for message in file.message_type:
        _rename_types(message, rename)
    for service in file.service:
        for method in service.method:
            method.input_type, method.output_type = rename(method.input_type), rename(method.output_type)
    return file


def _rename_types(message: DescriptorProto, rename: Callable[[str], str]) -> None:
    for field in message.field:
        if field.type_name:
            field.type_name = rename(field.type_name)
    for nested in message.nested_type:
        _rename_types(nested, rename)
