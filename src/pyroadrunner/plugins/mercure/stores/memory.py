"""Updates in the memory of the server."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from pyroadrunner.plugins.mercure.stores.contract import Deliver, Reset
from pyroadrunner.plugins.mercure.stores.local import LocalSubscriptions
from pyroadrunner.plugins.mercure.update import EARLIEST, Update


class MemoryStore(LocalSubscriptions):
    """Implements :class:`~pyroadrunner.plugins.mercure.stores.contract.Store`.

    Args:
        size: updates to keep; 0 = all.
        max_bytes: of them; 0 = no limit.
    """

    def __init__(self, size: int, max_bytes: int) -> None:
        super().__init__()
        self._size = size
        self._max_bytes = max_bytes
        self._kept: deque[Update] = deque()
        self._sequences: dict[str, int] = {}
        self._bytes = 0
        self._last = EARLIEST
        self._deliver: Deliver = lambda _: None
        self.error = ""
        self.position = 0

    def __repr__(self) -> str:
        return f"MemoryStore(updates={len(self._kept)}, position={self.position})"

    async def start(self, deliver: Deliver, reset: Reset) -> None:
        self._deliver = deliver

    async def stop(self) -> None: ...

    async def append(self, update: Update) -> None:
        self.position += 1
        update.sequence = self.position
        self._kept.append(update)
        self._sequences.setdefault(update.id, update.sequence)
        self._bytes += update.size
        self._last = update.id
        while (self._size and len(self._kept) > self._size) or (self._max_bytes and self._bytes > self._max_bytes):
            gone = self._kept.popleft()
            self._bytes -= gone.size
            if self._sequences.get(gone.id) == gone.sequence:
                del self._sequences[gone.id]
        self._deliver(update)

    async def find(self, identity: str) -> int | None:
        return self._sequences.get(identity)

    async def read(self, after: int, count: int) -> Sequence[Update]:
        if not self._kept:
            return []
        start = max(0, after + 1 - self._kept[0].sequence)  # sequences have no holes
        behind = max(0, len(self._kept) - start)
        if behind <= len(self._kept) // 2:  # a deque is walked from its nearer end
            found = list(islice(reversed(self._kept), behind))
            found.reverse()
            return found[:count]
        return list(islice(self._kept, start, start + count))

    async def last_id(self) -> str:
        return self._last
