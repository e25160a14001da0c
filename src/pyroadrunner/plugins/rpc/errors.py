"""Errors of calls. The texts are goridge's and Go's, since PHP packages match some of them."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class CallError(RoadRunnerError):
    """A refused call; the connection stays open."""


class UnknownService(CallError):
    """No running plugin has this name, or it has no methods."""

    def __init__(self, name: str) -> None:
        super().__init__(f"rpc: can't find service {name}")


class UnknownMethod(CallError):
    """The service has no such method; names are case-sensitive."""

    def __init__(self, name: str) -> None:
        super().__init__(f"rpc: can't find method {name}")


class BadArgument(CallError):
    """The argument is not valid for the method."""


class UnknownCodec(BadArgument):
    """The call has no codec, or gob, which only Go supports."""

    def __init__(self) -> None:
        super().__init__("goridge_read_request_body: unknown decoder used in frame")


class NotProtobuf(BadArgument):
    """A protobuf call to a method without protobuf messages."""

    def __init__(self) -> None:
        super().__init__("goridge_read_request_body: message type is not a proto")


class BadResult(CallError):
    """The method's result can't be encoded in the codec of the call."""
