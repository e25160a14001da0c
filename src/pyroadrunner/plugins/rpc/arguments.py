"""Decode the argument of a call, for each codec. Pure.

Rules of goridge (pkg/rpc/codec.go): an empty body and JSON's ``null`` mean the zero value for every method; raw bytes
are accepted only by methods that take bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import inspect

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.goridge.frame import Flag
from pyroadrunner.plugins.rpc import messages
from pyroadrunner.plugins.rpc.errors import BadArgument, NotProtobuf, UnknownCodec
from pyroadrunner.plugins.rpc.field_names import holds_structs, renamed
from pyroadrunner.plugins.rpc.go_errors import json_error, msgpack_error

Reader = Callable[[bytes], Any]

# Exceptions of the decoders; the last one for deeply nested data.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode_json = msgspec.json.Decoder().decode
_decode_msgpack = msgspec.msgpack.Decoder().decode


def readers(method: RpcMethod) -> dict[int, Reader]:
    """Map codec bits to the functions that decode this method's argument; a missing bit is an unknown codec.

    Each raises :class:`BadArgument` for invalid bytes.
    """
    if method.message is not None:
        return {
            Flag.JSON: _message_reader(method.message, _plain_json),
            Flag.MSGPACK: _message_reader(method.message, _plain_msgpack),
            Flag.PROTO: messages.parser(method.message),
            Flag.RAW: lambda body: method.message() if method.message else None,
        }
    return {
        Flag.JSON: _json_reader(method.argument),
        Flag.MSGPACK: _msgpack_reader(method.argument),
        Flag.PROTO: _no_message,
        Flag.RAW: (lambda body: body) if method.argument is bytes else lambda body: method.argument(),
    }


def no_codec(body: bytes) -> Any:
    """Reject a call without a codec, or in gob."""
    raise UnknownCodec


def _no_message(body: bytes) -> Any:
    # Also for an empty body, on which RoadRunner panics.
    raise NotProtobuf


def _json_reader(argument: type) -> Reader:
    structs = _struct_reader(argument)
    decode: Reader = msgspec.json.Decoder(argument).decode

    def read(body: bytes) -> Any:
        if not body:
            return argument()
        try:
            return structs(_decode_json(body)) if structs else decode(body)
        except UNREADABLE as error:
            if body.strip() == b"null":
                return argument()
            raise BadArgument(json_error(body, argument, error)) from error

    return read


def _msgpack_reader(argument: type) -> Reader:
    structs = _struct_reader(argument)

    def read(body: bytes) -> Any:
        if not body:
            return argument()
        try:
            value = _decode_msgpack(body)
            if value is None:
                return argument()
            if argument is str and isinstance(value, bytes):  # Go accepts both for a string
                return value.decode()
            return structs(value) if structs else msgspec.convert(value, argument)
        except UNREADABLE as error:
            raise BadArgument(msgpack_error(body, argument, error)) from error

    return read


def _struct_reader(argument: type) -> Callable[[Any], Any] | None:
    """A function from plain data to a value with structs; ``None`` if the type has no structs and can be decoded
    directly."""
    kind = inspect.type_info(argument)
    if not holds_structs(kind):
        return None

    def read(data: Any) -> Any:
        return argument() if data is None else msgspec.convert(renamed(data, kind), argument)

    return read


def _message_reader(message: type, plain: Reader) -> Reader:
    return lambda body: messages.from_plain(message, plain(body) if body else None)


def _plain_json(body: bytes) -> Any:
    try:
        return _decode_json(body)
    except UNREADABLE as error:
        raise BadArgument(json_error(body, dict, error)) from error


def _plain_msgpack(body: bytes) -> Any:
    try:
        return _decode_msgpack(body)
    except UNREADABLE as error:
        raise BadArgument(msgpack_error(body, dict, error)) from error
