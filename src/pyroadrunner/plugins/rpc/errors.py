"""Why a call gets an error for an answer. The texts are goridge's and Go's, since PHP packages match on some."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class CallError(RoadRunnerError):
    """The server refuses this call; its connection goes on."""


class UnknownService(CallError):
    """No plugin of that name is running, or it has no methods."""

    def __init__(self, name: str) -> None:
        super().__init__(f"rpc: can't find service {name}")


class UnknownMethod(CallError):
    """The service has no such method; names are case-sensitive."""

    def __init__(self, name: str) -> None:
        super().__init__(f"rpc: can't find method {name}")


class BadArgument(CallError):
    """The argument's bytes are not what the method takes."""


class UnknownCodec(BadArgument):
    """The call names no codec, or gob, which only Go speaks."""

    def __init__(self) -> None:
        super().__init__("goridge_read_request_body: unknown decoder used in frame")


class NotProtobuf(BadArgument):
    """A protobuf call of a method that has no protobuf messages."""

    def __init__(self) -> None:
        super().__init__("goridge_read_request_body: message type is not a proto")


class BadResult(CallError):
    """What the method returned can't travel in the codec of the call."""
