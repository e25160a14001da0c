"""The real ``rr serve`` with the service of ``workers/greeter.proto``, for clients that know its messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from pyroadrunner.plugins.grpc.schema.compiler import compile_files
from pyroadrunner.plugins.grpc.schema.reader import read_schema
from support.php import require_php
from support.server import Server, free_port

WORKERS = Path(__file__).parent / "workers"
PROTO = WORKERS / "greeter.proto"


class Greeter(Server):
    """A server; its address is :attr:`target`."""

    def __init__(self, folder: Path, **section: Any) -> None:
        self.target = f"127.0.0.1:{free_port()}"
        config = {
            "server": {"command": [require_php(), str(WORKERS / "greeter.php")]},
            "grpc": {"listen": self.target, "proto": [str(PROTO)], "pool": {"num_workers": 1}, **section},
            "logs": {"mode": "production", "output": "stderr", "level": "debug"},
        }
        super().__init__(folder, config)


async def greeter_descriptors() -> FileDescriptorSet:
    """The compiled ``greeter.proto`` with all that it imports."""
    schema, errors = read_schema([str(PROTO)])
    assert not errors
    ((_, files),) = (await compile_files(schema.files)).sets
    return FileDescriptorSet(file=files)


def message_class(pool: DescriptorPool, name: str) -> type[Message]:
    """The class of a message in a pool."""
    return GetMessageClass(pool.FindMessageTypeByName(name))
