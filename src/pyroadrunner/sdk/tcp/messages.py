"""Events and replies, and the calls over RPC. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from enum import Enum
from typing import Any, TypeAlias

import msgspec


class Event(Enum):
    """What has happened to a connection."""

    CONNECTED = "CONNECTED"  # nothing is read yet
    DATA = "DATA"  # a message has arrived
    CLOSE = "CLOSE"  # it has ended; nothing can be written


class _Head(msgspec.Struct, kw_only=True):
    event: Event
    uuid: str
    server: str = ""
    remote_addr: str = ""


_decode_head = msgspec.json.Decoder(_Head).decode


class Request:
    """An event of a connection.

    Attributes:
        uuid: of the connection, the same in all its events.
        server: its name in ``.rr.yaml``.
        remote_addr: ``host:port`` of the client; ``@`` on a unix socket.
        body: of ``DATA``: what has arrived, with the delimiter; several messages, if they arrived together.

    Raises:
        msgspec.MsgspecError: the context is not that of an event.
    """

    __slots__ = ("body", "event", "remote_addr", "server", "uuid")

    def __init__(self, context: bytes, body: bytes) -> None:
        head = _decode_head(context)
        self.event = head.event
        self.uuid = head.uuid
        self.server = head.server
        self.remote_addr = head.remote_addr
        self.body = body

    def __repr__(self) -> str:
        return f"Request({self.event.value}, {self.server!r}, {self.remote_addr}, {len(self.body)} B)"


class Reply:
    """What becomes of a connection after an event."""

    __slots__ = ("body", "verb")

    def __init__(self, verb: bytes, body: bytes = b"") -> None:
        self.verb = verb
        self.body = body

    def __repr__(self) -> str:
        return f"Reply({self.verb.decode()}, {len(self.body)} B)"

    @classmethod
    def write(cls, data: bytes | str) -> Reply:
        """Write to the client and read on. No delimiter is added; text is sent in UTF-8."""
        return cls(b"WRITE", _bytes(data))

    @classmethod
    def write_and_close(cls, data: bytes | str) -> Reply:
        """Write to the client and close the connection."""
        return cls(b"WRITECLOSE", _bytes(data))

    @classmethod
    def read(cls) -> Reply:
        """Read on."""
        return cls(b"CONTINUE")

    @classmethod
    def close(cls) -> Reply:
        """Close the connection."""
        return cls(b"CLOSE")


Answer: TypeAlias = Reply | bytes | str | None  # bytes and text are written; None reads on


def reply_of(answer: Answer) -> Reply:
    """The reply of a handler's answer.

    Raises:
        TypeError: it is of another type.
    """
    if answer is None:
        return Reply.read()
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, bytes | str):
        return Reply.write(answer)
    raise TypeError(f"the handler returned {type(answer).__name__}, not a Reply, bytes, str or None")


class ConnectionInfo(msgspec.Struct, kw_only=True):
    """A connection of the server.

    Attributes:
        state: ``open``, ``half-closed`` by the client, or ``closing``.
        age: seconds.
        received, sent: bytes.
        events: that workers have got.
    """

    uuid: str
    server: str
    remote_addr: str
    state: str
    age: float
    received: int
    sent: int
    events: int


def write_request(uuid: str, data: bytes | str, *, close: bool) -> dict[str, Any]:
    """The argument of ``tcp.Write``."""
    return {"uuid": uuid, "data": b64encode(_bytes(data)).decode(), "close": close}


def connections(answer: Any) -> list[ConnectionInfo]:
    """The reply of ``tcp.List``."""
    listed: Iterable[Any] = answer or ()
    return [msgspec.convert(one, ConnectionInfo) for one in listed]


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data
