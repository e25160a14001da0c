"""Which plugins a command is about: those named, or all the server has. A pool is named by itself: ``http.slow``."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.errors import RoadRunnerError


class UnknownPlugin(RoadRunnerError):
    """A name no plugin with workers has."""

    def __init__(self, names: Sequence[str], known: Sequence[str]) -> None:
        has = f"the server has: {', '.join(sorted(known))}" if known else "the server runs none that has workers"
        super().__init__(f"no such plugin: {', '.join(names)}; {has}")
        self.names = names
        self.known = known


def chosen(named: Sequence[str], known: Sequence[str]) -> list[str]:
    """The named ones in their order, each once; all that are known, sorted, when none is named.

    A pool is known by its plugin; whether there is one of that name only the server can tell.

    Raises:
        UnknownPlugin: one of them is not known.
    """
    unknown = [name for name in named if name not in known and name.partition(".")[0] not in known]
    if unknown:
        raise UnknownPlugin(unknown, known)
    return list(dict.fromkeys(named)) or sorted(known)
