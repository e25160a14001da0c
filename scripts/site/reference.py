"""Pages of the reference, made from the schema of the config and the table of commands. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyroadrunner.cli.flags import Command, Flag

Schema = Mapping[str, Any]
_TYPES = {
    "duration": "duration",
    "scalar": "string",
    "command": "command",
    "list": "list",
    "map": "map",
    "variable": "",
}


@dataclass(frozen=True, kw_only=True)
class Key:
    """A row of a table: a key below a section, its stars are names of your choice."""

    path: str
    type: str
    default: str
    description: str


def section_page(name: str, schema: Schema, manual: str) -> str:
    """The page of a section of the config.

    Args:
        manual: file of the page of the manual about it; empty = none.
    """
    lines = [f"# `{name}`", ""]
    if description := schema.get("description"):
        lines += [_plain(str(description)), ""]
    if manual:
        lines += [f"Explained, with examples: [{manual}](../../{manual}).", ""]
    rows = list(keys(schema))
    if not rows:
        return "\n".join([*lines, f"Type: {type_of(schema)}.", ""])
    lines += ["| Key | Type | Default | Meaning |", "|---|---|---|---|"]
    lines += [f"| `{row.path}` | {row.type} | {row.default} | {row.description} |" for row in rows]
    return "\n".join([*lines, ""])


def keys(schema: Schema, path: str = "") -> Iterator[Key]:
    """All keys below a section, in the order of the config's structs."""
    seen: set[str] = set()
    variants = [schema, *schema.get("anyOf", ())]
    for variant in variants:
        for name, found in variant.get("properties", {}).items():
            if "const" in found:  # such as `driver`
                found = {"enum": [one for each in variants for one in _constants(each, name)]}
            yield from _unseen(seen, _key(f"{path}{name}", found))
            yield from _unseen(seen, keys(found, f"{path}{name}."))
        others = variant.get("additionalProperties")
        if isinstance(others, dict):
            yield from _unseen(seen, keys(others, f"{path}*."))
        items = variant.get("items")
        if isinstance(items, dict):
            yield from _unseen(seen, keys(items, f"{path[:-1]}[]."))


def _constants(variant: Schema, name: str) -> Iterator[Any]:
    found = variant.get("properties", {}).get(name, {})
    if "const" in found:
        yield found["const"]


def _key(path: str, schema: Schema) -> Iterator[Key]:
    default = schema.get("default")
    yield Key(
        path=path,
        type=type_of(schema),
        default=_default(default),
        description=_plain(str(schema.get("description", ""))),
    )


def _unseen(seen: set[str], found: Iterator[Key]) -> Iterator[Key]:
    """Drivers share names of keys: each is listed once."""
    for key in found:
        if key.path not in seen:
            seen.add(key.path)
            yield key


def type_of(schema: Schema) -> str:
    """The type in words."""
    if reference := schema.get("$ref"):
        return _TYPES[str(reference).rpartition("/")[2]]
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if variants := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(filter(None, map(type_of, variants))))
    kinds = schema.get("type", "")
    names = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    if names == ["array"]:
        inner = type_of(schema.get("items", {}))
        return f"list of {inner}" if inner and inner != "section" else "list"
    if names == ["object"]:
        return "section"
    return " or ".join(names)


def _default(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`{', '.join(map(str, value))}`"
    return f"`{value!r}`" if isinstance(value, str) and not value.isprintable() else f"`{value}`"


def _plain(text: str) -> str:
    """Text for a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def config_index(sections: Sequence[str]) -> str:
    """The page that lists the sections."""
    lines = [
        "# Keys of the config",
        "",
        "All keys of `.rr.yaml`, made from the structs that check it; `*` is a name of your choice, `[]` an",
        "entry of a list. How values and variables are written: [configuration](../../config.md).",
        "",
    ]
    return "\n".join([*lines, *[f"- [`{name}`]({name}.md)" for name in sections], ""])


def commands_page(commands: Sequence[Command], groups: Mapping[str, str], shared: Sequence[Flag]) -> str:
    """The page of all commands."""
    lines = [
        "# Commands and flags",
        "",
        "Made from the table that `rr` itself reads. Explained: [commands](../cli.md).",
        "",
    ]
    lines += ["## Flags of every command", "", *_flags(shared)]
    group = ""
    for command in commands:
        if len(command.words) > 1 and command.words[0] != group:
            group = command.words[0]
            lines += [f"## `rr {group}`", "", f"{_sentence(groups[group])}.", ""]
        words = " ".join(filter(None, ["rr", *command.words, command.arguments]))
        lines += [f"{'###' if len(command.words) > 1 else '##'} `{words}`", "", f"{_sentence(command.help)}.", ""]
        lines += _flags(command.flags)
        if command.example:
            lines += ["```sh", command.example, "```", ""]
    return "\n".join(lines)


def _flags(flags: Sequence[Flag]) -> list[str]:
    if not flags:
        return []
    rows = [f"| `{flag.spelled().strip()}` | {_plain(flag.help)} |" for flag in flags]
    return ["| Flag | Meaning |", "|---|---|", *rows, ""]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def decisions_page(titles: Mapping[str, str]) -> str:
    """The page that lists the decisions, the newest first.

    Args:
        titles: by name of the file, which begins with the date.
    """
    lines = ["# Decisions", "", "Why things are as they are, with the measurements behind it.", ""]
    lines += [f"- {name[:10]}: [{title}]({name})" for name, title in sorted(titles.items(), reverse=True)]
    return "\n".join([*lines, ""])
