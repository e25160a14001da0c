"""What workers get and answer: the contexts of the frames, as JSON. Pure."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from pyroadrunner.asgi import Scope
from pyroadrunner.plugins.websocket.errors import BadMessage

Pairs = Sequence[tuple[bytes, bytes]]

_encode = msgspec.json.Encoder().encode
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class Connect(msgspec.Struct, kw_only=True):
    """A client wants to connect; the body of the frame is empty."""

    event: Literal["connect"] = "connect"
    connection: str
    remote_addr: str
    uri: str
    query: str
    headers: Mapping[str, Sequence[str]]
    subprotocols: Sequence[str]


class Message(msgspec.Struct, kw_only=True):
    """A message of a client; it is the body of the frame.

    Attributes:
        headers: name the trace of the event; only if traces are recorded.
    """

    event: Literal["message"] = "message"
    connection: str
    binary: bool
    user: str
    state: Raw
    headers: Mapping[str, Sequence[str]] | UnsetType = UNSET


class Close(msgspec.Struct, kw_only=True):
    """A client is gone; the body of the frame is empty. Headers as in :class:`Message`."""

    event: Literal["close"] = "close"
    connection: str
    code: int
    reason: str
    user: str
    state: Raw
    headers: Mapping[str, Sequence[str]] | UnsetType = UNSET


class Join(msgspec.Struct, kw_only=True):
    """A topic to follow.

    Attributes:
        envelope: whether its publications come as JSON objects with ``topic``, ``offset``, ``epoch`` and ``data``.
        offset, epoch: what the client had before it lost its connection: publications behind that are sent first.
    """

    topic: str
    envelope: bool = False
    offset: int = 0
    epoch: str = ""


class Outgoing(msgspec.Struct, kw_only=True):
    """A payload: text, or bytes as base64."""

    data: str = ""
    base64: str = ""

    def payload(self) -> tuple[bytes, bool]:
        """The bytes, and whether they are text.

        Raises:
            BadMessage: the base64 is malformed.
        """
        if not self.base64:
            return self.data.encode(), True
        try:
            return b64decode(self.base64, validate=True), False
        except Base64Error as wrong:
            raise BadMessage(f"base64 is malformed: {wrong}") from wrong


class Send(Outgoing, kw_only=True):
    """A message to one connection of this server; empty = the one of the event."""

    connection: str = ""


class Publish(Outgoing, kw_only=True):
    """A message to topics.

    Attributes:
        others: whether the connection of the event does not get it.
    """

    topics: list[str]
    others: bool = False


class CloseWith(msgspec.Struct, kw_only=True):
    """The end of the connection."""

    code: int = 1000
    reason: str = ""


class Reply(msgspec.Struct, kw_only=True):
    """What the worker wants. If the body of its frame is not empty, it is a message to the client of the event.

    Attributes:
        accept: for ``connect``: whether the connection is opened.
        status, headers: of the response if it is not; its body is that of the frame.
        subprotocol: for ``connect``: one of those that the client offers.
        binary: whether the body is binary.
        user: names the user of the connection from now on; shown in presence.
        info: of the user, any JSON; shown in presence.
        state: any JSON; the worker gets it back with the next events of this connection.
    """

    accept: bool = True
    status: int = 403
    headers: dict[str, str | list[str]] = {}
    subprotocol: str = ""
    binary: bool = False
    user: str | int | None = None
    info: Raw = Raw()
    state: Raw = Raw()
    join: list[str | Join] = []
    leave: list[str] = []
    send: list[Send] = []
    publish: list[Publish] = []
    close: CloseWith | None = None

    @property
    def acts(self) -> bool:
        """Whether it does more than send its body."""
        return bool(self.join or self.leave or self.send or self.publish or self.close or self.user is not None)


NOTHING = Reply()
_decode = msgspec.json.Decoder(Reply).decode
NULL = Raw(b"null")


def read_reply(context: bytes) -> Reply:
    """Decode the context of a reply; an empty one wants nothing.

    Raises:
        BadMessage: it is no such JSON.
    """
    if context in (b"", b"{}", b"[]"):  # PHP encodes an empty array as []
        return NOTHING
    try:
        return _decode(context)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise BadMessage(f"the reply of the worker is malformed: {wrong}") from wrong


def connect_context(connection: str, scope: Scope, subprotocols: Sequence[str], pairs: Pairs) -> bytes:
    """The context of a ``connect`` event.

    Args:
        pairs: the headers.
    """
    headers = _lists(pairs)
    query = scope["query_string"].decode("utf-8", "replace")
    host = headers.get("host", [""])[0]
    path = scope["raw_path"].decode("utf-8", "replace")
    client = scope.get("client")
    return _encode(
        Connect(
            connection=connection,
            remote_addr=client[0] if client else "",
            uri=f"{_SCHEMES[scope['scheme']]}://{host}{path}{'?' if query else ''}{query}",
            query=query,
            headers=headers,
            subprotocols=subprotocols,
        )
    )


def message_context(connection: str, user: str, state: Raw, *, binary: bool, trace: Pairs = ()) -> bytes:
    """The context of a ``message`` event.

    Args:
        trace: headers that name the trace of the event.
    """
    headers = _lists(trace) if trace else UNSET
    return _encode(Message(connection=connection, binary=binary, user=user, state=state, headers=headers))


def close_context(connection: str, user: str, state: Raw, code: int, reason: str, *, trace: Pairs = ()) -> bytes:
    """The context of a ``close`` event."""
    headers = _lists(trace) if trace else UNSET
    return _encode(Close(connection=connection, code=code, reason=reason, user=user, state=state, headers=headers))


def _lists(pairs: Pairs) -> dict[str, list[str]]:
    """Headers by name: a header may come several times."""
    headers: dict[str, list[str]] = {}
    for name, value in pairs:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("utf-8", "replace"))
    return headers
