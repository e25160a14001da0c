"""The ``spool`` section."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pyroadrunner.contracts import Count, Duration, PoolConfig


class SpoolConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``spool``."""

    folder: str
    """Each file ``*.txt`` in it is handed to a worker; the answer is written to ``*.out``."""
    interval: Duration = 1.0
    """How often the folder is read; seconds."""
    consumers: Count = 1
    """Files that are processed at the same time."""
    timeout: Duration = 30.0
    """Longest time for a file; seconds. Its worker is then killed."""
    pool: PoolConfig = msgspec.field(default_factory=PoolConfig)

    def faults(self) -> Iterable[tuple[str, str]]:
        if self.interval <= 0:
            yield "interval", "must be more than 0"
