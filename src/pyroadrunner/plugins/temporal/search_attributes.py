"""Typed search attributes of PHP. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporalio.api.common.v1 import Payload

from pyroadrunner.log import Log
from pyroadrunner.plugins.temporal.run_info import ATTRIBUTE_TYPES
from pyroadrunner.plugins.temporal.values import json_payload

log = Log("temporal")


def typed_payload(name: str, attribute: Mapping[str, Any]) -> Payload | None:
    """The value of an attribute to set, or to remove; ``None`` if it is invalid, with a warning."""
    kind = str(attribute.get("type", ""))
    value = attribute.get("value")
    if kind not in ATTRIBUTE_TYPES:
        log.warning("search attribute is not set: unknown type", name=name, type=kind)
        return None
    if attribute.get("operation") == "unset":
        return json_payload(None, ATTRIBUTE_TYPES[kind])
    if kind == "int64" and isinstance(value, str) and value.lstrip("-").isdecimal():
        value = int(value)
    if kind == "float64" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not _VALID[kind](value):
        log.warning("search attribute is not set: wrong type", name=name, type=kind, value=repr(value))
        return None
    return json_payload(value, ATTRIBUTE_TYPES[kind])


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_VALID = {
    "bool": lambda value: isinstance(value, bool),
    "float64": lambda value: isinstance(value, float),
    "int64": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "keyword": _is_text,
    "keyword_list": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "string": _is_text,
    "datetime": _is_text,
}
