"""``rr config explain``: what a key means, and what its value is here."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from pyroadrunner.cli.config.render import value_text
from pyroadrunner.cli.console import terminal_width, wrapped
from pyroadrunner.config.check import check as check_config
from pyroadrunner.config.effective import DEFAULT, Leaf, effective
from pyroadrunner.config.errors import ConfigError
from pyroadrunner.config.explain import NAME, Key, children, section
from pyroadrunner.config.explain import explain as explain_key
from pyroadrunner.config.load import LoadOptions, load, prepare
from pyroadrunner.config.models import section_models
from pyroadrunner.config.origin import dotted
from pyroadrunner.container.reload.diff import covered
from pyroadrunner.container.reload.keys import reloadable_keys

_RELOADED = "applied by `rr reload`"
_RESTART = "needs a restart"
_MODES = ("socket_mode", "permissions")  # written in octal
_PARTLY = "`rr reload` applies some of its keys, the others need a restart"


@dataclass(frozen=True, kw_only=True)
class Here:
    """The config of this folder.

    Attributes:
        leaves: its effective values; empty without a config.
        problem: why there are none: no file, or a file that can't be read.
    """

    leaves: Sequence[Leaf] = ()
    problem: str = ""

    @classmethod
    def read(cls, options: LoadOptions, models: Mapping[str, type[msgspec.Struct]]) -> Here:
        """Read the config; never raises for its content."""
        try:
            options = prepare(options)
            if not os.path.exists(options.path):
                return cls(problem=f"no {os.path.basename(options.path)} in this folder")
            raw = load(replace(options, require_version=False))
        except ConfigError as wrong:
            return cls(problem=f"the config can't be read: {wrong}")
        return cls(leaves=effective(raw, check_config(raw, models), models))

    def of(self, key: Key) -> list[Leaf]:
        """The values of a key: several for a key below names, none if its section is absent."""
        return [leaf for leaf in self.leaves if _matches(leaf, key)]

    def has(self, name: str) -> bool:
        """Whether a section is present, or always on."""
        return any(leaf.path[0] == name for leaf in self.leaves)


def run(options: LoadOptions, path: str, *, as_json: bool) -> int:
    """Explain a key; without a path list the sections.

    Returns:
        0.

    Raises:
        UnknownKey: there is no such key.
    """
    models = section_models()
    if not path:
        here = Here.read(options, models)
        named = [section(models, name) for name in sorted(models)]
        print(_sections_json(named, here) if as_json else _sections(named, here))
        return 0
    key = explain_key(models, path)
    here = Here.read(options, models)
    live = reloadable_keys(key.path[0])
    print(_key_json(key, here, live) if as_json else _key(key, here, live))
    return 0


def _matches(leaf: Leaf, key: Key) -> bool:
    path = [str(part) for part in leaf.path]
    if len(path) != len(key.path):
        return False
    return all(part == asked or asked == NAME for part, asked in zip(path, key.path, strict=True))


def reload_words(key: Key, live: Collection[str] | None) -> str:
    """What a change of the key takes, in words."""
    if live is None:
        return ""
    below = ".".join(key.path[1:])
    if covered(below, live) or below in live:
        return _RELOADED
    return _PARTLY if any(not below or one.startswith(f"{below}.") for one in live) else _RESTART


# -- text --------------------------------------------------------------------------------------------------------------


def _sections(named: Sequence[Key], here: Here) -> str:
    rows = [(key.name, key.text, "here" if here.has(key.name) else "") for key in named]
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{'*' if mark else ' '} {name.ljust(width)}  {text}".rstrip() for name, text, mark in rows]
    lines = [line for text in lines for line in wrapped(text, " " * (width + 4), terminal_width())]
    note = f"{here.problem}." if here.problem else "* present in this config."
    return "\n".join([*lines, "", note, "rr config explain SECTION lists its keys, rr config explain KEY explains one"])


def _key(key: Key, here: Here, live: Collection[str] | None) -> str:
    width = terminal_width()
    lines = [key.name, ""]
    if key.text:
        lines += [*wrapped(f"  {key.text}", "  ", width), ""]
    facts = dict(_facts(key, live))
    below = children(key)
    if not below or here.of(key):
        facts["here"] = _here(key, here)
    for name, fact in facts.items():
        lines += wrapped(f"  {name.ljust(9)} {fact}", " " * 12, width)
    if below:
        lines += ["", *_table(below, here, live, width)]
    return "\n".join(lines)


def _facts(key: Key, live: Collection[str] | None) -> list[tuple[str, str]]:
    facts = [("type", key.type)]
    if key.drivers:
        facts.append(("only", f"with `driver: {' | '.join(key.drivers)}`"))
    if key.unit:
        facts.append(("unit", key.unit))
    if key.required:
        facts.append(("default", "none: the key is required"))
    elif not children(key):
        facts.append(("default", _default(key)))
    if key.ignored:
        facts.append(("ignored", key.ignored))
    if words := reload_words(key, live):
        facts.append(("change", words))
    return facts


def _default(key: Key) -> str:
    if key.default is None:
        return "empty"
    if isinstance(key.default, int) and key.path[-1] in _MODES:
        return f"0{key.default:o}"
    return value_text(key.default)


def _here(key: Key, here: Here) -> str:
    found = here.of(key)
    if here.problem:
        return here.problem
    if not found:
        return "not set" if here.has(key.path[0]) else f"not set: the config has no section `{key.path[0]}`"
    several = [
        f"{dotted(leaf.path)}: " * (dotted(leaf.path) != key.name) + f"{value_text(leaf.value)}, {_from(leaf)}"
        for leaf in found
    ]
    return "; ".join(several)


def _from(leaf: Leaf) -> str:
    return "the default" if leaf.source == DEFAULT else f"from {leaf.source}"


def _table(below: Sequence[Key], here: Here, live: Collection[str] | None, width: int) -> list[str]:
    short = {_RELOADED: "reload", _RESTART: "restart", _PARTLY: "partly"}
    rows = [("KEY", "TYPE", "DEFAULT", "CHANGE", "HERE")]
    for key in below:
        values = [leaf for leaf in here.of(key) if leaf.source != DEFAULT]
        inner = children(key)
        only = f" ({', '.join(key.drivers)})" if key.drivers else ""
        default = "required" if key.required else "" if inner or key.default is None else _default(key)
        now = ", ".join(value_text(leaf.value) for leaf in values[:3])
        change = short.get(reload_words(key, live), "")
        rows.append((f"{key.path[-1]}{'.' * bool(inner)}", f"{_short(key)}{only}", default, change, now))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row[:4], widths, strict=True)]
        line = f"  {'  '.join([*cells, row[4]])}".rstrip()
        lines.append(line if len(line) <= width else f"{line[: width - 3].rstrip()}...")
    return lines


def _short(key: Key) -> str:
    """The type for a narrow column: without examples and limits."""
    return key.type.partition(",")[0].partition(":")[0]


# -- JSON --------------------------------------------------------------------------------------------------------------


def _sections_json(named: Sequence[Key], here: Here) -> str:
    data = [{"section": key.name, "text": key.text, "present": here.has(key.name)} for key in named]
    return json.dumps(data, indent=2, ensure_ascii=False)


def _key_json(key: Key, here: Here, live: Collection[str] | None) -> str:
    data: dict[str, Any] = {
        "key": key.name,
        "type": key.type,
        "text": key.text,
        "default": key.default,
        "required": key.required,
        "unit": key.unit,
        "drivers": list(key.drivers),
        "ignored": key.ignored,
        "reload": reload_words(key, live),
        "values": [{"key": dotted(leaf.path), "value": leaf.value, "source": leaf.source} for leaf in here.of(key)],
        "keys": [child.path[-1] for child in children(key)],
    }
    return json.dumps(data, indent=2, ensure_ascii=False)
