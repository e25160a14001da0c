"""Which runs of an entry are due. Pure: the clock is an argument, and it may jump.

A run that starts within ``LATEST_START`` of its slot is on time. If the server was down or its clock was set forward,
older slots were missed, and the policy decides: ``skip`` drops them, ``last`` runs the newest one if no newer slot is
on time, ``all`` runs the newest ``MOST_MISSED``. When the clock was set back, its slots are planned again: the store
has the claims of those that were run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pyroadrunner.plugins.schedule.timetable import Timetable, newest_slots, next_slot

LATEST_START = 60_000  # ms
MOST_MISSED = 1000
_SET_BACK = 1000  # ms; a smaller step changes nothing

CatchUp = Literal["skip", "last", "all"]


@dataclass(frozen=True, slots=True)
class Due:
    """What to do now.

    Attributes:
        slots: to run now, on time.
        caught_up: missed slots that run nevertheless.
        dropped: number of missed slots that do not run; at least, if there are very many.
    """

    slots: list[int] = field(default_factory=list)
    caught_up: list[int] = field(default_factory=list)
    dropped: int = 0


NOTHING = Due()


class Plan:
    """The slots of one entry from now on.

    Attributes:
        next: the next slot; ``None`` = no more.

    Args:
        after: slots later than this time are planned.
    """

    def __init__(self, timetable: Timetable, catch_up: CatchUp, after: int) -> None:
        self.timetable = timetable
        self.catch_up = catch_up
        self.next = next_slot(timetable, after)
        self._looked = after

    def __repr__(self) -> str:
        return f"Plan(next={self.next}, catch_up={self.catch_up})"

    def look(self, now: int) -> Due:
        """The runs that have become due."""
        if now < self._looked - _SET_BACK:
            self.next = next_slot(self.timetable, now)
        self._looked = now
        if self.next is None or self.next > now:
            return NOTHING
        found = newest_slots(self.timetable, self.next - 1, now, MOST_MISSED)
        self.next = next_slot(self.timetable, now)
        on_time = [slot for slot in found if slot >= now - LATEST_START]
        missed = found[: len(found) - len(on_time)]
        if self.catch_up == "all":
            return Due(on_time, missed)
        if self.catch_up == "last" and missed and not on_time:
            return Due([], missed[-1:], len(missed) - 1)
        return Due(on_time, [], len(missed))
