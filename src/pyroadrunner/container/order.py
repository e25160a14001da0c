"""Who comes first. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping

from pyroadrunner.container.errors import NeedsInACircle


def ordered(needs: Mapping[str, Collection[str]], weights: Mapping[str, int]) -> list[str]:
    """Names so that each comes after those it needs; among the free ones the heavier first, then by name.

    Args:
        needs: every name to the names it needs, all of them keys as well.
        weights: a missing one is 0.

    Raises:
        NeedsInACircle: some need each other.
    """
    open_needs = {name: set(others) for name, others in needs.items()}
    free = [(-weights.get(name, 0), name) for name, others in open_needs.items() if not others]
    heapq.heapify(free)
    names: list[str] = []
    while free:
        _, name = heapq.heappop(free)
        names.append(name)
        for other, others in open_needs.items():
            if name in others:
                others.discard(name)
                if not others:
                    heapq.heappush(free, (-weights.get(other, 0), other))
    if len(names) < len(needs):
        raise NeedsInACircle(_circle(open_needs))
    return names


def _circle(open_needs: Mapping[str, Collection[str]]) -> list[str]:
    """The names on one circle; every name that is left leads into one."""
    name = next(name for name, others in sorted(open_needs.items()) if others)
    path: list[str] = []
    while name not in path:
        path.append(name)
        name = min(open_needs[name])
    return path[path.index(name) :]
