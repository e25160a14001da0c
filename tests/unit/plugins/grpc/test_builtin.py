from __future__ import annotations

import asyncio

import pytest
from google.protobuf.descriptor_pool import DescriptorPool

from pyroadrunner.grpcd import GrpcStatus
from pyroadrunner.plugins.grpc.builtin import BUILTIN_SERVICES, builtin_files, only_message
from support.grpc_stream import FakeStream


def test_the_descriptors_have_standard_names_and_fit_together() -> None:
    pool = DescriptorPool()
    files = builtin_files()
    for file in files:
        pool.Add(file)
    assert [file.name for file in files] == [
        "grpc/health/v1/health.proto",
        "grpc/reflection/v1/reflection.proto",
        "grpc/reflection/v1alpha/reflection.proto",
    ]
    for service in BUILTIN_SERVICES:
        found = pool.FindServiceByName(service)
        for method in found.methods:
            assert method.input_type.full_name.startswith(found.full_name.rpartition(".")[0])
    assert pool.FindMessageTypeByName("grpc.health.v1.HealthListResponse").fields_by_name["statuses"].message_type


@pytest.mark.parametrize(("messages", "text"), [([], "no message"), ([b"a", b"b"], "more than one message")])
def test_a_unary_method_takes_exactly_one_message(messages: list[bytes], text: str) -> None:
    with pytest.raises(GrpcStatus, match=text) as caught:
        asyncio.run(only_message(FakeStream(messages)))
    assert caught.value.code == 12
    assert asyncio.run(only_message(FakeStream([b""]))) == b""
