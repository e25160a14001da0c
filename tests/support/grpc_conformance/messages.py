"""Messages of the conformance tests, from a file with their descriptors (``CONFORMANCE_DESCRIPTORS``)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "connectrpc.conformance.v1"
_pool = Default()  # of the process: google.protobuf.Any looks up its content there
for _file in FileDescriptorSet.FromString(Path(os.environ["CONFORMANCE_DESCRIPTORS"]).read_bytes()).file:
    _pool.Add(_file)


def message(name: str) -> Any:
    """The class of a message; typed only at run time."""
    return GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def method_types(name: str) -> tuple[Any, Any]:
    """The classes of request and response of a method of the service."""
    found = _pool.FindServiceByName(f"{_PACKAGE}.ConformanceService").FindMethodByName(name)
    return GetMessageClass(found.input_type), GetMessageClass(found.output_type)
