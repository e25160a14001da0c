"""One request on its way through a pool."""

from __future__ import annotations

import asyncio

from pyroadrunner.goridge.frame import encode_head, encode_payload
from pyroadrunner.workers.payload import Payload, Reply

_COPY_BELOW = 1 << 16  # bytes: up to here one joined write is cheaper than two


class Job:
    """A request, who waits for its answer, and since when.

    Attributes:
        frame: what the worker gets first: the whole frame, or its head and context when the body is large.
        body: the rest of the frame; empty when ``frame`` is whole.
        label: method and path, for ``rr workers -i``.
        caller: the client's TCP port; 0 = unknown.
        answer: done with the reply, an error, or cancelled when nobody waits any more.
        since: when it was accepted (then: when its worker got it), seconds of the loop's clock.
        attempts: how many workers it was given to.
    """

    __slots__ = ("answer", "attempts", "body", "caller", "frame", "label", "since")

    def __init__(
        self,
        payload: Payload,
        label: tuple[str, bytes] | None,
        answer: asyncio.Future[Reply],
        now: float,
        caller: int = 0,
    ) -> None:
        if len(payload.body) < _COPY_BELOW:
            self.frame = encode_payload(payload.context, payload.body, payload.codec)
            self.body: bytes | bytearray = b""
        else:
            self.frame = encode_head(payload.context, len(payload.body), payload.codec)
            self.body = payload.body
        self.label = label
        self.caller = caller
        self.answer = answer
        self.since = now
        self.attempts = 0

    def __repr__(self) -> str:
        return f"Job({self.describe()}, attempts={self.attempts}, {'done' if self.answer.done() else 'open'})"

    @property
    def size(self) -> int:
        """Bytes of the frame."""
        return len(self.frame) + len(self.body)

    def describe(self) -> str:
        """``GET /path``, or nothing."""
        if self.label is None:
            return ""
        method, path = self.label
        return f"{method} {path.decode(errors='replace')}"

    def succeed(self, reply: Reply) -> bool:
        """Give the reply to whoever waits. Returns whether anybody does."""
        if self.answer.done():
            return False
        self.answer.set_result(reply)
        return True

    def drop_stream(self) -> None:
        """Nobody takes the reply: if it came in this very moment and streams, its worker must not wait for a reader."""
        if self.answer.done() and not self.answer.cancelled() and self.answer.exception() is None:
            stream = self.answer.result().stream
            if stream is not None:
                stream.drop()

    def fail(self, error: Exception) -> None:
        """Give an error to whoever waits."""
        if not self.answer.done():
            self.answer.set_exception(error)
