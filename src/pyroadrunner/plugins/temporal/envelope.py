"""Frames between the server and PHP: a context in JSON, and protobuf messages as the body. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure

from pyroadrunner.plugins.temporal.errors import BadAnswer
from pyroadrunner.proto.temporal.v1.protocol_pb2 import Frame, Message

encode_json = msgspec.json.encode
decode_json = msgspec.json.decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def options_of(message: Message) -> dict[str, Any]:
    """The options of a command.

    Raises:
        BadAnswer: they are no JSON object.
    """
    if not message.options:
        return {}
    if message.options == b"[]":  # PHP's empty array
        return {}
    try:
        return _decode_object(message.options)
    except msgspec.MsgspecError as wrong:
        raise BadAnswer(f"the options of the command {message.command} are invalid: {wrong}") from wrong


def command(
    number: int,
    name: str,
    options: Mapping[str, Any],
    payloads: Iterable[Payload] | None = None,
    header: Mapping[str, Payload] | None = None,
) -> Message:
    """A command for PHP.

    Args:
        number: its id.
        header: added also if it is empty, unless it is ``None``.
    """
    message = Message(id=number, command=name, options=encode_json(options))
    if payloads is not None:
        message.payloads.payloads.extend(payloads)
    if header is not None:
        message.header.SetInParent()
        copy_header(message.header.fields, header)
    return message


def answer(number: int, payloads: Iterable[Payload] | None = None) -> Message:
    """The result of the command ``number`` of PHP."""
    message = Message(id=number)
    if payloads is not None:
        message.payloads.payloads.extend(payloads)
    return message


def failed(number: int, failure: Failure) -> Message:
    """The failure of the command ``number`` of PHP."""
    return Message(id=number, failure=failure)


def copy_header(target: Any, header: Mapping[str, Payload]) -> None:
    """Add the fields of a header to a protobuf map."""
    for key, value in header.items():
        target[key].CopyFrom(value)


def read(body: bytes) -> Sequence[Message]:
    """The messages of a frame.

    Raises:
        BadAnswer: it is none.
    """
    try:
        return list(Frame.FromString(body).messages)
    except Exception as wrong:  # protobuf's errors have no common class in all its versions
        raise BadAnswer(f"the worker's answer is no frame of messages: {wrong}") from wrong


def write(messages: Iterable[Message]) -> bytes:
    """A frame."""
    return Frame(messages=messages).SerializeToString()
