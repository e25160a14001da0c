"""The effective config: every value, including defaults, and its source. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from pyroadrunner.config.check import Checked
from pyroadrunner.config.durations import format_duration
from pyroadrunner.config.origin import KeyPath
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.config.secrets import is_secret, masked
from pyroadrunner.config.section import fields_of, named_field, plain_type
from pyroadrunner.config.sections import ALWAYS_ON
from pyroadrunner.config.values import Unreadable, to_map

DEFAULT = "default"


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One value: a scalar, a list, or an empty map.

    Attributes:
        source: ``.rr.yaml:12``, ``-o http.address``, ``default``.
        default: the value without it; ``UNSET`` = it has none.
    """

    path: KeyPath
    value: Any
    source: str
    default: Any = msgspec.UNSET

    @property
    def changed(self) -> bool:
        """Whether it differs from its default, or has none."""
        return bool(self.value != self.default)


def effective(
    raw: RawConfig, checked: Checked, models: Mapping[str, type[msgspec.Struct]], *, reveal: bool = False
) -> list[Leaf]:
    """Every value of every present section and of the sections that are always on, in the order of the file.

    A section with errors or without a model is shown as written. Durations are formatted.

    Args:
        reveal: show secrets; otherwise they are ``***``.
    """
    view = _View(raw, reveal)
    leaves: list[Leaf] = []
    for name, data in raw.data.items():
        section = checked.sections.get(name)
        if section is not None:
            leaves += view.struct(section, data, (name,))
        elif data is not None:
            leaves += view.plain(data, (name,))
    for name in ALWAYS_ON:
        if name in models and not raw.present(name):
            leaves += view.struct(models[name](), {}, (name,))
    return leaves


@dataclass(frozen=True, slots=True)
class _View:
    raw: RawConfig
    reveal: bool

    def struct(self, made: msgspec.Struct, data: Any, path: KeyPath) -> Iterator[Leaf]:
        given = _given(data)
        named = named_field(type(made))
        if named is not None:
            for key, entry in getattr(made, named.name).items():
                yield from self.struct(entry, given.get(key), (*path, key))
            return
        fields = fields_of(type(made))
        tag = type(made).__struct_config__.tag_field
        if tag is not None:
            yield from self.plain(type(made).__struct_config__.tag, (*path, tag))
        for key, field in fields.items():
            here = (*path, key)
            value = getattr(made, field.name)
            written = given.get(key)
            if isinstance(value, msgspec.Struct):
                yield from self.struct(value, written, here)
            elif written is None:
                plain = _plain(value, field.type)
                yield self._leaf(here, plain, DEFAULT, plain)
            else:
                yield from self.plain(_plain(value, field.type), here, default=_default(field))
        for key, value in given.items():
            if key not in fields and key != tag:
                yield from self.plain(value, (*path, key), note=", unknown key")

    def plain(self, value: Any, path: KeyPath, note: str = "", default: Any = msgspec.UNSET) -> Iterator[Leaf]:
        if isinstance(value, dict) and value:
            defaults = default if isinstance(default, dict) else {}
            for key, item in value.items():
                yield from self.plain(item, (*path, key), note, defaults.get(key, msgspec.UNSET))
        else:
            yield self._leaf(path, value, self._source(path) + note, default)

    def _source(self, path: KeyPath) -> str:
        origin = self.raw.origin(path)
        known = origin.template and (self.reveal or not is_secret(path)) and origin.template.isprintable()
        return f"{origin} from {masked(origin.template, ())}" if known else str(origin)

    def _leaf(self, path: KeyPath, value: Any, source: str, default: Any) -> Leaf:
        if not self.reveal:
            value, default = masked(value, path), masked(default, path)
        return Leaf(path=path, value=value, source=source, default=default)


def _given(data: Any) -> dict[str, Any]:
    try:
        return to_map(data)
    except Unreadable:  # not a map: no keys are given here
        return {}


def _default(field: msgspec.inspect.Field) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return _plain(field.default, field.type)
    if field.default_factory is not msgspec.NODEFAULT:
        return _plain(field.default_factory(), field.type)
    return msgspec.UNSET


def _plain(value: Any, kind: msgspec.inspect.Type) -> Any:
    _, notes = plain_type(kind)
    if notes.get("rr") == "duration" and value is not None:
        return format_duration(value)
    return msgspec.to_builtins(value)
