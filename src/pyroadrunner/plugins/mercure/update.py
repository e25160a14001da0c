"""An update, and its form on the wire. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

EARLIEST = "earliest"
"""The reserved id: before the first update that is kept."""

_LINES = re.compile(r"\r\n|\r|\n")


class Update:
    """What is sent to subscribers.

    Attributes:
        topics: the first is the canonical one.
        private: whether only subscribers get it whose token permits one of the topics.
        retry: milliseconds; 0 = not sent.
        sequence: its number in the store; 0 = the store has not numbered it.
    """

    __slots__ = ("_frame", "data", "id", "private", "retry", "sequence", "topics", "type")

    def __init__(
        self,
        topics: Sequence[str],
        data: str,
        *,
        identity: str,
        private: bool = False,
        kind: str = "",
        retry: int = 0,
        sequence: int = 0,
    ) -> None:
        self.topics = tuple(topics)
        self.data = data
        self.id = identity
        self.private = private
        self.type = kind
        self.retry = retry
        self.sequence = sequence
        self._frame: bytes | None = None

    def __repr__(self) -> str:
        return f"Update({self.id!r}, {self.topics!r}, sequence={self.sequence})"

    @property
    def size(self) -> int:
        """About the bytes that it takes in memory."""
        return len(self.data) + len(self.id) + len(self.type) + sum(map(len, self.topics)) + 500

    @property
    def frame(self) -> bytes:
        """The event of its stream; made once for all subscribers."""
        if self._frame is None:
            self._frame = event(self.data, identity=self.id, kind=self.type, retry=self.retry)
        return self._frame


def event(data: str, *, identity: str = "", kind: str = "", retry: int = 0) -> bytes:
    """An event of ``text/event-stream``; fields in the order of the reference hub."""
    fields = []
    if kind:
        fields.append(f"event: {kind}\n")
    if retry:
        fields.append(f"retry: {retry}\n")
    if identity:
        fields.append(f"id: {identity}\n")
    fields += [f"data: {line}\n" for line in _LINES.split(data)]
    return ("".join(fields) + "\n").encode("utf-8", "replace")
