"""A service by a class; greeter.proto is compiled when the worker starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import grpc as grpcio  # type: ignore[import-untyped]

from pyroadrunner.sdk import grpc
from pyroadrunner.sdk.grpc import Call, Code, GrpcError

sys.path.insert(0, os.getcwd())  # where the compiler looks for files
greeter_pb2: Any = grpcio.protos("greeter.proto")  # or: import greeter_pb2, made by protoc


class Greeter:
    def Greet(self, person: Any, call: Call) -> Any:  # noqa: N802 - the name in the .proto file
        call.add_trailer("x-worker", str(os.getpid()))
        return greeter_pb2.Greeting(text=f"Hello, {named(person)}!")

    def Count(self, person: Any, call: Call) -> Iterator[Any]:  # noqa: N802
        for number in range(1, (person.times or 3) + 1):
            yield greeter_pb2.Greeting(text=f"{number}: {named(person)}")


def named(person: Any) -> str:
    if not person.name:
        raise GrpcError(Code.INVALID_ARGUMENT, "a person has a name")
    return str(person.name)


grpc.serve({greeter_pb2.DESCRIPTOR.services_by_name["Greeter"]: Greeter()})
