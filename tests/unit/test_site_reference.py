"""Pages of the reference: tables from a schema and from commands."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # scripts/ is no part of the package

from scripts.site.reference import Key, commands_page, decisions_page, keys, section_page, type_of

from pyroadrunner.cli.flags import Command, Flag

SCHEMA = {
    "type": ["object", "null"],
    "description": "Servers.",
    "properties": {
        "servers": {
            "type": "object",
            "additionalProperties": {
                "type": ["object", "null"],
                "properties": {
                    "addr": {"$ref": "#/$defs/scalar", "description": "`a|b`; required."},
                    "delimiter": {"$ref": "#/$defs/scalar", "default": "\r\n"},
                },
            },
        },
        "names": {"type": "array", "items": {"enum": ["a", "b"]}, "default": ["a"]},
        "size": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/variable"}], "default": 0},
        "on": {"type": "boolean", "default": False},
    },
}


def test_keys_below_names_and_lists_have_their_path() -> None:
    found = {key.path: key for key in keys(SCHEMA)}
    assert list(found) == ["servers", "servers.*.addr", "servers.*.delimiter", "names", "size", "on"]
    assert found["size"] == Key(path="size", type="integer", default="`0`", description="")
    assert found["names"].type == "list of `a`, `b`"
    assert found["on"].default == "`false`"


def test_keys_of_several_drivers_are_listed_once() -> None:
    drivers = [{"properties": {"file": {"type": "string"}, "driver": {"const": name}}} for name in ("one", "two")]
    found = [(key.path, key.type) for key in keys({"additionalProperties": {"anyOf": drivers}})]
    assert found == [("*.file", "string"), ("*.driver", "`one`, `two`")]


def test_a_type_is_said_in_words() -> None:
    assert type_of({"$ref": "#/$defs/duration"}) == "duration"
    assert type_of({"anyOf": [{"type": "integer"}, {"const": "auto"}]}) == "integer or `auto`"
    assert type_of({"type": ["object", "null"]}) == "section"


def test_a_cell_does_not_break_its_table() -> None:
    page = section_page("tcp", SCHEMA, "tcp.md")
    assert page.startswith("# `tcp`\n\nServers.\n\nExplained, with examples: [tcp.md](../../tcp.md).")
    assert "| `servers.*.addr` | string |  | `a\\|b`; required. |" in page
    assert "| `servers.*.delimiter` | string | `'\\r\\n'` |  |" in page


def test_a_section_without_keys_has_its_type() -> None:
    assert "Type: string." in section_page("version", {"$ref": "#/$defs/scalar"}, "")


def test_commands_stand_below_their_group() -> None:
    flag = Flag(name="json", help="print JSON")
    commands = [
        Command(words=("serve",), arguments="[WORKER]", help="start", example="rr serve"),
        Command(words=("kv", "get"), help="get a value", flags=(flag,)),
    ]
    page = commands_page(commands, {"kv": "read storages"}, [flag])
    assert "## `rr serve [WORKER]`\n\nStart.\n\n```sh\nrr serve\n```" in page
    assert "## `rr kv`\n\nRead storages.\n\n### `rr kv get`\n\nGet a value.\n\n| Flag | Meaning |" in page
    assert "| `--json` | print JSON |" in page


def test_the_newest_decision_is_the_first() -> None:
    page = decisions_page({"2026-01-01-a.md": "A", "2026-02-01-b.md": "B"})
    assert page.index("2026-02-01: [B](2026-02-01-b.md)") < page.index("2026-01-01: [A]")
