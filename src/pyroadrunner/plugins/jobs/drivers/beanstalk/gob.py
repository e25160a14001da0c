"""Go's ``encoding/gob``: the parts that a struct with simple fields needs. Pure.

The format is described at https://pkg.go.dev/encoding/gob. A stream is a sequence of messages, each a length and a
type id. A negative id defines a type, a positive one is followed by a value. A reader needs nothing but the stream:
fields are found by the names in the definition, and those that it does not know are skipped.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

BOOL, INT, UINT, FLOAT, BYTES, STRING, COMPLEX = range(1, 8)
FIRST_TYPE = 64  # the first id of a type that a stream defines
_DEEPEST = 32  # nested values


class GobError(ValueError):
    """The bytes are no gob, or one with a type that this module does not read."""


# -- writing


def uint(number: int) -> bytes:
    """An unsigned integer: one byte below 128, otherwise the negated count of bytes and then the bytes."""
    if number < 128:
        return bytes((number,))
    length = (number.bit_length() + 7) // 8
    return bytes((256 - length,)) + number.to_bytes(length, "big")


def signed(number: int) -> bytes:
    """An integer; the lowest bit is its sign."""
    return uint((~number << 1) | 1 if number < 0 else number << 1)


def text(value: bytes) -> bytes:
    """A string, or bytes."""
    return uint(len(value)) + value


def fields(values: Sequence[bytes | None]) -> bytes:
    """A struct from its encoded fields; ``None`` = the field is zero, and zero fields are left out."""
    out, last = bytearray(), -1
    for number, value in enumerate(values):
        if value is not None:
            out += uint(number - last)
            out += value
            last = number
    return bytes(out) + b"\x00"


def message(type_id: int, content: bytes) -> bytes:
    """A message: a value with a positive id, a definition with a negative one."""
    return text(signed(type_id) + content)


def struct_definition(type_id: int, name: str, members: Mapping[str, int]) -> bytes:
    """The message that defines a struct: names of the fields with their type ids."""
    listed = [fields([text(member.encode()), signed(one)]) for member, one in members.items()]
    common = fields([text(name.encode()), signed(type_id)])
    return message(-type_id, fields([None, None, fields([common, uint(len(listed)) + b"".join(listed)])]))


# -- reading


@dataclass(frozen=True, slots=True)
class _Type:
    """A type: a struct with fields, a list or map with elements, or one that encodes itself to bytes."""

    kind: Literal["struct", "list", "map", "bytes"]
    members: list[tuple[str, int]] = field(default_factory=list)
    element: int = 0
    key: int = 0


# The types of definitions (`wireType` and its parts in Go's encoding/gob/type.go), which every reader knows.
_DEFINITION, _ARRAY, _COMMON, _SLICE, _STRUCT, _FIELD, _FIELDS, _MAP, _ENCODER = range(16, 25)
_KNOWN = {
    _DEFINITION: _Type(
        "struct",
        [
            ("array", _ARRAY),
            ("slice", _SLICE),
            ("struct", _STRUCT),
            ("map", _MAP),
            ("encoder", _ENCODER),
            ("binary", _ENCODER),
            ("text", _ENCODER),
        ],
    ),
    _ARRAY: _Type("struct", [("common", _COMMON), ("element", INT), ("length", INT)]),
    _COMMON: _Type("struct", [("name", STRING), ("id", INT)]),
    _SLICE: _Type("struct", [("common", _COMMON), ("element", INT)]),
    _STRUCT: _Type("struct", [("common", _COMMON), ("fields", _FIELDS)]),
    _FIELD: _Type("struct", [("name", STRING), ("id", INT)]),
    _FIELDS: _Type("list", element=_FIELD),
    _MAP: _Type("struct", [("common", _COMMON), ("key", INT), ("element", INT)]),
    _ENCODER: _Type("struct", [("common", _COMMON)]),
}


def read_struct(data: bytes) -> dict[str, Any]:
    """The first value of a stream, which must be a struct. Zero fields are absent.

    Raises:
        GobError
    """
    for definitions, types in _LEARNED.items():
        if data.startswith(definitions):
            return _Reader(data, len(definitions), types).value()
    return _Reader(data).value()


# Definitions at the start of a stream with the types that they define: a program begins all its streams with the same.
_LEARNED: dict[bytes, dict[int, _Type]] = {}
_MOST_LEARNED = 4


class _Reader:
    def __init__(self, data: bytes, at: int = 0, types: Mapping[int, _Type] = _KNOWN) -> None:
        self._data = data
        self._at = at
        self._types = dict(types)

    def definition(self) -> Any:
        found = self._read(_DEFINITION, 0)
        if self._at != len(self._data):
            raise GobError("a definition does not fill its message")
        return found

    def value(self) -> dict[str, Any]:
        while True:
            begin = self._at
            length = self._uint()
            end = self._at + length
            type_id = self._signed()
            if type_id >= FIRST_TYPE and type_id in self._types and self._types[type_id].kind == "struct":
                found: dict[str, Any] = self._read(type_id, 0)
                if len(_LEARNED) < _MOST_LEARNED:
                    _LEARNED.setdefault(self._data[:begin], self._types)
                return found
            if type_id > -FIRST_TYPE:
                raise GobError("the value is no struct")
            if end < self._at:
                raise GobError("a message is too short for its type")
            self._types[-type_id] = _defined(self._bytes(end - self._at))

    def _read(self, type_id: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise GobError("the value is nested too deeply")
        match type_id:
            case 6:  # the numbers of the constants above, common ones first
                return self._text().decode("utf-8", "replace")
            case 2:
                return self._signed()
            case 5:
                return self._text()
            case 1:
                return bool(self._uint())
            case 3:
                return self._uint()
            case 4:
                return self._float()
            case 7:
                return complex(self._float(), self._float())
        found = self._types.get(type_id)
        if found is None:
            raise GobError(f"the type {type_id} is not defined")
        match found.kind:
            case "struct":
                return self._struct(found.members, depth)
            case "bytes":
                return self._text()
            case "list":
                return [self._read(found.element, depth + 1) for _ in range(self._count())]
            case _:
                return [
                    (self._read(found.key, depth + 1), self._read(found.element, depth + 1))
                    for _ in range(self._count())
                ]

    def _struct(self, members: Sequence[tuple[str, int]], depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        number = -1
        while delta := self._uint():
            number += delta
            if number >= len(members):
                raise GobError("a struct has a field too many")
            name, type_id = members[number]
            values[name] = self._read(type_id, depth + 1)
        return values

    def _count(self) -> int:
        """A count of elements; each takes a byte at least."""
        count = self._uint()
        if count > len(self._data) - self._at:
            raise GobError("a list is cut off")
        return count

    def _uint(self) -> int:
        at = self._at
        if at >= len(self._data):
            raise GobError("a value is cut off")
        first = self._data[at]
        self._at = at + 1
        if first < 128:
            return first
        if first < 248:
            raise GobError("an integer is longer than 8 bytes")
        return int.from_bytes(self._bytes(256 - first), "big")

    def _signed(self) -> int:
        number = self._uint()
        return ~(number >> 1) if number & 1 else number >> 1

    def _float(self) -> float:
        """A float has its bytes in reverse order, so that the many zeros of short ones come first."""
        found: float = struct.unpack("<d", self._uint().to_bytes(8, "big"))[0]
        return found

    def _text(self) -> bytes:
        return self._bytes(self._uint())

    def _bytes(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise GobError("a value is cut off")
        found = self._data[self._at : end]
        self._at = end
        return found


def _defined(data: bytes) -> _Type:
    for kind, what in _Reader(data).definition().items():
        if kind == "struct":
            members = [(one.get("name", ""), one.get("id", 0)) for one in what.get("fields", ())]
            return _Type("struct", members)
        if kind == "map":
            return _Type("map", key=what.get("key", 0), element=what.get("element", 0))
        if kind in ("array", "slice"):
            return _Type("list", element=what.get("element", 0))
        return _Type("bytes")
    raise GobError("a definition is empty")
