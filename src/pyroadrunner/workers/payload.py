"""Calls and replies as a worker sends and receives them: context, body, codec of the context. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import IntFlag
from typing import Protocol


class Codec(IntFlag):
    """The codec bits of a frame's flags that worker payloads use (goridge ``pkg/frame``)."""

    NONE = 0x00
    RAW = 0x04
    JSON = 0x08
    PROTO = 0x80


class Payload:
    """One call for a worker.

    Attributes:
        context: encoded head (JSON or protobuf).
        body: raw bytes; not copied, so they must not change.
        codec: int value of :class:`Codec`, put into the frame's flags.
    """

    __slots__ = ("body", "codec", "context")

    def __init__(self, context: bytes, body: bytes | bytearray = b"", codec: int = Codec.JSON) -> None:
        self.context = context
        self.body = body
        self.codec = codec

    def __repr__(self) -> str:
        return f"Payload(context={len(self.context)} B, body={len(self.body)} B, codec={self.codec:#04x})"


class Chunk:
    """One frame of a reply.

    Attributes:
        context: encoded head; empty on most frames of a stream.
        body: bytes of this frame.
        codec: codec bits of this frame's flags; 0 = not set.
        last: whether it ended a stream; then it may be empty.
    """

    __slots__ = ("body", "codec", "context", "last")

    def __init__(self, context: bytes, body: bytes, codec: int, last: bool = False) -> None:
        self.context = context
        self.body = body
        self.codec = codec
        self.last = last

    def __repr__(self) -> str:
        return f"Chunk(context={len(self.context)} B, body={len(self.body)} B, codec={self.codec:#04x})"


class ReplyStream(Protocol):
    """The frames of a streamed reply after the first."""

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over the frames. Raises workers.errors.WorkerError if the worker fails in mid-stream."""

    async def abort(self) -> None:
        """Stop reading: send a STOP frame to the worker and drop the rest. Idempotent."""

    def drop(self) -> None:
        """The same, without ``await``."""


class Reply(Chunk):
    """A worker's reply: the first frame and, if it is streamed, the others.

    Attributes:
        stream: ``None`` for a whole reply (the worker is free again); else read it to its end, or abort it in
            ``finally``.
    """

    __slots__ = ("stream",)

    def __init__(self, context: bytes, body: bytes, codec: int, stream: ReplyStream | None = None) -> None:
        self.context = context
        self.body = body
        self.codec = codec
        self.stream = stream
        self.last = stream is None
