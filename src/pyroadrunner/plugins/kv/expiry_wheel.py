"""Find expired keys with a wheel of sets, one set per second in which keys expire. Pure; all operations are O(1) per
key.

A key is in the set of its second as long as it has that time, so a key that is set repeatedly is in the wheel once. A
key is taken only after its whole second has passed: readers compare times themselves, the wheel only frees memory.
"""

from __future__ import annotations


class ExpiryWheel:
    """Keys by the second in which they expire. Times are unix time in milliseconds."""

    __slots__ = ("_next", "_seconds")

    def __init__(self) -> None:
        self._seconds: dict[int, set[str]] = {}
        self._next = 0  # no earlier second has keys

    def __repr__(self) -> str:
        return f"ExpiryWheel({sum(map(len, self._seconds.values()))} keys in {len(self._seconds)} seconds)"

    def __bool__(self) -> bool:
        return bool(self._seconds)

    def add(self, key: str, expires: int) -> None:
        """Add a key with its time; it must not be in the wheel with another time."""
        second = expires // 1000
        keys = self._seconds.get(second)
        if keys is None:
            keys = self._seconds[second] = set()
            # The first key, or the clock was set back. Otherwise the key would be before the scanned part.
            if len(self._seconds) == 1 or second < self._next:
                self._next = second
        keys.add(key)

    def remove(self, key: str, expires: int) -> None:
        """Remove a key that was added with this time."""
        second = expires // 1000
        keys = self._seconds[second]
        keys.remove(key)
        if not keys:
            del self._seconds[second]

    def move(self, key: str, old: int, new: int) -> None:
        """Change the time of a key."""
        if old // 1000 != new // 1000:
            self.remove(key, old)
            self.add(key, new)

    def take(self, now: int, limit: int) -> list[str]:
        """Remove and return up to ``limit`` keys whose second has passed."""
        taken: list[str] = []
        last = now // 1000
        while self._next < last and len(taken) < limit:
            keys = self._seconds.get(self._next)
            if keys is None:
                # After a jump of the clock: do not scan every second of a year.
                far = last - self._next > len(self._seconds)
                self._next = min(self._seconds, default=last) if far else self._next + 1
                continue
            while keys and len(taken) < limit:
                taken.append(keys.pop())
            if not keys:
                del self._seconds[self._next]
        return taken
