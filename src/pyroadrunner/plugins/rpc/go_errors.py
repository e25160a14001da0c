"""Go's error texts for arguments that can't be decoded. Pure.

RoadRunner decodes JSON with goccy/go-json (goridge, pkg/rpc/codec.go), whose texts reach PHP. For a string or a bool
the texts are exact (goccy/go-json, internal/decoder/string.go, bool.go, decode.go); inside larger values they are those
of Go's encoding/json, which have the same form.
"""

from __future__ import annotations

import re

_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_MISMATCH = re.compile(r"Expected `([^`]+)`, got `([^`]+)`(?: - at `\$\.?([^`]*)`)?")
_GO_TYPES = {"str": "string", "int": "int64", "float": "float64", "array": "[]", "object": "struct", "bytes": "[]byte"}
_JSON_KINDS = {"str": "string", "int": "number", "float": "number"}


def json_error(body: bytes, argument: object, error: Exception) -> str:
    """Go's text for ``body``, which ``msgspec`` could not decode as ``argument`` and raised ``error``."""
    text = body.lstrip(b" \t\r\n")
    first = chr(text[0]) if text else "\0"
    trailing = _TRAILING.search(str(error))
    if argument is str:
        found = "array" if first == "[" else "object" if first == "{" else "number" if first in "-0123456789" else ""
        if found:
            return f"json: cannot unmarshal {found} into Go value of type string"
        if first != '"':
            return f"invalid character '{first}' looking for beginning of value"
    elif argument is bool and first not in "tfn":
        return "json: bool unexpected end of JSON input"
    if trailing is not None:
        return f"invalid character '{chr(body[int(trailing[1]) - 1])}' after top-level value"
    if argument is str and "truncated" in str(error):
        return "json: string unexpected end of JSON input"
    mismatch = _MISMATCH.search(str(error))
    if mismatch is None:
        return f"json: {error}"
    wanted = _GO_TYPES.get(mismatch[1], mismatch[1])
    found = _JSON_KINDS.get(mismatch[2], mismatch[2])
    field = (mismatch[3] or "").rpartition(".")[2]
    place = f"Go struct field {field} of type {wanted}" if field.isidentifier() else f"Go value of type {wanted}"
    return f"json: cannot unmarshal {found} into {place}"


def msgpack_error(body: bytes, argument: object, error: Exception) -> str:
    """Go's text for a msgpack body (vmihailenco/msgpack); it contains the code of the unexpected value."""
    if argument is str:
        return f"msgpack: invalid code={body[0]:x} decoding string/bytes length"
    if argument is bool:
        return f"msgpack: invalid code={body[0]:x} decoding bool"
    return f"msgpack: {error}"
