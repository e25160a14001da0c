"""``grpc.reflection.v1.ServerReflection``, and v1alpha with the same messages: services and types for clients.

(https://github.com/grpc/grpc/blob/master/doc/server-reflection.md) RoadRunner has none.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from pyroadrunner.grpcd import GrpcStatus, StatusCode, Stream
from pyroadrunner.plugins.grpc.builtin import BUILTIN_SERVICES, REFLECTION, BuiltinMethods
from pyroadrunner.plugins.grpc.schema.descriptors import Descriptors
from pyroadrunner.proto.grpc.v1.reflection_pb2 import (
    ErrorResponse,
    ExtensionNumberResponse,
    ExtensionRequest,
    FileDescriptorResponse,
    ListServiceResponse,
    ServerReflectionRequest,
    ServerReflectionResponse,
    ServiceResponse,
)


class Reflection:
    """Answers from an index of descriptors.

    Args:
        services: full names of those that workers serve; the server's own are added.
        descriptors: may lack some of them; the lookup of a symbol then fails.
    """

    def __init__(self, services: Iterable[str], descriptors: Descriptors) -> None:
        self._services = sorted({*services, *BUILTIN_SERVICES})
        self._descriptors = descriptors

    def __repr__(self) -> str:
        return f"Reflection({len(self._services)} services, {self._descriptors!r})"

    def methods(self) -> BuiltinMethods:
        """Handlers by path."""
        return {f"/{service}/ServerReflectionInfo": self._info for service in REFLECTION}

    async def _info(self, call: Stream) -> None:
        """Answer each request. A file is sent once in a stream; clients keep what they have."""
        sent: set[str] = set()
        while (message := await call.receive()) is not None:
            try:
                request = ServerReflectionRequest.FromString(message)
            except DecodeError as wrong:
                raise GrpcStatus(StatusCode.INVALID_ARGUMENT, f"the request can't be decoded: {wrong}") from wrong
            await call.send(self._answer(request, sent).SerializeToString())

    def _answer(self, request: ServerReflectionRequest, sent: set[str]) -> ServerReflectionResponse:
        response = ServerReflectionResponse(valid_host=request.host, original_request=request)
        found = self._found(request, sent)
        if isinstance(found, FileDescriptorResponse):
            response.file_descriptor_response.CopyFrom(found)
        elif isinstance(found, ExtensionNumberResponse):
            response.all_extension_numbers_response.CopyFrom(found)
        elif isinstance(found, ListServiceResponse):
            response.list_services_response.CopyFrom(found)
        else:
            response.error_response.CopyFrom(found)
        return response

    def _found(
        self, request: ServerReflectionRequest, sent: set[str]
    ) -> FileDescriptorResponse | ExtensionNumberResponse | ListServiceResponse | ErrorResponse:
        kind = request.WhichOneof("message_request")
        if kind == "list_services":
            return ListServiceResponse(service=[ServiceResponse(name=name) for name in self._services])
        if kind == "file_by_filename":
            return self._files(request.file_by_filename, request.file_by_filename, sent)
        if kind == "file_containing_symbol":
            symbol = request.file_containing_symbol
            return self._files(self._descriptors.file_of_symbol(symbol), symbol, sent)
        if kind == "file_containing_extension":
            wanted: ExtensionRequest = request.file_containing_extension
            name = self._descriptors.file_of_extension(wanted.containing_type, wanted.extension_number)
            return self._files(name, f"{wanted.containing_type}:{wanted.extension_number}", sent)
        if kind == "all_extension_numbers_of_type":
            return self._extension_numbers(request.all_extension_numbers_of_type)
        return _error(StatusCode.INVALID_ARGUMENT, "the request asks for nothing that is known here")

    def _files(self, name: str | None, wanted: str, sent: set[str]) -> FileDescriptorResponse | ErrorResponse:
        """The file and what it imports; what this stream has sent is left out, but for the file itself."""
        if name is None or self._descriptors.file(name) is None:
            return _error(StatusCode.NOT_FOUND, f"not found: {wanted}")
        files = [
            (found, data) for found, data in self._descriptors.with_imports(name) if found == name or found not in sent
        ]
        sent.update(found for found, _ in files)
        return FileDescriptorResponse(file_descriptor_proto=[data for _, data in files])

    def _extension_numbers(self, extended: str) -> ExtensionNumberResponse | ErrorResponse:
        numbers = self._descriptors.extension_numbers(extended)
        if not numbers and self._descriptors.file_of_symbol(extended) is None:
            return _error(StatusCode.NOT_FOUND, f"not found: {extended}")
        return ExtensionNumberResponse(base_type_name=extended, extension_number=numbers)


def _error(code: StatusCode, message: str) -> ErrorResponse:
    return ErrorResponse(error_code=code, error_message=message)
