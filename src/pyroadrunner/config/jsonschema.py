"""The JSON Schema of ``.rr.yaml``, generated from the models, so that editors complete and check it.

A value with a ``$`` is accepted everywhere, since its variable may have any value. The descriptions are the docstrings
below the fields. They are read from the source of the models, as Python does not keep them.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from pyroadrunner.config.durations import NANOSECONDS, format_duration
from pyroadrunner.config.partial import Partial
from pyroadrunner.config.section import fields_of, named_field, plain_type
from pyroadrunner.config.sections import KNOWN_SECTIONS, STORAGE_SECTIONS

Schema = dict[str, Any]

_DURATION = rf"^[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)({'|'.join(NANOSECONDS)}))+)$"
_VARIABLE = {"$ref": "#/$defs/variable"}
_DEFINITIONS: dict[str, Schema] = {
    "variable": {"type": "string", "pattern": r"\$", "description": "Text with $NAME, ${NAME} or ${NAME:-default}."},
    "duration": {
        "description": 'A duration: "30s", "1m30s", "500ms". A bare integer is nanoseconds.',
        "anyOf": [
            {"type": "string", "pattern": _DURATION},
            {"type": "integer", "minimum": 0, "x-rr-unit": "ns"},
            _VARIABLE,
        ],
        "x-rr-unit": "s",
    },
    "scalar": {"type": ["string", "number", "boolean", "null"]},
    "command": {
        "description": "A command: one string, split as in a shell, or a list of arguments.",
        "anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"$ref": "#/$defs/scalar"}}],
    },
    "list": {
        "description": "A list, or one string with commas.",
        "anyOf": [{"type": "array", "items": {"$ref": "#/$defs/scalar"}}, {"$ref": "#/$defs/scalar"}],
    },
    "map": {
        "description": "A map of scalars, or a list of such maps.",
        "anyOf": [
            {"type": ["object", "null"], "additionalProperties": {"$ref": "#/$defs/scalar"}},
            {"type": "array", "items": {"type": "object", "additionalProperties": {"$ref": "#/$defs/scalar"}}},
        ],
    },
}
_OWN: dict[str, Schema] = {
    "version": {"type": "string", "description": 'Version of the format: "3".'},
    "include": {
        "description": "Files whose sections replace those of this file; paths are relative to the working directory.",
        "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}],
    },
    "envfile": {"type": "string", "description": "A dotenv file, read with the flag -e."},
}


def json_schema(models: Mapping[str, type[msgspec.Struct]]) -> Schema:
    """The schema (draft 2020-12) of a config with these sections; sections of RoadRunner without a model are open
    objects."""
    properties = dict(_OWN)
    for name in sorted({*models, *KNOWN_SECTIONS}):
        if name in models:
            properties[name] = _struct(models[name])
        else:
            note = f"{name}: {KNOWN_SECTIONS[name]}. Known, but not part of this version."
            properties[name] = {"type": ["object", "null"], "description": note}
    for name in STORAGE_SECTIONS:
        note = f"Settings of the storage `kv.{name}` if it has no `config`."
        properties.setdefault(name, {"type": ["object", "null"], "description": note})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": ".rr.yaml",
        "type": "object",
        "required": ["version"],
        "properties": properties,
        "patternProperties": {"^x-": {"description": "For your own use, such as YAML anchors."}},
        "additionalProperties": False,
        "$defs": _DEFINITIONS,
    }


def _struct(model: type[msgspec.Struct]) -> Schema:
    named = named_field(model)
    if named is not None:
        return _type(named.type)
    texts = descriptions(model)
    properties: Schema = {}
    for key, field in fields_of(model).items():
        schema = _type(field.type)
        _, notes = plain_type(field.type)
        unbuilt = f"Not part of this version: {notes['rr_unbuilt']}" if "rr_unbuilt" in notes else ""
        text = " ".join(part for part in (texts.get(field.name, ""), unbuilt) if part)
        if text:
            schema["description"] = text
        default = default_of(field)
        if default is not None:
            schema["default"] = default
        properties[key] = schema
    tag = model.__struct_config__.tag_field
    if tag is not None:
        properties = {tag: {"const": model.__struct_config__.tag}, **properties}
    schema = {"type": ["object", "null"], "properties": properties, "additionalProperties": False}
    required = [key for key, field in fields_of(model).items() if field.required]
    required += [tag] if tag is not None else []
    return {**schema, "required": required} if required else schema


def _type(kind: inspect.Type) -> Schema:
    plain, notes = plain_type(kind)
    if "rr" in notes:
        return {"$ref": f"#/$defs/{notes['rr']}"}
    if isinstance(plain, inspect.StructType):
        return _struct(plain.cls)
    if isinstance(plain, inspect.BoolType):
        return {"anyOf": [{"type": "boolean"}, _VARIABLE]}
    if isinstance(plain, inspect.IntType | inspect.FloatType):
        number = {"type": "integer" if isinstance(plain, inspect.IntType) else "number", **dict(_limits(plain))}
        return {"anyOf": [number, _VARIABLE]}
    if isinstance(plain, inspect.StrType):
        if plain.pattern:
            return {"anyOf": [{"type": "string", "pattern": plain.pattern}, _VARIABLE]}
        return {"$ref": "#/$defs/scalar"}
    if isinstance(plain, inspect.LiteralType):
        return {"anyOf": [{"enum": list(plain.values)}, _VARIABLE]}
    if isinstance(plain, inspect.ListType):
        return {"type": "array", "items": _type(plain.item_type)}
    if isinstance(plain, inspect.DictType):
        return {"type": ["object", "null"], "additionalProperties": _type(plain.value_type)}
    if isinstance(plain, inspect.UnionType):
        return {"anyOf": [_type(option) for option in plain.types]}
    return {"type": "null"} if isinstance(plain, inspect.NoneType) else {}


def _limits(kind: inspect.IntType | inspect.FloatType) -> Iterator[tuple[str, float]]:
    limits = {"minimum": kind.ge, "maximum": kind.le, "exclusiveMinimum": kind.gt, "exclusiveMaximum": kind.lt}
    return ((name, limit) for name, limit in limits.items() if limit is not None)


def default_of(field: inspect.Field) -> Any:
    """The default in the notation of the config; ``None`` for an empty one."""
    value = field.default_factory() if callable(field.default_factory) else field.default
    if value in (None, "", msgspec.NODEFAULT, [], {}) and value is not False and value != 0:
        return None
    _, notes = plain_type(field.type)
    if notes.get("rr") == "duration":
        return format_duration(value)
    return None if isinstance(value, msgspec.Struct) else msgspec.to_builtins(value)


def descriptions(model: type[msgspec.Struct]) -> dict[str, str]:
    """The docstring below each field as one line, including those of base classes and, for a ``Partial``, of the whole
    model."""
    texts = descriptions(model.whole) if issubclass(model, Partial) else {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, msgspec.Struct) and cls not in (msgspec.Struct, Partial):
            texts |= _module_descriptions(cls.__module__).get(cls.__qualname__, {})
    return texts


@cache
def _module_descriptions(module: str) -> dict[str, dict[str, str]]:
    file = getattr(sys.modules[module], "__file__", None)
    if not file or not file.endswith(".py"):  # compiled, or defined at a prompt: without source no descriptions
        return {}
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name: dict(_field_texts(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _field_texts(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = below.value.value if isinstance(below.value, ast.Constant) else None
            if isinstance(text, str):
                yield field.target.id, " ".join(text.split()).replace("``", "`")
