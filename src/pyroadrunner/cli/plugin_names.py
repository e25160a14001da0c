"""Select the plugins a command applies to: those named, or all. A pool is named in full: ``http.slow``."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.errors import RoadRunnerError


class UnknownPlugin(RoadRunnerError):
    """No plugin with workers has this name."""

    def __init__(self, names: Sequence[str], known: Sequence[str]) -> None:
        has = f"the server has: {', '.join(sorted(known))}" if known else "no plugin of the server has workers"
        super().__init__(f"no such plugin: {', '.join(names)}; {has}")
        self.names = names
        self.known = known


def chosen(named: Sequence[str], known: Sequence[str]) -> list[str]:
    """The named plugins in the given order, without duplicates; without names all known plugins, sorted.

    For a pool only the plugin is checked here; the server checks whether the pool exists.

    Raises:
        UnknownPlugin: a name is not known.
    """
    unknown = [name for name in named if name not in known and name.partition(".")[0] not in known]
    if unknown:
        raise UnknownPlugin(unknown, known)
    return list(dict.fromkeys(named)) or sorted(known)
