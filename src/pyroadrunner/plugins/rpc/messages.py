"""Protobuf messages as plain data, for JSON and msgpack calls to methods with protobuf types. Pure.

RoadRunner passes the generated Go structs to its JSON encoder, not to protojson: keys are the field names of the .proto
file, 64-bit integers and enums are numbers, bytes are base64, and empty fields are left out. ``google.protobuf`` is
imported with the first call to such a method, since it needs megabytes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, MutableMapping, MutableSequence
from typing import Any

from pyroadrunner.plugins.rpc.errors import BadArgument
from pyroadrunner.plugins.rpc.field_names import folded


def parser(message_type: Any) -> Callable[[bytes], Any]:
    """The function that parses a message. It raises :class:`BadArgument` for invalid bytes."""
    from_string = message_type.FromString

    def parse(body: bytes) -> Any:
        try:
            return from_string(body)
        except Exception as error:
            # Catching its class would need an import per call, or with this module.
            if type(error).__name__ != "DecodeError":
                raise
            raise BadArgument("goridge_read_request_body:\n\tproto: cannot parse invalid wire-format data") from error

    return parse


def serialize(message: Any) -> bytes | None:
    """The bytes of a message; ``None`` if the value is not a message."""
    to_string = getattr(message, "SerializeToString", None)
    encoded: bytes | None = to_string() if to_string is not None else None
    return encoded


def from_plain(message_type: Any, data: Any) -> Any:
    """Convert plain data to a message.

    Keys are matched as in ``field_names.py``; unknown ones are ignored. Bytes may be base64 text or bytes.

    Raises:
        BadArgument: a value has the wrong type.
    """
    from google.protobuf.json_format import ParseDict, ParseError

    message = message_type()
    if data is None:
        return message
    if not isinstance(data, dict):
        raise BadArgument("json: cannot unmarshal into Go value of type struct: it is no map")
    try:
        return ParseDict(_renamed(data, message_type.DESCRIPTOR), message, ignore_unknown_fields=True)
    except (
        ParseError,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:  # protobuf iterates without checking the type
        raise BadArgument(f"json: {error}") from error


def to_plain(value: Any, name: Callable[[str], str] = str) -> Any:
    """Convert a message to maps, lists, numbers, text and bytes; other values are returned unchanged.

    Args:
        name: maps the name of a field to its key.
    """
    if hasattr(value, "ListFields"):
        return {name(field.name): to_plain(item, name) for field, item in value.ListFields()}
    if isinstance(value, MutableMapping):
        return {key: to_plain(item, name) for key, item in value.items()}
    if isinstance(value, MutableSequence):
        return [to_plain(item, name) for item in value]
    return value


def go_name(field: str) -> str:
    """Go's name of a protobuf field, its key in msgpack: ``ProcessNum`` for ``process_num``."""
    return "".join(part.capitalize() for part in field.split("_"))


def _renamed(data: Any, descriptor: Any) -> Any:
    if not isinstance(data, dict):
        return data
    fields = {folded(field.name): field for field in descriptor.fields}
    found = {}
    for key, item in data.items():
        field = fields.get(folded(key)) if isinstance(key, str) else None
        if field is not None and item is not None:
            found[field.name] = _value(item, field)
    return found


def _value(value: Any, field: Any) -> Any:
    if _is_map(field) and isinstance(value, dict):
        inner = field.message_type.fields_by_name["value"]
        return {key: _value(item, inner) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item, field) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return _renamed(value, field.message_type) if field.message_type is not None else value


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
