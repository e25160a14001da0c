"""The drivers of ``kv`` as subjects of one suite: how each is started, and where they may differ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One driver with one kind of server behind it.

    Attributes:
        operations: what the names of its operations begin with in errors.
        config: of its storage.
        late: milliseconds for which an item may be seen after its time.
        tells_times: whether it answers TTL; ``tells_forever``: also for items without a time.
        keeps_past: whether an item set with a time that has passed is kept, without a time.
        refuses_unknown: whether MExpire of a key that is not there is an error.
        blank_keys: those that Set takes.
        below_zero: whether counters go below 0.
        largest: bytes of the largest value of the suite.
    """

    name: str
    operations: str
    config: dict[str, Any] = field(default_factory=dict)
    late: int = 0
    tells_times: bool = True
    tells_forever: bool = False
    keeps_past: bool = False
    refuses_unknown: bool = False
    blank_keys: tuple[str, ...] = ("", "  ")
    below_zero: bool = True
    largest: int = 10_000_000


SUBJECTS = [
    Subject(
        name="memory",
        operations="in_memory_plugin",
        config={"driver": "memory"},
        tells_forever=True,
        keeps_past=True,
    ),
    Subject(
        name="boltdb",
        operations="boltdb_driver",
        config={"driver": "boltdb", "config": {"file": "store.db"}},
        blank_keys=("  ",),
    ),
]


@contextmanager
def running(subject: Subject, folder: Path) -> Iterator[dict[str, Any]]:
    """The config of the subject's storage, while what it needs is running."""
    yield subject.config
