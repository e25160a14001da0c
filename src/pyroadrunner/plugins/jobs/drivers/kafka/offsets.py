"""The account of the records of one partition. Pure.

Kafka knows one offset per group and partition: everything before it is done. Jobs end in any order, so the committed
offset is the lowest one whose job is not done, and the metadata of the commit name those after it that are done:
``rr:3-7,12;``. A consumer that takes the partition over skips them. Other clients ignore the metadata; for them the
jobs run again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

PREFIX = "rr:"
END = ";"  # what the client library returns may have some bytes of its memory behind it
LONGEST = 4000  # bytes; Kafka's limit is 4096 (offset.metadata.max.bytes)

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


class Offsets:
    """Offsets of one partition.

    Args:
        start: the first one that may not be done.
        done: those after it that are done, as :func:`read_metadata` found.
    """

    def __init__(self, start: int, done: Iterable[tuple[int, int]] = ()) -> None:
        self._next = start  # after all that were received
        self._open: dict[int, None] = {}  # received and not done, ascending
        self._done: set[int] = set()  # received and done, after the position
        self._known = sorted(done)
        self.held = 0  # with the pipeline now

    def __repr__(self) -> str:
        return f"Offsets({self.position}, {len(self._open)} open, {len(self._done)} done)"

    @property
    def position(self) -> int:
        """The lowest offset that is not done."""
        return next(iter(self._open), self._next)

    @property
    def received(self) -> int:
        """The offset after the last one that was received."""
        return self._next

    def receive(self, offset: int) -> bool:
        """A record has arrived; whether its job is to be run."""
        if offset < self._next:
            return False  # a repetition
        self._next = offset + 1
        if any(first <= offset <= last for first, last in self._known):
            self._done.add(offset)
            return False
        self._open[offset] = None
        return True

    def finish(self, offset: int) -> None:
        """A job is done."""
        if offset in self._open:
            del self._open[offset]
            self._done.add(offset)

    def commit(self) -> tuple[int, str]:
        """The offset and the metadata to commit."""
        position = self.position
        if not self._open:
            self._done.clear()
        else:
            self._done = {offset for offset in self._done if offset > position}
        later = [(first, last) for first, last in self._known if last >= self._next]
        return position, write_metadata([*ranges(self._done), *later])

    def finished_ahead(self) -> int:
        """How many after the position are done."""
        return sum(offset > self.position for offset in self._done)


def ranges(offsets: Iterable[int]) -> list[tuple[int, int]]:
    """Ranges of successive offsets, both ends included."""
    found: list[tuple[int, int]] = []
    for offset in sorted(offsets):
        if found and found[-1][1] == offset - 1:
            found[-1] = (found[-1][0], offset)
        else:
            found.append((offset, offset))
    return found


def write_metadata(done: Iterable[tuple[int, int]]) -> str:
    """Ranges as text; those that do not fit are left out, and their jobs may run again."""
    parts: list[str] = []
    length = len(PREFIX)
    for first, last in done:
        part = str(first) if first == last else f"{first}-{last}"
        length += len(part) + 1
        if length > LONGEST:
            break
        parts.append(part)
    return PREFIX + ",".join(parts) + END if parts else ""


def read_metadata(text: str | None) -> list[tuple[int, int]]:
    """The ranges of a commit; none if another client wrote it."""
    if not text or not text.startswith(PREFIX) or END not in text:
        return []
    found: list[tuple[int, int]] = []
    for part in text[len(PREFIX) : text.index(END)].split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return []
        first = int(match[1])
        found.append((first, int(match[2]) if match[2] else first))
    return found
