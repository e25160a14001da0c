"""What a key of ``.rr.yaml`` means: its type, default, unit and documentation, read from the models.

A path names a key as it is written: ``http.pool.num_workers``. Where a user chooses a name, any word stands for it
(``jobs.pipelines.mails.driver``), and the position in a list may be left out (``http.routes.match``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from pyroadrunner.config.jsonschema import default_of, descriptions
from pyroadrunner.config.partial import Partial
from pyroadrunner.config.section import fields_of, named_field, plain_type, tags_of
from pyroadrunner.config.sections import KNOWN_SECTIONS, OBSOLETE_SECTIONS, STORAGE_SECTIONS
from pyroadrunner.errors import RoadRunnerError

_texts = cache(descriptions)
NAME = "NAME"  # stands for a name that the user chooses
_UNIT = re.compile(r"\b(?:(KB|MB|GB)\b(?: \((2\*\*\d+ bytes)\))?|([Bb]ytes|[Ss]econds|[Dd]ays|[Mm]inutes)\b)")
_OWN = {
    "version": 'the version of the format, "3"',
    "include": "files whose sections replace those of this file",
    "envfile": "a dotenv file, read with the flag -e",
}
_WORDS = {
    "duration": 'duration, such as "30s", "1m30s" or "500ms"',
    "command": "command: one string, or a list of arguments",
    "list": "list of strings, or one string with commas",
    "map": "map of strings",
}
_SCALARS: dict[type, str] = {
    inspect.BoolType: "true or false",
    inspect.StrType: "string",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
}


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key, or a section.

    Attributes:
        path: as it was asked for, keys in lower case: ``("jobs", "pipelines", "mails", "driver")``.
        pattern: the same with ``NAME`` for names that a user chooses.
        type: in words.
        default: in the notation of the config; ``None`` = empty.
        required: whether the map around it must have it.
        unit: such as ``MB``; empty for plain numbers, and for durations, which have theirs in the value.
        text: its documentation; may be empty.
        ignored: why the server accepts the key and ignores it; empty for most keys.
        drivers: names of the drivers that have this key; empty where every driver has it.
        kinds: its type, by driver if drivers differ (otherwise the name is empty).
    """

    path: tuple[str, ...]
    pattern: tuple[str, ...]
    type: str
    default: Any = None
    required: bool = False
    unit: str = ""
    text: str = ""
    ignored: str = ""
    drivers: tuple[str, ...] = ()
    kinds: tuple[tuple[str, inspect.Type], ...] = ()

    @property
    def name(self) -> str:
        return ".".join(self.path)


class UnknownKey(RoadRunnerError):
    """There is no such key."""

    def __init__(self, path: str, near: Iterable[str], note: str = "") -> None:
        self.path = path
        self.near = tuple(near)
        hint = f"; did you mean {' or '.join(f'`{one}`' for one in self.near)}?" if self.near else ""
        super().__init__(f"{path}: {note or 'unknown key'}{hint}")


def explain(models: Mapping[str, type[msgspec.Struct]], path: str) -> Key:
    """Explain a key.

    Raises:
        UnknownKey: no section has it; the error names the nearest keys.
    """
    parts = [part if part == NAME else part.lower() for part in re.split(r"[.\[\]]+", path.strip()) if part]
    if not parts or parts[0] not in models:
        raise _unknown_section(models, ".".join(parts))
    key = section(models, parts[0])
    for part in parts[1:]:
        found = _below(key, part)
        if found is None:
            raise _unknown(models, key, ".".join(parts), part)
        key = found
    return key


def section(models: Mapping[str, type[msgspec.Struct]], name: str) -> Key:
    """A whole section."""
    model = models[name]
    kinds = (("", inspect.type_info(model)),)
    return Key(path=(name,), pattern=(name,), type="map of keys", text=_summary(model), kinds=kinds)


def children(key: Key) -> list[Key]:
    """The keys directly below this one; below a map of names or a list, the keys of each of its entries."""
    return _children(key)


def _children(key: Key, only: str = "") -> list[Key]:
    """All keys below this one, or the one with this name."""
    found: dict[str, list[tuple[str, Key]]] = {}
    structs = list(_structs(key))
    for struct, above, driver in structs:
        for name, field in _fields(struct).items():
            if only and name != only:
                continue
            found.setdefault(name, []).append((driver, _of_field(above, name, field, struct, structs)))
    drivers = {driver for _, _, driver in structs}
    return [_one(alternatives, len(drivers)) for alternatives in found.values()]


def _one(alternatives: Sequence[tuple[str, Key]], drivers: int) -> Key:
    """The key of several drivers."""
    first = alternatives[0][1]
    if drivers < 2:
        return first
    names = tuple(dict.fromkeys(driver for driver, _ in alternatives))
    kinds = tuple((driver, kind) for driver, key in alternatives for _, kind in key.kinds)
    same = all(kind == kinds[0][1] for _, kind in kinds)
    return replace(first, drivers=() if len(names) == drivers else names, kinds=kinds[:1] if same else kinds)


