"""The changes between two configs, key by key. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pyroadrunner.config.origin import KeyPath, dotted
from pyroadrunner.config.secrets import masked

Values = Mapping[KeyPath, Any]

# Stand for all keys of an added or removed section or entry.
SECTION = "the section"
ENTRY = "the entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One changed key.

    Attributes:
        path: path from the root.
        old, new: ``None`` = not set.
    """

    path: KeyPath
    old: Any
    new: Any

    @property
    def key(self) -> str:
        """The dotted key, as users write it."""
        return dotted(self.path)

    def shown(self) -> dict[str, Any]:
        """Key, old and new value for output: secrets are masked."""
        return {"key": self.key, "old": masked(self.old, self.path), "new": masked(self.new, self.path)}


def differences(old: Values, new: Values) -> list[Change]:
    """The keys whose values differ, in the order of ``new``, then the removed ones. A key that is ``None`` or an empty
    map counts as not set: keys below it may be set."""
    before, after = _set(old), _set(new)
    paths = [*after, *(path for path in before if path not in after)]
    return [
        Change(path=path, old=before.get(path), new=after.get(path))
        for path in paths
        if before.get(path) != after.get(path)
    ]


def with_entries(changes: Iterable[Change], old: Values, new: Values, named: Collection[str]) -> list[Change]:
    """The changes, with a single one for each added or removed entry.

    Args:
        named: sections whose keys are names chosen by the user.
    """
    before, after = ({path[:2] for path in _set(values)} for values in (old, new))
    found: dict[KeyPath, Change] = {}
    for change in changes:
        entry = change.path[:2]
        if entry[0] in named and (entry in before) != (entry in after):
            found[entry] = as_one(entry, ENTRY, comes=entry in after)
        else:
            found[change.path] = change
    return list(found.values())


def as_one(path: KeyPath, what: str, *, comes: bool) -> Change:
    """The change for a whole section or entry that is added or removed."""
    return Change(path=path, old=None if comes else what, new=what if comes else None)


def _set(values: Values) -> Values:
    return {path: value for path, value in values.items() if value not in (None, {})}


def covered(key: str, live: Collection[str]) -> bool:
    """Whether a key of a section is one of these keys or below one of them; an empty key covers all."""
    return any(one in ("", key) or key.startswith(one + ".") for one in live)


def with_changes(old: Values, changes: Collection[Change]) -> dict[KeyPath, Any]:
    """The values of a config with these changes applied."""
    gone = {change.path for change in changes if change.new is None}
    kept = {path: value for path, value in old.items() if path not in gone}
    return kept | {change.path: change.new for change in changes if change.new is not None}
