"""Methods that the server answers itself, without a worker: health and reflection.

They know messages, not the transport: the application that serves calls hands each of them a :class:`BuiltinCall`. All
of them are served as bidirectional streams of raw messages, the unary ones, too. A method that returns ends its call
with OK, one that raises :class:`GrpcStatus` with that status. A call that the client cancels, or whose deadline passes,
is a cancelled task. Pure.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.grpc.status_code import StatusCode


class GrpcStatus(RoadRunnerError):
    """Ends a call with a status.

    Attributes:
        code: usually a :class:`StatusCode`.
        message: for the client.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class BuiltinCall(Protocol):
    """A call as a built-in method sees it."""

    async def receive(self) -> bytes | None:
        """The next message of the client, decompressed; ``None`` after its last one."""
        ...

    async def send(self, message: bytes) -> None:
        """Send a message; waits until the client can take it."""
        ...


BuiltinMethod: TypeAlias = Callable[[BuiltinCall], Awaitable[None]]

BuiltinMethods: TypeAlias = Mapping[str, BuiltinMethod]
"""Methods by their paths, such as ``/grpc.health.v1.Health/Check``."""


async def only_message(call: BuiltinCall) -> bytes:
    """The one request message of a call.

    Raises:
        GrpcStatus: UNIMPLEMENTED if the client has sent none, or several, as gRPC's C core and grpc-go answer.
    """
    message = await call.receive()
    if message is None:
        raise GrpcStatus(StatusCode.UNIMPLEMENTED, "the client sent no message")
    if await call.receive() is not None:
        raise GrpcStatus(StatusCode.UNIMPLEMENTED, "the client sent more than one message to a unary method")
    return message
