"""The contract of an action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pyroadrunner.contracts import RoadRunnerError


class ActionFailed(RoadRunnerError):
    """The run has failed; the text says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """The run that an action belongs to.

    Attributes:
        id: unique.
        entry: name of the entry.
        time: the slot, in ISO 8601.
        trace: headers that continue its trace.
    """

    id: str
    entry: str
    time: str
    trace: Sequence[tuple[bytes, bytes]] = ()


class Action(Protocol):
    """Does the work of an entry. ``str()`` describes it for operators."""

    async def run(self, occasion: Occasion) -> str:
        """Do it, and return what came of it: ``status 200``.

        Cancelled when the run takes too long or the server stops; then it must end soon. A second cancellation means
        at once.

        Raises:
            RoadRunnerError: it has failed.
        """
