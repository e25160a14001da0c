"""What ``rr reload`` prints. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_WHOLE = ("the section", "the entry")  # what the server says in place of all keys of what comes or goes
_NOT_SET = "(not set)"
_CHANGED = "(changed)"


def lines(outcome: Mapping[str, Any], *, check: bool) -> Iterator[str]:
    """The difference, in words.

    Args:
        outcome: what the server answered: ``applied``, ``restart``, ``warnings``.
        check: whether nothing was done.
    """
    applied, restart = outcome["applied"], outcome["restart"]
    for warning in outcome["warnings"]:
        yield f"warning: {warning}"
    if not applied and not restart:
        yield "nothing has changed"
    if applied:
        yield "would be reloaded:" if check else "reloaded:"
        yield from _table(applied)
    if restart:
        yield "needs a restart (kill -USR2, or stop and start), and keeps its old value until then:"
        yield from _table(restart)


def as_json(outcome: Mapping[str, Any]) -> str:
    """The same for machines."""
    return json.dumps(outcome, indent=2)


def _table(changes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    width = max(len(change["key"]) for change in changes)
    for change in changes:
        yield f"  {change['key']:{width}}  {_what(change['old'], change['new'])}"


def _what(old: Any, new: Any) -> str:
    if old is None and new in _WHOLE:
        return "new"
    if old in _WHOLE and new is None:
        return "gone"
    return _CHANGED if old == new else f"{_value(old)} -> {_value(new)}"  # the same: two secrets, both masked


def _value(value: Any) -> str:
    return _NOT_SET if value is None else json.dumps(value, ensure_ascii=False)
