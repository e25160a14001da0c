"""Which keys are due: a wheel of sets, one for each second in which something expires. Pure; all of it O(1) per key.

A key stands in the set of its second exactly as long as it has that time, so a key that is set again and again stands
there once. Nothing is taken before its whole second is over: readers compare times themselves, this only frees memory.
"""

from __future__ import annotations


class ExpiryWheel:
    """Keys by the second in which they expire. Times are unix time in milliseconds."""

    __slots__ = ("_next", "_seconds")

    def __init__(self) -> None:
        self._seconds: dict[int, set[str]] = {}
        self._next = 0  # no second before this one holds a key

    def __repr__(self) -> str:
        return f"ExpiryWheel({sum(map(len, self._seconds.values()))} keys in {len(self._seconds)} seconds)"

    def __bool__(self) -> bool:
        return bool(self._seconds)

    def add(self, key: str, expires: int) -> None:
        """``key`` expires then; it must not stand here with another time."""
        second = expires // 1000
        keys = self._seconds.get(second)
        if keys is None:
            keys = self._seconds[second] = set()
            # The first one; or a clock that was set back. Else it is behind what was looked through already.
            if len(self._seconds) == 1 or second < self._next:
                self._next = second
        keys.add(key)

    def remove(self, key: str, expires: int) -> None:
        """``key``, which was added with this time, does not expire then."""
        second = expires // 1000
        keys = self._seconds[second]
        keys.remove(key)
        if not keys:
            del self._seconds[second]

    def move(self, key: str, old: int, new: int) -> None:
        """``key`` expires at another time."""
        if old // 1000 != new // 1000:
            self.remove(key, old)
            self.add(key, new)

    def take(self, now: int, limit: int) -> list[str]:
        """Up to ``limit`` keys whose second is over; they stand here no more."""
        taken: list[str] = []
        last = now // 1000
        while self._next < last and len(taken) < limit:
            keys = self._seconds.get(self._next)
            if keys is None:
                # After a jump of the clock: not a look at every second of a year.
                far = last - self._next > len(self._seconds)
                self._next = min(self._seconds, default=last) if far else self._next + 1
                continue
            while keys and len(taken) < limit:
                taken.append(keys.pop())
            if not keys:
                del self._seconds[self._next]
        return taken
