"""A call as its handler sees it, and the response that the handler returns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeAlias

from pyroadrunner.grpcd.status import StatusCode

Pairs: TypeAlias = list[tuple[bytes, bytes]]


class Request:
    """One call with its only message.

    Attributes:
        path: ``/package.Service/Method``.
        message: decompressed.
        headers: as they came, names in lower case; with the fields of HTTP (``te``, ``content-type``).
        peer: host and port of the client; ``None`` on a unix socket.
        authority: what the client called the server: ``:authority``.
        tls: whether the connection is encrypted.
        timeout: seconds that the client still waits; ``None`` = no limit. The application ends the call then.
    """

    __slots__ = ("authority", "headers", "message", "path", "peer", "timeout", "tls")

    def __init__(
        self,
        path: str,
        message: bytes,
        headers: Pairs,
        *,
        peer: tuple[str, int] | None = None,
        authority: str = "",
        tls: bool = False,
        timeout: float | None = None,
    ) -> None:
        self.path = path
        self.message = message
        self.headers = headers
        self.peer = peer
        self.authority = authority
        self.tls = tls
        self.timeout = timeout

    def __repr__(self) -> str:
        return f"Request({self.path}, {len(self.message)} B, peer={self.peer})"


class MessageStream(Protocol):
    """The messages of a streamed response; an async generator is one."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None:
        """Called when the call has ended, however; perhaps before the first message was requested."""
        ...


class Response:
    """What a call is answered with.

    Attributes:
        message: the only message; ``None`` = none, as for an error.
        code: of the status.
        text: message of the status.
        headers, trailers: metadata, with legal names and values (see ``metadata.encode_pair``).
        details: a serialized ``google.rpc.Status`` for ``grpc-status-details-bin``.
        stream: the messages of a streamed response, instead of ``message``. ``code``, ``text``, ``trailers`` and
            ``details`` are read after its end. An exception ends the call with its status.
    """

    __slots__ = ("code", "details", "headers", "message", "stream", "text", "trailers")

    def __init__(
        self,
        message: bytes | None = None,
        *,
        code: int = StatusCode.OK,
        text: str = "",
        headers: Pairs | None = None,
        trailers: Pairs | None = None,
        details: bytes = b"",
        stream: MessageStream | None = None,
    ) -> None:
        self.message = message
        self.code = code
        self.text = text
        self.headers = headers
        self.trailers = trailers
        self.details = details
        self.stream = stream

    def __repr__(self) -> str:
        size = "stream" if self.stream is not None else f"{len(self.message or b'')} B"
        return f"Response({int(self.code)}, {size})"


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
"""Answers a call. To fail, it raises :class:`~pyroadrunner.grpcd.status.GrpcStatus`; any other exception is UNKNOWN.
When the client cancels, or its deadline passes, it is cancelled."""


class Interceptor(Protocol):
    """Sees calls before the handler does; may answer them itself, change the request, or the response."""

    async def __call__(self, request: Request, proceed: Handler, /) -> Response:
        """Handle a call.

        Args:
            proceed: the next interceptor, or the handler.
        """
        ...


class Stream(Protocol):
    """Both directions of a call."""

    async def receive(self) -> bytes | None:
        """The next message of the client, decompressed; ``None`` after its last one."""
        ...

    async def send(self, message: bytes) -> None:
        """Send a message; waits until the client can take it."""
        ...


StreamHandler: TypeAlias = Callable[[Stream], Awaitable[None]]
"""Serves a call in both directions: returns to end it with OK, or raises ``GrpcStatus``."""


class Method:
    """A method that is served.

    Attributes:
        path: ``/package.Service/Method``.
        handler: of a call with one message; otherwise ``None``.
        stream_handler: of a call in both directions, if there is no ``handler``.
        client_streaming: whether the client may leave its direction open: the first message is the request.
    """

    __slots__ = ("client_streaming", "handler", "path", "stream_handler")

    def __init__(
        self,
        path: str,
        handler: Handler | None = None,
        *,
        stream_handler: StreamHandler | None = None,
        client_streaming: bool = False,
    ) -> None:
        self.path = path
        self.handler = handler
        self.stream_handler = stream_handler
        self.client_streaming = client_streaming

    def __repr__(self) -> str:
        return f"Method({self.path})"


class Observer(Protocol):
    """Counts and logs calls. Its methods must not raise."""

    def began(self) -> None:
        """A call has begun."""

    def ended(self, path: str, code: int, text: str, seconds: float) -> None:
        """A call has ended.

        Args:
            code: its status; CANCELLED if the client has left.
            seconds: from its beginning to its end.
        """


def chain(handler: Handler, interceptors: list[Interceptor]) -> Handler:
    """The handler with interceptors around it; the first is the outermost."""
    for interceptor in reversed(interceptors):
        handler = _around(interceptor, handler)
    return handler


def _around(interceptor: Interceptor, inner: Handler) -> Handler:
    def handle(request: Request) -> Awaitable[Response]:
        return interceptor(request, inner)

    return handle
