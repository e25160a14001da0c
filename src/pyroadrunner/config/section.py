"""Convert a section from plain data to its typed, checked model. Pure.

The reader walks the model's type information (``msgspec.inspect``) beside the data, converts with the weak rules of
``values.py``, and continues after an error, so that it finds all of them. A model may add its own checks:

    def faults(self) -> Iterable[tuple[str, str]]:      # (key below this struct, such as `routes.1.name`, the error)
    def warnings(self) -> Iterable[tuple[str, str]]:    # the same, for valid values that are probably not intended
    def unread(self) -> Iterable[tuple[str, str]]:      # the same, for unknown or unused names, treated as unknown keys

For a union of tagged structs (``tag_field="driver", tag="redis"``) the value of the tag selects the struct. An entry
with an unknown tag is ignored with a warning, as RoadRunner ignores storages and pipelines with unknown drivers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal, cast

import msgspec
from msgspec import inspect

from pyroadrunner.config import values
from pyroadrunner.config.errors import Fault
from pyroadrunner.config.origin import KeyPath, Origin, dotted
from pyroadrunner.config.values import Unreadable, shown


class _Faulty:
    """Marks a value that could not be read; its errors are recorded."""


class _LeftOut:
    """Marks an ignored entry; a warning is recorded."""


FAULTY = _Faulty()
LEFT_OUT = _LeftOut()

_SCALARS: dict[type, Callable[[object], Any]] = {
    inspect.IntType: values.to_int,
    inspect.FloatType: values.to_float,
    inspect.BoolType: values.to_bool,
    inspect.StrType: values.to_string,
}
_ALIASES: dict[str, Callable[[object], Any]] = {
    "duration": values.to_duration,
    "command": values.to_command,
    "list": values.to_string_list,
    "map": values.to_string_map,
}
_WHOLE_SECONDS_UNLIKELY = 1_000_000  # nanoseconds: a bare integer below a millisecond was probably meant as seconds


@cache
def fields_of(model: type[msgspec.Struct]) -> dict[str, inspect.Field]:
    """The fields of a model by their config keys."""
    return {field.encode_name: field for field in cast("inspect.StructType", inspect.type_info(model)).fields}


def named_field(model: type[msgspec.Struct]) -> inspect.Field | None:
    """The field that holds the whole section if its keys are names chosen by the user (``values.NAMED``)."""
    return next((field for field in fields_of(model).values() if "rr_named" in plain_type(field.type)[1]), None)


def plain_type(kind: inspect.Type) -> tuple[inspect.Type, dict[str, Any]]:
    """A type without ``Annotated`` and ``| None``, and the notes (``rr``, ``rr_unbuilt``) of the removed parts."""
    notes: dict[str, Any] = {}
    while True:
        if isinstance(kind, inspect.Metadata):
            notes = {**(kind.extra or {}), **notes}
            kind = kind.type
        elif isinstance(kind, inspect.UnionType) and len(_options(kind)) == 1:
            kind = _options(kind)[0]
        else:
            return kind, notes


def _options(union: inspect.UnionType) -> list[inspect.Type]:
    return [option for option in union.types if not isinstance(option, inspect.NoneType)]


def tags_of(union: inspect.UnionType) -> dict[str, inspect.StructType]:
    """The structs of a union by their tags; empty for other unions."""
    options = _options(union)
    return {
        str(option.tag): option for option in options if isinstance(option, inspect.StructType) and option.tag_field
    }


def suggest(word: str, known: Iterable[str]) -> str:
    """``did you mean `num_workers`?``; empty if no known word is similar."""
    from difflib import get_close_matches  # only an invalid config needs it

    near = get_close_matches(word, list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else ""


class SectionReader:
    """Reads sections into their models and collects errors and warnings.

    Attributes:
        faults: errors that prevent a start.
        warnings: problems that do not.
    """

    def __init__(self, origin: Callable[[KeyPath], Origin]) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self._origin = origin

    def read(self, model: type[msgspec.Struct], data: object, path: KeyPath) -> msgspec.Struct | None:
        """Read the section at ``path`` into a model; ``None`` if it has errors. Never raises for the content of
        ``data``."""
        read = self._struct(model, data, path)
        return None if read is FAULTY else cast("msgspec.Struct", read)

    def _note(self, path: KeyPath, message: str, value: Any = None, *, expected: str = "", hint: str = "") -> _Faulty:
        self.faults.append(
            Fault(
                path=dotted(path),
                message=message,
                value=value,
                expected=expected,
                hint=hint,
                origin=self._origin(path),
            )
        )
        return FAULTY

    def _warn(
        self, kind: Literal["unknown", "unbuilt", "doubtful"], path: KeyPath, message: str, value: Any, hint: str = ""
    ) -> None:
        origin = self._origin(path)
        self.warnings.append(
            Fault(path=dotted(path), message=message, value=value, hint=hint, origin=origin, kind=kind)
        )

    # -- structs -------------------------------------------------------------------------------------------------------

    def _struct(self, model: type[msgspec.Struct], data: object, path: KeyPath) -> Any:
        try:
            given = values.to_map(data)
        except Unreadable as wrong:
            return self._note(path, wrong.message, data, expected="a map of keys")
        named = named_field(model)
        if named is not None:
            entries = self._value(named.type, given, path)
            return FAULTY if entries is FAULTY else self._made(model, {named.name: entries}, path)
        fields = fields_of(model)
        tag = model.__struct_config__.tag_field
        read: dict[str, Any] = {}
        for key, value in given.items():
            here = (*path, key)
            if key not in fields:
                if key != tag:
                    self._unknown(model, key, value, path)
            elif value is not None:  # `supervisor:` without a value counts as absent
                read[fields[key].name] = self._field(fields[key], value, here)
        for key, field in fields.items():
            if field.required and field.name not in read:
                read[field.name] = self._note((*path, key), "is required", expected=self._expected(field.type))
        if any(value is FAULTY for value in read.values()):
            return FAULTY
        return self._made(model, read, path)

    def _field(self, field: inspect.Field, value: Any, path: KeyPath) -> Any:
        _, notes = plain_type(field.type)
        if "rr_unbuilt" in notes and value not in ("", [], {}, False):
            self._warn("unbuilt", path, f"is not part of this version: {notes['rr_unbuilt']}", value)
        read = self._value(field.type, value, path)
        if field.required and isinstance(read, list) and not read:
            return self._note(path, "should not be empty", value, expected=self._expected(field.type))
        return read

    def _made(self, model: type[msgspec.Struct], read: dict[str, Any], path: KeyPath) -> Any:
        try:
            made = model(**read)
        except (TypeError, ValueError) as wrong:  # a model's own __post_init__
            return self._note(path, str(wrong))
        before = len(self.faults)
        for below, message in found_by(made, "faults"):
            self._note((*path, *below), message, _at(read, below))
        for below, message in found_by(made, "warnings"):
            self._warn("doubtful", (*path, *below), message, _at(read, below))
        for below, message in found_by(made, "unread"):
            self._warn("unknown", (*path, *below), message, _at(read, below))
        return made if len(self.faults) == before else FAULTY

    def _unknown(self, model: type[msgspec.Struct], key: str, value: Any, path: KeyPath) -> None:
        hint = suggest(key, fields_of(model))
        if not hint:
            deeper = next((below for below in _paths(model) if below[-1] == key), None)
            hint = f"did you mean `{dotted((*path, *deeper))}`?" if deeper else ""
        self._warn("unknown", (*path, key), "unknown key", value, hint)

    # -- values --------------------------------------------------------------------------------------------------------

    def _value(self, kind: inspect.Type, value: Any, path: KeyPath) -> Any:
        plain, notes = plain_type(kind)
        try:
            if "rr" in notes:
                read = self._alias(notes["rr"], value, path)
            elif type(plain) in _SCALARS:
                read = _SCALARS[type(plain)](value)
            else:
                return self._compound(plain, value, path)
        except Unreadable as wrong:
            return self._note(path, wrong.message, value, expected=wrong.expected, hint=wrong.hint)
        broken = _broken_limit(plain, read)
        return self._note(path, broken[0], value, expected=broken[1]) if broken else read

    def _alias(self, alias: str, value: Any, path: KeyPath) -> Any:
        read = _ALIASES[alias](value)
        if alias == "duration" and not isinstance(value, str) and 0 < value < _WHOLE_SECONDS_UNLIKELY:
            message = f"{value} is {value} nanoseconds, as in RoadRunner"
            self._warn("doubtful", path, message, value, f'write "{value}s" for seconds')
        return read

    def _compound(self, kind: inspect.Type, value: Any, path: KeyPath) -> Any:
        if isinstance(kind, inspect.AnyType):
            return value
        if isinstance(kind, inspect.StructType):
            # Of a union with one member Python keeps the member.
            return (
                self._tagged({str(kind.tag): kind}, value, path)
                if kind.tag_field
                else self._struct(kind.cls, value, path)
            )
        if isinstance(kind, inspect.LiteralType):
            return self._literal(kind, value, path)
        if isinstance(kind, inspect.ListType):
            return self._list(kind, value, path)
        if isinstance(kind, inspect.DictType):
            return self._dict(kind, value, path)
        if isinstance(kind, inspect.UnionType):
            return self._union(kind, value, path)
        raise TypeError(f"a config model can't use {kind} ({dotted(path)})")

    def _literal(self, kind: inspect.LiteralType, value: Any, path: KeyPath) -> Any:
        text = values.to_string(value)
        for option in kind.values:
            if text == str(option) or text.lower() == str(option).lower():
                return option
        options = [str(option) for option in kind.values]
        hint = suggest(text, options)
        return self._note(path, f"is {shown(value)}", value, expected=" or ".join(options), hint=hint)

    def _list(self, kind: inspect.ListType, value: Any, path: KeyPath) -> Any:
        items = value if isinstance(value, list) else [value]
        read = [self._value(kind.item_type, item, (*path, i)) for i, item in enumerate(items)]
        return FAULTY if any(item is FAULTY for item in read) else read

    def _dict(self, kind: inspect.DictType, value: Any, path: KeyPath) -> Any:
        read = {key: self._value(kind.value_type, item, (*path, key)) for key, item in values.to_map(value).items()}
        if any(item is FAULTY for item in read.values()):
            return FAULTY
        return {key: item for key, item in read.items() if item is not LEFT_OUT}

    def _union(self, kind: inspect.UnionType, value: Any, path: KeyPath) -> Any:
        """Read the value with the first matching type of the union; if none matches, report the errors of the first
        type."""
        tagged = tags_of(kind)
        if tagged:
            return self._tagged(tagged, value, path)
        first: SectionReader | None = None
        for option in _options(kind):
            attempt = SectionReader(self._origin)
            read = attempt._value(option, value, path)
            if read is not FAULTY:
                self.warnings += attempt.warnings
                return read
            first = first or attempt
        self.faults += first.faults if first else ()
        return FAULTY

    def _tagged(self, options: Mapping[str, inspect.StructType], value: Any, path: KeyPath) -> Any:
        """Read the value with the struct of its tag."""
        field = str(next(iter(options.values())).tag_field)
        if not isinstance(value, Mapping):
            self._warn("unknown", path, f"ignored: it is {shown(value)}, not a map with a `{field}`", value)
            return LEFT_OUT
        here, tag = (*path, field), value.get(field)
        if tag in (None, ""):
            return self._note(here, "is required", expected=" or ".join(options))
        option = options.get(str(tag))
        if option is None:
            message = f"unknown {field} {shown(tag)}; `{dotted(path)}` is ignored"
            self._warn("unknown", here, message, tag, suggest(str(tag), options) or f"known are {', '.join(options)}")
            return LEFT_OUT
        return self._struct(option.cls, value, path)

    def _expected(self, kind: inspect.Type) -> str:
        plain, notes = plain_type(kind)
        if notes.get("rr") == "command":
            return "a command: a string, or a list of arguments"
        return _NAMES.get(notes.get("rr", type(plain)), "")


_NAMES: dict[object, str] = {
    "duration": 'a duration such as "30s"',
    "list": "a list of strings",
    "map": "a map",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.StrType: "a string",
    inspect.StructType: "a map of keys",
    inspect.DictType: "a map",
    inspect.ListType: "a list",
}


def _broken_limit(kind: inspect.Type, value: Any) -> tuple[str, str] | None:
    """The error and the expected value if ``value`` breaks a ``Meta(ge=, le=, gt=, lt=, pattern=)``."""
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        if kind.le is not None and value > kind.le:
            return f"can't be more than {kind.le}", f"at most {kind.le}"
        if kind.lt is not None and value >= kind.lt:
            return f"can't be {shown(value)}", f"less than {kind.lt}"
        if kind.ge is not None and value < kind.ge:
            return f"can't be less than {kind.ge}", f"at least {kind.ge}"
        if kind.gt is not None and value <= kind.gt:
            return f"can't be {shown(value)}", f"more than {kind.gt}"
    if isinstance(kind, inspect.StrType) and kind.pattern is not None and not re.search(kind.pattern, value):
        return f"{shown(value)} has the wrong form", f"text like {kind.pattern}"
    return None


def found_by(made: msgspec.Struct, hook: str) -> Iterator[tuple[KeyPath, str]]:
    """The results of a model's own check: the path below the struct, and the message."""
    check = getattr(made, hook, None)
    if callable(check):
        for below, message in check():
            yield _key_path(below), message


def _key_path(below: str) -> KeyPath:
    """Split ``routes.1.name`` into keys; a number is a position in a list."""
    return tuple(int(part) if part.isdecimal() else part for part in below.split(".")) if below else ()


def _at(data: Any, path: KeyPath) -> Any:
    """The value at a path below a map; ``None`` if the path does not exist."""
    for part in path:
        if isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            data = data.get(part) if isinstance(data, Mapping) else None
    return data


def _paths(model: type[msgspec.Struct]) -> Iterator[tuple[str, ...]]:
    """Every key of a model and of the models inside it, those of the model itself first."""
    inner = []
    for key, field in fields_of(model).items():
        yield (key,)
        kind, _ = plain_type(field.type)
        if isinstance(kind, inspect.StructType):
            inner.append((key, kind.cls))
    for key, cls in inner:
        for below in _paths(cls):
            yield (key, *below)
