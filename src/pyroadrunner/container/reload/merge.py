"""Merge some keys of a new section into the old one. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

import msgspec

from pyroadrunner.config.section import fields_of
from pyroadrunner.container.reload.diff import covered

S = TypeVar("S", bound=msgspec.Struct)


def merged(old: S, new: S, live: Collection[str], at: str = "") -> S:
    """``old`` with the values of ``new`` for the live keys.

    Args:
        live: dotted keys of the section; each covers those below it.
        at: dotted path of both in the section; empty = the section itself.
    """
    values: dict[str, Any] = {}
    for key, field in fields_of(type(old)).items():
        here = f"{at}.{key}" if at else key
        before, after = getattr(old, field.name), getattr(new, field.name)
        if covered(here, live):
            values[field.name] = after
        elif isinstance(before, msgspec.Struct) and isinstance(after, msgspec.Struct):
            values[field.name] = merged(before, after, live, here)
    return msgspec.structs.replace(old, **values)
