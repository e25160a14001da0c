"""Encode the result of a call, for each codec. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.goridge.frame import Flag
from pyroadrunner.plugins.rpc import messages
from pyroadrunner.plugins.rpc.errors import BadResult
from pyroadrunner.plugins.rpc.field_names import go_named

Writer = Callable[[Any], bytes]

_encode_json = msgspec.json.Encoder().encode
_encode_msgpack = msgspec.msgpack.Encoder().encode


def writers(method: RpcMethod) -> dict[int, Writer]:
    """Map codec bits to the functions that encode this method's results.

    Each raises :class:`BadResult` for a value that can't be encoded.
    """
    if method.message is None:
        return {Flag.JSON: _json, Flag.MSGPACK: _msgpack, Flag.RAW: _raw, Flag.PROTO: _proto}
    return {Flag.JSON: _json_message, Flag.MSGPACK: _msgpack_message, Flag.RAW: _raw, Flag.PROTO: _proto}


def _json(result: Any) -> bytes:
    """Bytes become base64 text, as in Go."""
    try:
        return _encode_json(result)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadResult(f"json: {error}") from error


def _msgpack(result: Any) -> bytes:
    try:
        return _encode_msgpack(go_named(result))
    except (TypeError, ValueError, OverflowError) as error:
        raise BadResult(f"msgpack: {error}") from error


def _json_message(result: Any) -> bytes:
    return _json(messages.to_plain(result))


def _msgpack_message(result: Any) -> bytes:
    return _msgpack(messages.to_plain(result, messages.go_name))


def _raw(result: Any) -> bytes:
    if not isinstance(result, bytes):
        raise BadResult("unknown Raw payload type")
    return result


def _proto(result: Any) -> bytes:
    encoded = messages.serialize(result)
    if encoded is None:
        raise BadResult("goridge_write_response: message type is not a proto")
    return encoded
