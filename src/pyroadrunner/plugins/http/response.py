"""Converts a worker's reply to ASGI messages. Pure.

Workers are trusted with the content of a response, not with its syntax: a header that would break the connection or
smuggle in a second response is fixed or left out, never sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pyroadrunner.asgi import INFORMATIONAL, Message
from pyroadrunner.bounded_cache import BoundedCache
from pyroadrunner.httpd.http1.header_block import HeaderBlock
from pyroadrunner.plugins.http.errors import BAD_STATUS_HEADERS, BadReply, bad_status
from pyroadrunner.workers.payload import Codec

Headers = Mapping[str, Iterable[str]]
Pair = tuple[bytes, bytes]

EMPTY = b""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAMES_KEPT = 1024
_SHORT = 64  # characters of a value that probably comes again
_HEADS_KEPT, _CACHED_BYTES = 256, 1024
# The connection to the client is the server's: of these the worker decides only whether it is closed.
_HOP_BY_HOP = ("connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade")
_HOP = b":"  # what they are learned as; no name
_CLOSE = (b"connection", b"close")
_CONTENT_LENGTH = b"content-length"
_BODILESS = (204, 304)
_PROTO = int(Codec.PROTO)  # an enum's operators cost a microsecond each


class JsonHead(msgspec.Struct, gc=False):
    """The head that a correct worker sends."""

    status: int = -1
    headers: dict[str, list[str]] = {}


class LooseHead(msgspec.Struct, gc=False):
    """A head from other workers: an empty PHP array is ``[]``, a single value may be a string or a number."""

    status: int = -1
    headers: Any = None


_json = msgspec.json.Decoder(JsonHead)
_loose = msgspec.json.Decoder(LooseHead)


class Head:
    """Status and headers, ready to send.

    Attributes:
        status: final status; 500 if the worker's was invalid.
        headers: lower-case names, in the worker's order; without ``content-length`` and ``trailer``.
        length: the worker's ``Content-Length``, or ``None``.
        trailers: fields that follow the body.
        bodiless: whether HTTP allows no body for this status.
        dropped: names of headers that can't be sent.
        replaced: the body that replaces the worker's if its status was invalid.
    """

    __slots__ = ("_block", "bodiless", "dropped", "headers", "length", "replaced", "status", "trailers")

    def __init__(self, status: int, raw: Headers, *, trailers: bool) -> None:
        """
        Args:
            status: the worker's status, -1 if it sent none.
            raw: the worker's headers.
            trailers: whether the client accepts trailers; otherwise they stay headers.
        """
        self.status = status
        self.bodiless = status in _BODILESS
        self.headers: list[Pair] = []
        self.length: int | None = None
        self.trailers: list[Pair] = []
        self.dropped: list[str] = []
        self.replaced: bytes | None = None
        self._block: HeaderBlock | None = None
        headers = self.headers
        for name, values in raw.items():
            key = _names.get(name)
            if key is None:
                key = _learn(name)
            if not key:
                self.dropped.append(name)
            elif key is _CONTENT_LENGTH:
                self.length = _to_length(values)
            elif key is _HOP:
                if _CLOSE not in headers and _closes(name, values):
                    headers.append(_CLOSE)
            else:
                for value in values:
                    encoded = _short[value] if len(value) <= _SHORT else _encode(value)
                    if encoded is None:
                        self.dropped.append(name)
                    else:
                        headers.append((key, encoded))
        if "Trailer" in raw:
            self._part(raw, trailers)
        if not 200 <= status <= 599:
            self._no_status(status)

    def block(self) -> HeaderBlock:
        """The header lines, for a server that takes them encoded."""
        if self._block is None:
            headers = self.headers
            close = _CLOSE in headers
            dated = b"date" in dict(headers)
            if close:
                headers = [pair for pair in headers if pair is not _CLOSE]
            self._block = HeaderBlock.checked(headers, close=close, dated=dated)
        return self._block

    def copy(self) -> Head:
        """The same head, with lists of its own for what a response adds."""
        other = Head.__new__(Head)
        other.status = self.status
        other.bodiless = self.bodiless
        other.headers = self.headers.copy()
        other.length = self.length
        other.trailers = []
        other.dropped = []
        other.replaced = self.replaced
        other._block = self._block
        return other

    def _part(self, raw: Headers, trailers: bool) -> None:
        announced = {part.strip() for value in raw["Trailer"] for part in value.split(",")}
        moved = {_names.get(name) for name in announced if name in raw} - {None} if trailers else set()
        self.trailers = [pair for pair in self.headers if pair[0] in moved]
        self.headers[:] = [pair for pair in self.headers if pair[0] not in moved and pair[0] != b"trailer"]

    def _no_status(self, status: int) -> None:
        if 100 <= status < 200 and status != 101:
            # An interim status without a final one: Go ends such a response with 200.
            self.status = 200
            return
        self.status = 500
        self.headers[:] = [pair for pair in self.headers if pair[0] != b"content-type"] + BAD_STATUS_HEADERS
        self.replaced = bad_status(status)
        self.length = None
        self.trailers = []


class HeadCache:
    """Heads by the context they were read from: an application sends the same few over and over.

    Bounded, and only for heads that are likely to come again: not for large ones, nor for those that set a cookie. The
    codec is no part of the key: no bytes are a head in JSON and in protobuf.
    """

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        self._heads: dict[bytes, Head] = {}

    def __repr__(self) -> str:
        return f"HeadCache({len(self._heads)})"

    def get(self, context: bytes) -> Head | None:
        """A head to send, the caller's own; ``None`` = not known."""
        kept = self._heads.get(context)
        return kept.copy() if kept is not None else None

    def shared(self, context: bytes) -> Head | None:
        """A head for reading only; ``None`` = not known."""
        return self._heads.get(context)

    def put(self, context: bytes, head: Head) -> None:
        """Remember a head that has not been changed yet, if it is worth it."""
        if len(context) > _CACHED_BYTES or head.dropped or head.trailers or b"ookie" in context:
            return
        if len(self._heads) >= _HEADS_KEPT:
            self._heads.clear()
        self._heads[context] = head.copy()


