"""Map keys as callers write them to the field names of our structs. Pure.

Go matches JSON keys case-insensitively, and uses its field names in msgpack (``NumExecs`` for ``numExecs``), so case
and underscores are ignored here. As in Go, unknown keys are ignored and ``null`` leaves a field at its zero value.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import msgspec
from msgspec import inspect


def folded(key: str) -> str:
    """The normalized form of a key, for comparison."""
    return key.replace("_", "").lower()


def renamed(value: Any, kind: inspect.Type) -> Any:
    """A copy of plain data, with the keys of all structs in ``kind`` renamed to the encoded names."""
    if isinstance(kind, inspect.StructType) and isinstance(value, dict):
        fields = _fields(kind.cls)
        found = {}
        for key, item in value.items():
            field = fields.get(folded(key)) if isinstance(key, str) else None
            if field is not None and item is not None:
                found[field.encode_name] = renamed(item, field.type)
        return found
    if isinstance(kind, inspect.ListType) and isinstance(value, list):
        return [renamed(item, kind.item_type) for item in value]
    if isinstance(kind, inspect.DictType) and isinstance(value, dict):
        return {key: renamed(item, kind.value_type) for key, item in value.items()}
    if isinstance(kind, inspect.Metadata):
        return renamed(value, kind.type)
    if isinstance(kind, inspect.UnionType):
        for option in kind.types:
            if isinstance(option, inspect.StructType | inspect.ListType | inspect.DictType):
                return renamed(value, option)
    return value


def holds_structs(kind: inspect.Type) -> bool:
    """Whether values of this type contain structs, so that :func:`renamed` is needed."""
    if isinstance(kind, inspect.ListType):
        return holds_structs(kind.item_type)
    if isinstance(kind, inspect.DictType):
        return holds_structs(kind.value_type)
    if isinstance(kind, inspect.Metadata):
        return holds_structs(kind.type)
    if isinstance(kind, inspect.UnionType):
        return any(holds_structs(option) for option in kind.types)
    return isinstance(kind, inspect.StructType)


def go_named(value: Any) -> Any:
    """Plain data for msgpack: structs become maps with Go's field names (the encoded names, capitalized)."""
    if isinstance(value, msgspec.Struct):
        return {
            name[:1].upper() + name[1:]: go_named(getattr(value, field))
            for field, name in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        }
    if isinstance(value, dict):
        return {key: go_named(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [go_named(item) for item in value]
    return value


@cache
def _fields(model: type[msgspec.Struct]) -> dict[str, inspect.Field]:
    return {folded(field.encode_name): field for field in cast("inspect.StructType", inspect.type_info(model)).fields}
