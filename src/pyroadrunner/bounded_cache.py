"""Remembers what was made of what clients sent. Pure, and on the hot path."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key", bound=bytes | str)
Value = TypeVar("Value")

_SHARE = 16  # no entry takes more than this part of all bytes
_SEEN = 4  # arguments that are remembered as seen once, times the most entries


class BoundedCache(dict[Key, Value]):
    """The results of a pure function by its argument: ``cache[argument]`` is a look-up, or a call.

    Clients choose the arguments, so their number and bytes are bounded: at the bound the cache is emptied. A result is
    kept when its argument comes for the second time: keeping what never comes again (a cookie that changes with each
    response) would cost more, mostly in garbage collection, than the cache saves. A result is shared by all that ask
    for it, so it must not be changed.

    Args:
        make: the function.
        entries: most results.
        max_bytes: most bytes of them together.
        size: bytes of an argument with its result; ``None`` = twice the length of the argument.
    """

    __slots__ = ("_bytes", "_entries", "_make", "_max_bytes", "_seen", "_size")

    def __init__(
        self,
        make: Callable[[Key], Value],
        *,
        entries: int,
        max_bytes: int,
        size: Callable[[Key, Value], int] | None = None,
    ) -> None:
        super().__init__()
        self._make = make
        self._entries = entries
        self._max_bytes = max_bytes
        self._size = size
        self._bytes = 0
        self._seen: set[int] = set()  # hashes of arguments that came once

    def __repr__(self) -> str:
        return f"BoundedCache({len(self)}, bytes={self._bytes})"

    def __missing__(self, key: Key) -> Value:
        made = self._make(key)
        mark = hash(key)
        if mark not in self._seen:
            if len(self._seen) >= _SEEN * self._entries:
                self._seen.clear()
            self._seen.add(mark)
            return made
        size = self._size(key, made) if self._size is not None else 2 * len(key)
        if size > self._max_bytes // _SHARE:
            return made
        if len(self) >= self._entries or self._bytes + size > self._max_bytes:
            self.clear()
            self._bytes = 0
        self[key] = made
        self._bytes += size
        return made
