from __future__ import annotations

import asyncio

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroadrunner.grpcd import GrpcStatus
from pyroadrunner.plugins.grpc.builtin import builtin_files
from pyroadrunner.plugins.grpc.reflection import Reflection
from pyroadrunner.plugins.grpc.schema.descriptors import Descriptors
from pyroadrunner.proto.grpc.v1.reflection_pb2 import (
    ExtensionRequest,
    ServerReflectionRequest,
    ServerReflectionResponse,
)
from support.grpc_stream import FakeStream
from support.virtual_time import in_virtual_time

V1, ALPHA = (f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha"))


def reflection() -> Reflection:
    base = FileDescriptorProto(name="base.proto", package="x")
    base.message_type.add(name="Base").extension_range.add(start=1, end=10)
    user = FileDescriptorProto(name="user.proto", package="x", dependency=["base.proto"])
    user.service.add(name="S")
    user.extension.add(name="e", number=7, extendee=".x.Base")
    descriptors = Descriptors()
    descriptors.add("", builtin_files())
    descriptors.add("/", [base, user])
    return Reflection(["x.S"], descriptors)


async def ask(*requests: ServerReflectionRequest, path: str = V1) -> list[ServerReflectionResponse]:
    call = FakeStream(request.SerializeToString() for request in requests)
    await reflection().methods()[path](call)
    answers = [ServerReflectionResponse.FromString(message) for message in call.sent]
    assert [answer.original_request for answer in answers] == list(requests)
    return answers


def files(answer: ServerReflectionResponse) -> list[str]:
    return [FileDescriptorProto.FromString(data).name for data in answer.file_descriptor_response.file_descriptor_proto]


@pytest.mark.parametrize("path", [V1, ALPHA])
@in_virtual_time
async def test_services_are_listed_with_the_servers_own(path: str) -> None:
    (answer,) = await ask(ServerReflectionRequest(host="h", list_services=""), path=path)
    assert answer.valid_host == "h"
    assert [service.name for service in answer.list_services_response.service] == [
        *("grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"),
        "x.S",
    ]


@in_virtual_time
async def test_files_come_with_their_imports_once_per_stream() -> None:
    answers = await ask(
        ServerReflectionRequest(file_containing_symbol="x.S"),
        ServerReflectionRequest(file_by_filename="base.proto"),
        ServerReflectionRequest(file_by_filename="user.proto"),
        ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health"),
    )
    assert [files(answer) for answer in answers] == [
        *(["user.proto", "base.proto"], ["base.proto"], ["user.proto"], ["grpc/health/v1/health.proto"]),
    ]


@in_virtual_time
async def test_extensions_are_found() -> None:
    by_number, numbers, none = await ask(
        ServerReflectionRequest(
            file_containing_extension=ExtensionRequest(containing_type="x.Base", extension_number=7)
        ),
        ServerReflectionRequest(all_extension_numbers_of_type="x.Base"),
        ServerReflectionRequest(all_extension_numbers_of_type="x.S"),
    )
    assert files(by_number) == ["user.proto", "base.proto"]
    assert numbers.all_extension_numbers_response.base_type_name == "x.Base"
    assert list(numbers.all_extension_numbers_response.extension_number) == [7]
    assert list(none.all_extension_numbers_response.extension_number) == []


@in_virtual_time
async def test_what_is_unknown_is_an_error_response_and_the_stream_goes_on() -> None:
    answers = await ask(
        ServerReflectionRequest(file_by_filename="none.proto"),
        ServerReflectionRequest(file_containing_symbol="x.None"),
        ServerReflectionRequest(
            file_containing_extension=ExtensionRequest(containing_type="x.Base", extension_number=8)
        ),
        ServerReflectionRequest(all_extension_numbers_of_type="x.None"),
        ServerReflectionRequest(),
    )
    assert [(answer.error_response.error_code, answer.error_response.error_message) for answer in answers] == [
        (5, "not found: none.proto"),
        (5, "not found: x.None"),
        (5, "not found: x.Base:8"),
        (5, "not found: x.None"),
        (3, "the request asks for nothing that is known here"),
    ]


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_no_request_fails_in_another_way(message: bytes) -> None:
    try:
        asyncio.run(reflection().methods()[V1](FakeStream([message])))
    except GrpcStatus as status:
        assert status.code == 3  # noqa: PT017