def read_head(context: bytes, codec: int, asked: int) -> tuple[int, Headers]:
    """Decode the context of a reply.

    Args:
        context: not empty.
        codec: codec bits of its frame; 0 means the codec of the request.
        asked: codec of the request.

    Returns:
        the status (-1 if it is missing) and the headers with values as strings.

    Raises:
        BadReply: the context can't be decoded.
    """
    if codec & _PROTO or (not codec and asked == _PROTO):
        return _read_protobuf(context)
    try:
        head = _json.decode(context)
    except (msgspec.MsgspecError, RecursionError):
        return _read_loose(context)
    return head.status, head.headers


def _read_loose(context: bytes) -> tuple[int, Headers]:
    try:
        head = _loose.decode(context)
    except (msgspec.MsgspecError, RecursionError) as wrong:
        raise BadReply(f"the head of the worker's reply can't be read: {wrong}") from wrong
    if not head.headers:
        return head.status, {}
    if not isinstance(head.headers, dict):
        raise BadReply("the head of the worker's reply can't be read: `headers` is not a map")
    return head.status, {
        name: [_text(value) for value in (values if isinstance(values, list) else [values])]
        for name, values in head.headers.items()
    }


def _read_protobuf(context: bytes) -> tuple[int, Headers]:
    # Imported only here: with JSON it is never needed, and it costs start time and memory.
    from google.protobuf.message import DecodeError

    from pyroadrunner.proto.http.v1.http_pb2 import Response

    try:
        message = Response.FromString(context)
    except DecodeError as wrong:
        raise BadReply(f"the head of the worker's reply can't be read: {wrong}") from wrong
    return message.status, {
        name: [value.decode("utf-8", "replace") for value in values.value] for name, values in message.headers.items()
    }


