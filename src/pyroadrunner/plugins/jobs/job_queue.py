"""Jobs that wait for a worker of one pool: by priority, then in the order of arrival. Pure.

Each pipeline has its own heap, and the queue takes from the one with the best first job whose pipeline may run one
more. Numbers of arrival are shared, so equal priorities of several pipelines keep their order, too.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Hashable, Iterator

from pyroadrunner.plugins.jobs.drivers.contract import Delivery


class Lane:
    """The waiting jobs of one pipeline.

    Attributes:
        concurrency: how many of its jobs may run at the same time; 0 = no limit.
        running: how many run now.
    """

    __slots__ = ("_heap", "_keys", "_parked", "concurrency", "running")

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.running = 0
        self._heap: list[tuple[int, int, Delivery]] = []
        self._keys: set[Hashable] = set()  # order keys of jobs in the heap or running
        self._parked: dict[Hashable, deque[tuple[int, int, Delivery]]] = {}  # behind a job with the same key

    def __len__(self) -> int:
        return len(self._heap) + sum(map(len, self._parked.values()))

    def __repr__(self) -> str:
        return f"Lane({len(self)} waiting, {self.running} running)"

    def add(self, number: int, delivery: Delivery) -> None:
        entry = (delivery.job.priority, number, delivery)
        key = delivery.order_key
        if key is not None:
            if key in self._keys:
                self._parked.setdefault(key, deque()).append(entry)
                return
            self._keys.add(key)
        heapq.heappush(self._heap, entry)

    def first(self) -> tuple[int, int, Delivery] | None:
        """The next job, if one may run now."""
        if not self._heap or (self.concurrency and self.running >= self.concurrency):
            return None
        return self._heap[0]

    def take(self) -> Delivery:
        """Take the first job; it counts as running."""
        self.running += 1
        return heapq.heappop(self._heap)[2]

    def done(self, delivery: Delivery) -> None:
        """A job that was taken runs no more."""
        self.running -= 1
        key = delivery.order_key
        if key is not None:
            parked = self._parked.get(key)
            if parked is None:
                self._keys.discard(key)
                return
            heapq.heappush(self._heap, parked.popleft())
            if not parked:
                del self._parked[key]

    def drain(self) -> list[Delivery]:
        """Remove all waiting jobs, and return them in the order in which they would have run."""
        entries = [*self._heap, *itertools.chain(*self._parked.values())]
        self._keys -= {entry[2].order_key for entry in self._heap}
        self._heap = []
        self._parked = {}
        return [entry[2] for entry in sorted(entries, key=lambda entry: entry[:2])]


class JobQueue:
    """The waiting jobs of all pipelines of a pool.

    Args:
        limit: waiting jobs from which on no more are welcome, until half of them have gone.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lanes: list[Lane] = []
        self._numbers: Iterator[int] = itertools.count()
        self._full = False
        self._on_room: dict[Callable[[], None], None] = {}  # each once, in the order of the first request

    def __len__(self) -> int:
        return sum(map(len, self._lanes))

    def __repr__(self) -> str:
        return f"JobQueue({self._lanes})"

    def open_lane(self, concurrency: int) -> Lane:
        """A lane for one more pipeline."""
        lane = Lane(concurrency)
        self._lanes.append(lane)
        return lane

    def close_lane(self, lane: Lane) -> None:
        """Forget a lane; its waiting jobs were drained before."""
        self._lanes.remove(lane)

    def add(self, lane: Lane, delivery: Delivery) -> None:
        lane.add(next(self._numbers), delivery)

    def room(self, on_room: Callable[[], None]) -> int:
        """How many more jobs are welcome; at 0, ``on_room`` is called once when there is room again."""
        left = self._limit - len(self)
        if self._full or left <= 0:
            self._full = True
            self._on_room[on_room] = None
            return 0
        return left

    @property
    def runnable(self) -> bool:
        """Whether a job may run now."""
        return any(lane.first() is not None for lane in self._lanes)

    def take(self) -> tuple[Lane, Delivery] | None:
        """Take the best job that may run now; ``None`` if no job may."""
        best: Lane | None = None
        best_entry: tuple[int, int, Delivery] | None = None
        for lane in self._lanes:
            entry = lane.first()
            if entry is not None and (best_entry is None or entry[:2] < best_entry[:2]):
                best, best_entry = lane, entry
        if best is None:
            return None
        delivery = best.take()
        if self._full:
            self.check_room()
        return best, delivery

    def check_room(self) -> None:
        """Call those who wait for room, if there is some. The queue does it whenever a job is taken."""
        if self._full and len(self) <= self._limit // 2:
            self._full = False
            waiting, self._on_room = self._on_room, {}
            for notify in waiting:
                notify()
