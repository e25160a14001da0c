"""What travels between a door and a worker: context, body and the codec of the context. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import IntFlag
from typing import Protocol


class Codec(IntFlag):
    """Codec bits of a frame's flags, as far as worker payloads use them (goridge ``pkg/frame``)."""

    NONE = 0x00
    RAW = 0x04
    JSON = 0x08
    PROTO = 0x80


class Payload:
    """One request for a worker.

    Attributes:
        context: encoded head (JSON or protobuf).
        body: raw bytes; passed on as they are, so they must not be changed any more.
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
    """One frame of an answer.

    Attributes:
        context: encoded head; empty on most frames of a stream.
        body: bytes of this frame.
        codec: codec bits of this frame's flags (0 = none given).
    """

    __slots__ = ("body", "codec", "context")

    def __init__(self, context: bytes, body: bytes, codec: int) -> None:
        self.context = context
        self.body = body
        self.codec = codec

    def __repr__(self) -> str:
        return f"Chunk(context={len(self.context)} B, body={len(self.body)} B, codec={self.codec:#04x})"


class ReplyStream(Protocol):
    """The frames after the first of a streamed answer."""

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Frames in order. Raises workers.errors.WorkerError when the worker fails in mid-stream."""

    async def abort(self) -> None:
        """The reader has gone: tell the worker to stop (STOP frame), drain what is left. Idempotent."""

    def drop(self) -> None:
        """The same where nobody can wait."""


class Reply(Chunk):
    """A worker's answer: the first frame and, when it streams, the rest.

    Attributes:
        stream: ``None`` for a whole answer (the worker is already free again); else it must be read to its end or
            aborted, in ``finally``.
    """

    __slots__ = ("stream",)

    def __init__(self, context: bytes, body: bytes, codec: int, stream: ReplyStream | None = None) -> None:
        self.context = context
        self.body = body
        self.codec = codec
        self.stream = stream