def start_message(head: Head, length: int | None) -> Message:
    """``http.response.start``; adds ``content-length`` unless ``length`` is ``None``."""
    headers = head.headers
    if length is not None:
        headers.append((_CONTENT_LENGTH, b"%d" % length))
    message: Message = {"type": "http.response.start", "status": head.status, "headers": headers}
    if head.trailers:
        message["trailers"] = True
    return message


def informational_message(status: int, raw: Headers) -> Message:
    """An interim response, without the headers that belong to a body or to the connection."""
    headers = [pair for pair in Head(200, raw, trailers=False).headers if pair is not _CLOSE]
    return {"type": INFORMATIONAL, "status": status, "headers": headers}


def body_message(body: bytes, more: bool = False) -> Message:
    """``http.response.body``."""
    return {"type": "http.response.body", "body": body, "more_body": more}


def trailers_message(head: Head) -> Message:
    """``http.response.trailers``."""
    return {"type": "http.response.trailers", "headers": head.trailers}


def whole(head: Head, body: bytes, *, head_only: bool) -> tuple[Message, Message]:
    """The two messages of a complete response (its trailers come after them).

    Args:
        head_only: whether the request was HEAD; the length is the one it would have with a body.
    """
    body, length = framing(head, body, head_only=head_only)
    return start_message(head, length), body_message(body)


def framing(head: Head, body: bytes, *, head_only: bool) -> tuple[bytes, int | None]:
    """The body to send for a complete reply, and the value of ``Content-Length`` (``None`` = none is sent)."""
    if head.replaced is not None:
        body = head.replaced
    if head.bodiless:
        head.trailers = []
        return EMPTY, head.length if head.status == 304 else None
    if head_only:
        head.trailers = []
        # The length of an empty body is unknown: the worker may have left the body out because of HEAD.
        return EMPTY, head.length if head.length is not None else len(body) or None
    return body, len(body)


def merge(into: dict[str, list[str]], headers: Headers) -> None:
    """Keep the headers of an interim response for the final one, as RoadRunner does."""
    for name, values in headers.items():
        into.setdefault(name, []).extend(values)


_names: dict[str, bytes] = {name.title(): _HOP for name in _HOP_BY_HOP}
_names["Content-Length"] = _names["content-length"] = _CONTENT_LENGTH


def _learn(name: str) -> bytes:
    """The name to send; empty if the header can't be sent, ``_HOP`` if it is the server's."""
    lower = name.lower()
    if not _TOKEN.fullmatch(name):
        key = EMPTY
    elif lower in _HOP_BY_HOP:
        key = _HOP
    elif lower == "content-length":
        key = _CONTENT_LENGTH
    else:
        key = lower.encode()
    if len(_names) < _NAMES_KEPT:
        _names[name] = key
    return key


def _closes(name: str, values: Iterable[str]) -> bool:
    """Whether a header of the connection is ``Connection`` with the option ``close``."""
    options = ",".join(values).split(",") if name.lower() == "connection" else ()
    return any(option.strip().lower() == "close" for option in options)


def _encode(value: str) -> bytes | None:
    """A header's value as it is sent; ``None`` = it can't be sent."""
    text = value.strip(" \t")
    if not text.isprintable() and _CONTROL.search(text := _one_line(text)):
        return None
    return text.encode()


_short = BoundedCache(_encode, entries=1024, max_bytes=1 << 17)


def _one_line(text: str) -> str:
    """Replace line breaks by spaces, as Go does: a value can't add a second header or a second response."""
    return text.replace("\r", " ").replace("\n", " ").strip(" \t")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, int | float):
        return str(value)
    raise BadReply("the head of the worker's reply can't be read: a header's value is neither text nor a number")


def _to_length(values: Iterable[str]) -> int | None:
    for value in values:
        text = value.strip()
        if text.isascii() and text.isdecimal() and len(text) < 19:
            return int(text)
    return None
