"""What an application of WebSockets and its sockets promise each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pyroadrunner.asgi import Scope
from pyroadrunner.httpd.websocket.message import OutMessage

BLAMED = frozenset({1002, 1003, 1007, 1008, 1009})
"""Closes for which the client is to blame: protocol, encoding, policy, size. (RFC 6455, section 7.4.1)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """Limits of one socket.

    Attributes:
        max_message: bytes of a message from the client, decompressed; more closes the socket with 1009.
        max_buffer: bytes that wait for a client that reads too slowly, besides those in the kernel.
        drop_oldest: what happens above ``max_buffer``: drop the oldest waiting messages; otherwise close with 1008.
        ping_interval: seconds without a byte from the client before it gets a ping; 0 = never.
        ping_timeout: seconds for its answer; then the connection is cut.
        close_timeout: seconds for the client's answer to a close.
        compression: whether permessage-deflate is accepted.
    """

    max_message: int = 1 << 20
    max_buffer: int = 1 << 20
    drop_oldest: bool = False
    ping_interval: float = 30.0
    ping_timeout: float = 30.0
    close_timeout: float = 5.0
    compression: bool = True


class Socket(Protocol):
    """One open WebSocket. Its methods never block and never raise because of the client.

    Attributes:
        dropped: messages dropped because the client reads too slowly.
        buffered: bytes that wait for the client, besides those in the kernel.
    """

    dropped: int

    @property
    def buffered(self) -> int: ...

    def send(self, message: OutMessage) -> bool:
        """Send a message, or queue it while the client does not read. ``False``: the socket is closing or closed."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close after the messages that were sent before; the client has ``close_timeout`` seconds for its answer."""

    def abort(self) -> None:
        """Cut the connection."""

    def pause(self) -> None:
        """Read no more messages for now."""

    def resume(self) -> None:
        """Go on reading."""

    def tick(self, now: float) -> None:
        """Ping a silent client, cut a dead one. The owner calls it about once a second.

        Args:
            now: time of the event loop.
        """


class SocketHandler(Protocol):
    """The application's side of one socket. Its methods must not raise."""

    def opened(self, socket: Socket) -> None:
        """The client is connected."""

    def received(self, data: bytes, *, text: bool) -> None:
        """A whole message has arrived; text is valid UTF-8."""

    def closed(self, code: int, reason: str) -> None:
        """The socket is closed; called once. 1005 = without a code, 1006 = the connection broke, with a reason if it
        was cut here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The answer to a handshake: open the socket.

    Attributes:
        headers: more headers of the response.
    """

    handler: SocketHandler
    limits: SocketLimits
    subprotocol: str = ""
    headers: Sequence[tuple[bytes, bytes]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The answer to a handshake: an ordinary response."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A request for a WebSocket that is well-formed.

    Attributes:
        scope: of ASGI, type ``http`` or ``websocket``.
        headers: the first value of each header, by lower-case name.
        subprotocols: that the client offers, in its order.
    """

    scope: Scope
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    subprotocols: Sequence[str] = ()


class WebSocketApp(Protocol):
    """Answers handshakes."""

    async def accept(self, handshake: Handshake) -> Accepted | Refused:
        """Decide on a handshake. It is cancelled if the client leaves."""
