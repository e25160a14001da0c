"""The output of ``rr reload``. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyroadrunner.cli.palette import GOOD, WARNING, paint

_WHOLE = ("the section", "the entry")  # sent in place of the keys of an added or removed section or entry
_NOT_SET = "(not set)"
_CHANGED = "(changed)"


def lines(outcome: Mapping[str, Any], *, check: bool, coloured: bool = False) -> Iterator[str]:
    """Lines that describe the difference.

    Args:
        outcome: the server's reply: ``applied``, ``restart``, ``warnings``.
        check: whether the reload was only checked, not done.
    """
    applied, restart = outcome["applied"], outcome["restart"]
    for warning in outcome["warnings"]:
        yield f"{paint('warning:', WARNING, coloured=coloured)} {warning}"
    if not applied and not restart:
        yield "nothing has changed"
    if applied:
        yield paint("would be reloaded:" if check else "reloaded:", GOOD, coloured=coloured)
        yield from _table(applied)
    if restart:
        yield (
            paint("needs a restart", WARNING, coloured=coloured)
            + " (kill -USR2, or stop and start); the old value stays in use until then:"
        )
        yield from _table(restart)


def as_json(outcome: Mapping[str, Any]) -> str:
    """The same as JSON."""
    return json.dumps(outcome, indent=2)


def _table(changes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    width = max(len(change["key"]) for change in changes)
    for change in changes:
        yield f"  {change['key']:{width}}  {_what(change['old'], change['new'])}"


def _what(old: Any, new: Any) -> str:
    if old is None and new in _WHOLE:
        return "new"
    if old in _WHOLE and new is None:
        return "removed"
    return _CHANGED if old == new else f"{_value(old)} -> {_value(new)}"  # equal: two masked secrets


def _value(value: Any) -> str:
    return _NOT_SET if value is None else json.dumps(value, ensure_ascii=False)
