"""The table of jobs, as the driver needs it.

All methods may be called concurrently; each is a transaction, or a part of one that several calls share. A call whose
caller is cancelled may still be executed. They raise the errors of the driver contract; a broken store has told its
watchers before.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias
from uuid import uuid4

import msgspec

from pyroadrunner.plugins.jobs.drivers.contract import DEFAULT_PRIORITY, FOREIGN, Headers, Job, PushRefused

TABLE = "rr_jobs"

_Scalar: TypeAlias = str | int | float | bool | None


class NewRow(NamedTuple):
    """A row to insert. ``delay`` is in seconds; ``headers`` is a JSON object of lists."""

    queue: str
    priority: int
    delay: int
    job_id: str
    job: str
    payload: bytes
    headers: str
    auto_ack: bool


class Row(NamedTuple):
    """A claimed row."""

    id: int
    priority: int
    job_id: str
    job: str
    payload: bytes
    headers: str
    auto_ack: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of a queue by state."""

    waiting: int
    delayed: int
    held: int


class Watcher(Protocol):
    """A pipeline that uses the store.

    Attributes:
        queue: its queue.
        spare: how many rows it would claim at once if they arrived now.
    """

    queue: str
    spare: int

    def arrived(self) -> None:
        """Its queue has new rows."""

    def broke(self, why: str) -> None:
        """The store can't be used any more."""


class Store(Protocol):
    """An open database.

    Attributes:
        watchers: those who want to know of new rows and of the end.
        broken: why the store can't be used any more; empty while it can.
        pulse: seconds between two calls of :meth:`tend`.
    """

    watchers: set[Watcher]
    broken: str
    pulse: float

    @abstractmethod
    async def open(self) -> None:
        """Connect, and create what is missing.

        Raises:
            BrokerError, BrokerRefused
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish queued calls and disconnect. Never raises."""

    @abstractmethod
    async def enter(self, holder: int) -> None:
        """Announce a holder before its first claim. Idempotent."""

    @abstractmethod
    async def leave(self, holder: int) -> None:
        """A holder ends: all that it holds waits again."""

    @abstractmethod
    async def tend(self, queue: str, holder: int, known: Sequence[int]) -> int:
        """Keep the holder alive. Return to the queue what it holds without being in ``known``, such as the rows of a
        claim whose reply was lost; and what dead holders hold.

        Returns:
            how many rows were returned.
        """

    @abstractmethod
    async def insert(self, rows: Sequence[NewRow]) -> None:
        """Insert rows, in order, durably, all or none."""

    @abstractmethod
    async def delete(self, ids: Sequence[int]) -> None:
        """Delete rows, also those that another server holds: their jobs are done."""

    @abstractmethod
    async def replace(self, id_: int, holder: int, row: NewRow) -> None:
        """Insert a row in place of one that the holder holds; nothing if it does not."""

    @abstractmethod
    async def release(self, id_: int, holder: int) -> None:
        """Return a row that the holder holds to its place in the queue."""

    @abstractmethod
    async def claim(self, queue: str, holder: int, limit: int, *, delayed: bool = False) -> Sequence[Row]:
        """Hold up to ``limit`` rows of a queue, by priority, then in order; with ``delayed`` also those whose delay is
        not over."""

    @abstractmethod
    async def promote(self, queue: str) -> float | None:
        """Let rows wait whose delay is over.

        Returns:
            seconds until the next one; ``None`` if no row is delayed.
        """

    @abstractmethod
    async def counts(self, queue: str) -> Counts: ...


def new_row(queue: str, job: Job) -> NewRow:
    """The row of a job.

    Raises:
        PushRefused: the databases can't store it.
    """
    for what, text in (("id", job.id), ("name", job.name)):
        if "\0" in text:
            raise PushRefused(f"the {what} of the job contains a null character, which the database can't store")
    if not -(2**63) <= job.priority < 2**63:
        raise PushRefused(f"the priority {job.priority} is out of range")
    headers = msgspec.json.encode(job.headers).decode() if job.headers else "{}"
    return NewRow(queue, job.priority, max(job.delay, 0), job.id, job.name, job.payload, headers, job.auto_ack)


def job_of(row: Row, pipeline: str) -> Job:
    """The job of a row. Other programs insert rows as well, perhaps without an id, a name or headers; and SQLite does
    not check the types of values."""
    payload: Any = row.payload
    priority: Any = row.priority
    return Job(
        id=str(row.job_id) or str(uuid4()),
        name=str(row.job) or FOREIGN,
        payload=bytes(payload) if isinstance(payload, bytes | memoryview) else str(payload).encode(),
        headers={} if row.headers == "{}" else _headers(str(row.headers)),
        pipeline=pipeline,
        priority=priority if isinstance(priority, int) else DEFAULT_PRIORITY,
        auto_ack=bool(row.auto_ack),
    )


def _headers(text: str) -> Headers:
    """Headers from JSON; a value that is not a list is one with one item."""
    try:
        found = msgspec.json.decode(text.encode(), type=dict[str, list[_Scalar] | _Scalar])
    except (msgspec.DecodeError, UnicodeError):
        return {}
    lists = {name: value if isinstance(value, list) else [value] for name, value in found.items()}
    return {name: [_text(value) for value in values] for name, values in lists.items()}


def _text(value: _Scalar) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
