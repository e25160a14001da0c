"""The output of ``rr config``, rendered from plain data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pyroadrunner.cli.palette import ERROR, FAINT, GOOD, NAME, WARNING, paint
from pyroadrunner.config.effective import Leaf
from pyroadrunner.config.errors import Fault
from pyroadrunner.config.origin import KeyPath, dotted
from pyroadrunner.config.yaml_text import read_plain

_PLAIN = re.compile(r"[A-Za-z0-9_./+][A-Za-z0-9_./:@%+*-]*", re.ASCII)  # needs no quotes, not even inside a list
_OLD_BOOLS = frozenset({"y", "n", "yes", "no", "on", "off"})  # strings here, but booleans for some YAML parsers
_COMMENT_COLUMN = 44  # the sources start here, unless a value is longer


def faults_text(faults: Sequence[Fault], warnings: Sequence[Fault], sections: int, *, coloured: bool = False) -> str:
    """One line per error, one per warning, then the totals."""
    label = paint("warning:", WARNING, coloured=coloured)
    lines = [_marked(fault, coloured) for fault in faults] + [f"{label} {warning}" for warning in warnings]
    counted = [_count(len(faults), "fault")] if faults else [_count(sections, "section"), "no faults"]
    counted += [_count(len(warnings), "warning")] if warnings else []
    return "\n".join([*lines, paint(", ".join(counted), ERROR if faults else GOOD, coloured=coloured)])


def _marked(fault: Fault, coloured: bool) -> str:
    """A fault with its place in bold."""
    text = str(fault)
    place = f"{fault.origin}: " if fault.origin else ""
    if place and text.startswith(place):
        return paint(place.rstrip(), NAME, coloured=coloured) + " " + text.removeprefix(place)
    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def faults_json(faults: Sequence[Fault], warnings: Sequence[Fault], sections: Iterable[str]) -> str:
    """The same as JSON. Values are left out: they may be secrets."""
    data = {
        "ok": not faults,
        "sections": list(sections),
        "faults": [_fault_data(fault) for fault in faults],
        "warnings": [_fault_data(warning) for warning in warnings],
    }
    return json.dumps(data, indent=2)


def _fault_data(fault: Fault) -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "path": fault.path,
        "message": fault.message,
        "expected": fault.expected,
        "hint": fault.hint,
        "source": fault.origin.source if fault.origin else None,
        "line": fault.origin.line if fault.origin else None,
    }


def show_yaml(leaves: Sequence[Leaf], *, coloured: bool = False) -> str:
    """The effective config as YAML; a comment after each value names its source."""
    lines: list[str] = []
    open_keys: KeyPath = ()
    for leaf in _grouped(leaves):
        parents = leaf.path[:-1]
        shared = _shared(open_keys, parents)
        for depth in range(shared, len(parents)):
            lines.append(f"{'  ' * depth}{_scalar(str(parents[depth]))}:")
        open_keys = parents
        text = f"{'  ' * len(parents)}{_scalar(str(leaf.path[-1]))}: {value_text(leaf.value)}"
        lines.append(f"{text.ljust(_COMMENT_COLUMN)} {paint(f'# {leaf.source}', FAINT, coloured=coloured)}")
    return "\n".join(lines)


def show_json(leaves: Sequence[Leaf]) -> str:
    """The effective config as JSON: ``config``, and ``origins`` with the source of each dotted key."""
    config: dict[str, Any] = {}
    for leaf in leaves:
        holder = config
        for part in leaf.path[:-1]:
            holder = holder.setdefault(str(part), {})
        holder[str(leaf.path[-1])] = leaf.value
    data = {"config": config, "origins": {dotted(leaf.path): leaf.source for leaf in leaves}}
    return json.dumps(data, indent=2)


def _grouped(leaves: Sequence[Leaf]) -> list[Leaf]:
    """The leaves grouped by map, in the order in which the maps first appear."""
    first: dict[KeyPath, int] = {}
    for position, leaf in enumerate(leaves):
        for length in range(1, len(leaf.path) + 1):
            first.setdefault(leaf.path[:length], position)
    return sorted(leaves, key=lambda leaf: [first[leaf.path[: n + 1]] for n in range(len(leaf.path))])


def _shared(one: KeyPath, other: KeyPath) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length


def value_text(value: Any) -> str:
    """A value in the notation of YAML, on one line."""
    if isinstance(value, list):
        return f"[{', '.join(value_text(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(str(key))}: {value_text(item)}" for key, item in value.items()) + "}"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        # Quote the text if YAML would read the plain form as anything but this string.
        plain = _PLAIN.fullmatch(value) and not value.endswith(":") and value.lower() not in _OLD_BOOLS
        if plain and read_plain(value) == value:
            return value
        # JSON escapes characters beyond 16 bits as surrogate pairs, which YAML does not have.
        return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(value, ensure_ascii=False))
    return json.dumps(value)
