"""``GetVersion``: the engine only has patches that are on or off, so a version is a patch named ``<change>-<version>``.
Pure.

Patches are always set as deprecated: a replay then accepts code from which the call was removed. The engine writes the
search attribute ``TemporalChangeVersion`` with the same strings as RoadRunner's.
"""

from __future__ import annotations

import re

DEFAULT = -1  # before the first version


class Versions:
    """The versions of one run."""

    def __init__(self) -> None:
        self._patches: set[str] = set()
        self._chosen: dict[str, int] = {}

    def notify(self, patch: str) -> None:
        """The history has this patch."""
        self._patches.add(patch)

    def get(self, change: str, newest: int, *, replaying: bool) -> tuple[int, str]:
        """The version of a change, for the rest of the run.

        Returns:
            the version, and the patch to set; empty = none.
        """
        if change in self._chosen:
            return self._chosen[change], ""
        pattern = re.compile(re.escape(change) + r"-(-?\d+)")
        known = [int(found[1]) for patch in self._patches if (found := pattern.fullmatch(patch))]
        absent = DEFAULT if replaying else newest
        version = max(known) if known else absent
        self._chosen[change] = version
        return version, f"{change}-{version}" if known or not replaying else ""
