"""Open operations of a run: PHP knows them by the id of its command, the engine by a number. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Kind(Enum):
    """What was begun; each kind has numbers of its own."""

    TIMER = "timer"
    ACTIVITY = "activity"
    LOCAL = "local activity"
    BACKOFF = "wait of a local activity for its next attempt"  # a timer that PHP does not know
    CHILD = "child workflow"
    SIGNAL = "signal to a workflow"
    CANCEL = "cancellation of a workflow"


@dataclass(slots=True, kw_only=True)
class Operation:
    """One open operation.

    Attributes:
        seq: its number.
        php_id: id of PHP's command.
        waits_for_cancellation: whether a cancelled activity is over only when the server says so.
        detail: what its kind needs: the command of a local activity; workflow id and type of a child.
    """

    kind: Kind
    seq: int
    php_id: int
    waits_for_cancellation: bool = False
    detail: Any = field(default=None, repr=False)


class Operations:
    """The open operations of a run."""

    def __init__(self) -> None:
        self._by_number: dict[tuple[Kind, int], Operation] = {}
        self._by_php_id: dict[int, Operation] = {}

    def __repr__(self) -> str:
        return f"Operations({list(self._by_number.values())})"

    def add(self, operation: Operation) -> None:
        self._by_number[operation.kind, operation.seq] = operation
        self._by_php_id[operation.php_id] = operation

    def find(self, kind: Kind, seq: int) -> Operation | None:
        return self._by_number.get((kind, seq))

    def by_php_id(self, php_id: int) -> Operation | None:
        return self._by_php_id.get(php_id)

    def take(self, kind: Kind, seq: int) -> Operation | None:
        """Remove an operation that is over; ``None`` if it was given up before."""
        operation = self._by_number.pop((kind, seq), None)
        if operation is not None and self._by_php_id.get(operation.php_id) is operation:
            del self._by_php_id[operation.php_id]
        return operation
