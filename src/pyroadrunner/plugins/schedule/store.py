"""The contract of a store: which server runs what, and the history. Implementations are in ``stores/``.

``begin`` is one atomic step, so that of many servers that find a slot due exactly one decides about it. It is
idempotent for the same run: after an error the caller asks again.

Claims are kept for ``KEPT`` milliseconds of slots: a clock that is set back by less runs nothing twice. The newest
claim is kept for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Literal, Protocol

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.schedule.run import Run

KEPT = 4 * 3_600_000  # ms

Overlap = Literal["skip", "queue", "allow"]


class StoreFailed(RoadRunnerError):
    """The store did not do it, or did not answer; a later try may succeed."""


class Answer(Enum):
    """What the caller of ``begin`` has to do."""

    RUN = "run"  # the slot is claimed; run it
    TAKEN = "taken"  # another server has decided, or this one has before its clock was set back
    SKIPPED = "skipped"  # an earlier run is still running; the slot is claimed and recorded as skipped
    WAIT = "wait"  # an earlier run is still running; ask again


class Store(Protocol):
    """Claims, runs and history of all entries.

    Attributes:
        salt: part of the seed of delays; the same for all servers of the store.

    Every method raises :class:`StoreFailed`.
    """

    salt: str

    async def start(self) -> None:
        """Open it. A server elsewhere may be away."""

    async def last_slots(self, entries: Sequence[str], now: int) -> Mapping[str, int]:
        """The newest claimed slot of each entry. An entry that the store does not know begins now: ``now`` counts as
        its newest claim from here on."""

    async def begin(self, run: Run, overlap: Overlap) -> Answer:
        """Claim the slot, unless the run is manual, and begin the run.

        Args:
            run: is recorded, if it runs or is skipped.
            overlap: what to do while another run of the entry is running.
        """

    async def renew(self, run: Run) -> None:
        """Say that the run is still running; record it with its new ``alive``."""

    async def finish(self, run: Run) -> None:
        """Record the end; the next run may begin."""

    async def history(self, entry: str, most: int) -> Sequence[Run]:
        """The last runs, newest first."""

    async def stop(self) -> None:
        """Close it. Idempotent; does not raise."""


def takes(slot: int, last: int | None) -> int:
    """The newest claim after one for ``slot``. One that is much later than ``slot`` comes from a wrong clock."""
    return slot if last is None or slot > last or slot < last - KEPT else last