def all_keys(models: Mapping[str, type[msgspec.Struct]]) -> Iterator[str]:
    """Every key of every section, with ``NAME`` for names that users choose."""
    for name in models:
        waiting = [section(models, name)]
        while waiting:
            key = waiting.pop()
            yield ".".join(key.pattern)
            if len(key.pattern) < _DEEPEST:
                waiting += children(replace(key, path=key.pattern))


_DEEPEST = 9  # levels; no model is recursive today, and one that were must not run forever


def _unknown_section(models: Mapping[str, Any], path: str) -> UnknownKey:
    name = path.partition(".")[0]
    if name in OBSOLETE_SECTIONS:
        return UnknownKey(path, (), f"a section that RoadRunner has removed: {OBSOLETE_SECTIONS[name]}")
    if name in KNOWN_SECTIONS:
        return UnknownKey(path, (), f"a section that is not part of this version: {KNOWN_SECTIONS[name]}")
    if name in STORAGE_SECTIONS:
        text = f"settings of the storage `kv.{name}` if it has no `config`; rr config explain kv.NAME.config"
        return UnknownKey(path, (), text)
    if name in _OWN:
        return UnknownKey(path, (), f"a key of the file itself: {_OWN[name]}")
    return UnknownKey(path, _nearest(models, path))


def _unknown(models: Mapping[str, Any], above: Key, path: str, part: str) -> UnknownKey:
    near = get_close_matches(part, [child.path[-1] for child in children(above)], n=3)
    if near:
        return UnknownKey(path, [f"{above.name}.{one}" for one in near])
    return UnknownKey(path, _nearest(models, path))


def _nearest(models: Mapping[str, Any], path: str) -> list[str]:
    """Keys with the same last word, otherwise the most similar ones."""
    keys = _listed(tuple(models.items()))
    last = path.rpartition(".")[2]
    same = [key for key in keys if key.rpartition(".")[2] == last]
    same.sort(key=lambda key: (key.partition(".")[0] != path.partition(".")[0], key.count("."), key))
    return same[:3] or get_close_matches(path, keys, n=3) or get_close_matches(last, list(models), n=1)


@cache
def _listed(models: tuple[tuple[str, type[msgspec.Struct]], ...]) -> list[str]:
    return list(all_keys(dict(models)))


# -- down the models ---------------------------------------------------------------------------------------------------


def _below(key: Key, part: str) -> Key | None:
    """The key ``part`` below this one."""
    entries: list[Key] = []
    for driver, kind in key.kinds:
        plain, _ = plain_type(_dictionary(kind))
        if isinstance(plain, inspect.DictType):
            entries.append(_entry(key, plain.value_type, part, driver))
        elif isinstance(plain, inspect.ListType) and (part.isdigit() or part == NAME):
            entries.append(replace(_entry(key, plain.item_type, part, driver), pattern=key.pattern))
    if entries:
        return replace(entries[0], kinds=tuple(kind for entry in entries for kind in entry.kinds))
    return next(iter(_children(key, part)), None)


def _entry(key: Key, kind: inspect.Type, part: str, driver: str) -> Key:
    """One entry of a map of names, or of a list."""
    plain, _ = plain_type(kind)
    text = _summary(plain.cls) if isinstance(plain, inspect.StructType) else ""
    path, pattern = (*key.path, part), (*key.pattern, NAME)
    return Key(path=path, pattern=pattern, type=in_words(kind), text=text, kinds=((driver, kind),))


def _structs(key: Key) -> Iterator[tuple[inspect.StructType, Key, str]]:
    """The structs whose fields are the keys below this key: several if drivers differ; the last item is the driver."""
    for driver, kind in key.kinds:
        yield from _structs_of(key, kind, driver)


def _structs_of(key: Key, kind: inspect.Type, driver: str) -> Iterator[tuple[inspect.StructType, Key, str]]:
    plain, _ = plain_type(_dictionary(kind))
    if isinstance(plain, inspect.DictType):
        entry = _entry(key, plain.value_type, NAME, driver)
        yield from _structs_of(entry, plain.value_type, driver)
    elif isinstance(plain, inspect.ListType):
        yield from _structs_of(key, plain.item_type, driver)
    elif isinstance(plain, inspect.StructType):
        yield plain, key, str(plain.tag) if plain.tag_field else driver
    elif isinstance(plain, inspect.UnionType):
        for option in plain.types:
            inner, _ = plain_type(option)
            if isinstance(inner, inspect.StructType):
                yield from _structs_of(key, inner, driver)


def _dictionary(kind: inspect.Type) -> inspect.Type:
    """For a section whose keys are names, the map of these names; otherwise the type itself."""
    plain, _ = plain_type(kind)
    if isinstance(plain, inspect.StructType):
        named = named_field(plain.cls)
        if named is not None:
            return named.type
    return kind


