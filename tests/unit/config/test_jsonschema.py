"""The JSON Schema follows the models, and the shipped one is up to date."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import EntryPoint
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from pyroadrunner.config.durations import parse_duration
from pyroadrunner.config.jsonschema import json_schema
from pyroadrunner.config.models import GROUP, section_models
from pyroadrunner.config.values import Command, Duration, unbuilt

VARIABLE = {"$ref": "#/$defs/variable"}


class Inner(msgspec.Struct):
    ttl: Duration = 90.0
    """Longest
    life of ``it``."""


class Model(msgspec.Struct):
    command: Command
    """What to run."""
    workers: Annotated[int, Meta(ge=0, le=500)] = 0
    debug: bool = False
    codec: Literal["a", "b"] = "a"
    inner: Inner | None = None
    many: list[int] = msgspec.field(default_factory=list)
    pools: dict[str, Inner] = msgspec.field(default_factory=dict)
    either: bool | str = False
    ssl: Annotated[dict[str, Any] | None, unbuilt("TLS; plain for now")] = None
    """Certificates."""


SECTION = json_schema({"model": Model})["properties"]["model"]
KEYS = SECTION["properties"]


def test_a_section_is_closed_and_names_its_required_keys() -> None:
    assert SECTION["additionalProperties"] is False
    assert SECTION["required"] == ["command"]
    assert SECTION["type"] == ["object", "null"]


@pytest.mark.parametrize(
    ("key", "schema"),
    [
        ("command", {"$ref": "#/$defs/command", "description": "What to run."}),
        ("workers", {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 500}, VARIABLE], "default": 0}),
        ("debug", {"anyOf": [{"type": "boolean"}, VARIABLE], "default": False}),
        ("codec", {"anyOf": [{"enum": ["a", "b"]}, VARIABLE], "default": "a"}),
        ("many", {"type": "array", "items": {"anyOf": [{"type": "integer"}, VARIABLE]}}),
        (
            "ssl",
            {
                "type": ["object", "null"],
                "additionalProperties": {},
                "description": "Certificates. Not part of this version: TLS; plain for now",
            },
        ),
    ],
)
def test_a_key_describes_its_accepted_values(key: str, schema: dict[str, Any]) -> None:
    assert KEYS[key] == schema


def test_nested_structs_are_described_by_the_docstrings_below_their_fields() -> None:
    ttl = {"$ref": "#/$defs/duration", "description": "Longest life of `it`.", "default": "1m30s"}
    assert KEYS["inner"]["properties"]["ttl"] == ttl
    assert KEYS["pools"]["additionalProperties"]["properties"]["ttl"] == ttl


def test_sections_without_a_model_are_open() -> None:
    nsq = json_schema({})["properties"]["nsq"]
    assert "additionalProperties" not in nsq
    assert "not part of this version" in nsq["description"]


@pytest.mark.parametrize("text", ["0", "10s", "1h2m3s", "1.5s", ".5s", "-2m", "7\u00b5s", "60", "1d", "s", "5 s", ""])
def test_the_pattern_of_durations_agrees_with_the_parser(text: str) -> None:
    pattern = json_schema({})["$defs"]["duration"]["anyOf"][0]["pattern"]
    try:
        parse_duration(text)
    except ValueError:
        assert not re.search(pattern, text)
    else:
        assert re.search(pattern, text)


def test_the_shipped_schema_is_up_to_date() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = project["entry-points"][GROUP]
    models = section_models(EntryPoint(name=name, value=value, group=GROUP) for name, value in entries.items())
    shipped = json.loads(files("pyroadrunner.config").joinpath("schema.json").read_text(encoding="utf-8"))
    assert shipped == json_schema(models), "run: rr config schema > src/pyroadrunner/config/schema.json"