def _fields(struct: inspect.StructType) -> dict[str, inspect.Field]:
    fields = fields_of(struct.cls)
    if struct.tag_field:
        tag = inspect.Field(
            name=struct.tag_field, encode_name=struct.tag_field, type=inspect.LiteralType((str(struct.tag),))
        )
        return {struct.tag_field: tag, **fields}
    return fields


def _of_field(
    above: Key,
    name: str,
    field: inspect.Field,
    struct: inspect.StructType,
    structs: Sequence[tuple[inspect.StructType, Key, str]],
) -> Key:
    plain, notes = plain_type(field.type)
    if name == struct.tag_field:
        tags = list(dict.fromkeys(tag for _, _, tag in structs if tag))
        text = "Selects the other keys." if len(tags) > 1 else ""
        kind: inspect.Type = inspect.LiteralType(tuple(tags))
        return Key(
            path=(*above.path, name),
            pattern=(*above.pattern, name),
            type=in_words(kind),
            required=True,
            text=text,
            kinds=(("", kind),),
        )
    text = _texts(struct.cls).get(field.name, "")
    if not text and isinstance(plain, inspect.StructType):
        text = _summary(plain.cls)
    unset = issubclass(struct.cls, Partial)
    return Key(
        path=(*above.path, name),
        pattern=(*above.pattern, name),
        type=in_words(field.type),
        default=None if field.required or unset else default_of(field),
        required=field.required,
        unit=_unit(plain, notes, text),
        text=text,
        ignored=str(notes.get("rr_unbuilt", "")),
        kinds=(("", field.type),),
    )


# -- words -------------------------------------------------------------------------------------------------------------


def in_words(kind: inspect.Type) -> str:
    """A type as a reader of the manual would name it."""
    plain, notes = plain_type(kind)
    if "rr" in notes:
        return _WORDS[notes["rr"]]
    if isinstance(plain, inspect.LiteralType):
        return " or ".join(f"`{value}`" if value else "empty" for value in plain.values)
    if isinstance(plain, inspect.IntType | inspect.FloatType):
        return _SCALARS[type(plain)] + _limits(plain)
    if isinstance(plain, inspect.StrType):
        return "string" + (f" of the form {plain.pattern}" if plain.pattern else "")
    if isinstance(plain, inspect.ListType):
        return f"list of {_plural(in_words(plain.item_type))}"
    if isinstance(plain, inspect.DictType):
        inner, _ = plain_type(plain.value_type)
        return "map of strings" if isinstance(inner, inspect.StrType) else "map: a name of your own for each entry"
    if isinstance(plain, inspect.UnionType):
        if tags := tags_of(plain):
            return f"map of keys, which depend on `{next(iter(tags.values())).tag_field}`"
        return ", or ".join(
            dict.fromkeys(in_words(one) for one in plain.types if not isinstance(one, inspect.NoneType))
        )
    if isinstance(plain, inspect.StructType):
        return "map of keys" if named_field(plain.cls) is None else "map: a name of your own for each entry"
    return _SCALARS.get(type(plain), "any value")


def _plural(words: str) -> str:
    noun, space, rest = words.partition(" ")
    if noun == "map":
        return f"maps{space}{rest}"
    return {"string": "strings", "whole number": "whole numbers", "number": "numbers"}.get(words, f"({words})")


def _limits(kind: inspect.IntType | inspect.FloatType) -> str:
    low = f"at least {kind.ge}" if kind.ge is not None else f"more than {kind.gt}" if kind.gt is not None else ""
    high = f"at most {kind.le}" if kind.le is not None else f"less than {kind.lt}" if kind.lt is not None else ""
    limits = " and ".join(part for part in (low, high) if part)
    return f", {limits}" if limits else ""


def _unit(plain: inspect.Type, notes: Mapping[str, Any], text: str) -> str:
    if "rr" in notes or not isinstance(plain, inspect.IntType | inspect.FloatType):
        return ""
    found = _UNIT.search(text)
    if found is None:
        return ""
    size, exact, word = found.groups()
    return (f"{size} ({exact})" if exact else size) if size else word.lower()


def _summary(model: type[msgspec.Struct]) -> str:
    """The docstring of a model as one line, without the key at its beginning."""
    text = " ".join((model.__doc__ or "").split()).replace("``", "`")
    if text.startswith(f"{model.__name__}("):  # msgspec's own: the class has no docstring
        return ""
    if re.fullmatch(r"`[^`]+`\.", text):  # "`http`." says no more than its key
        return ""
    text = re.sub(r"^`[^`]+`( \(not in RoadRunner\))?[:,] ", "", text)
    return text[:1].upper() + text[1:] if text[1:2].islower() or text[1:2] == " " else text  # not gRPC
