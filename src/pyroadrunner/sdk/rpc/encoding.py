"""Encode values into calls, decode replies into values. Pure, except that the environment sets the default address."""

from __future__ import annotations

import json
import os
from typing import Any, Protocol, TypeVar

from pyroadrunner.goridge.frame import Flag
from pyroadrunner.goridge.rpc import MAX_SEQUENCE, Answer, encode_call
from pyroadrunner.net.address import Address, parse_address
from pyroadrunner.sdk.rpc.errors import CallFailed, RpcError

DEFAULT_LISTEN = "tcp://127.0.0.1:6001"  # the default of the section ``rpc``
TIMEOUT = 10.0  # seconds for connecting, and for the reply to a quick call

M_co = TypeVar("M_co", covariant=True)


class Message(Protocol):
    """A protobuf message."""

    def SerializeToString(self) -> bytes: ...  # noqa: N802 - protobuf's name


class MessageType(Protocol[M_co]):
    """A class of protobuf messages."""

    def FromString(self, s: bytes, /) -> M_co: ...  # noqa: N802 - protobuf's name


def address_of(address: Address | str | None) -> Address:
    """The address of the server.

    Args:
        address: ``None`` = that in ``RR_RPC``, which the server sets for its workers; otherwise the default address.

    Raises:
        InvalidAddress
    """
    if address is None:
        address = os.environ.get("RR_RPC") or DEFAULT_LISTEN
    return parse_address(address) if isinstance(address, str) else address


def next_sequence(sequence: int) -> int:
    return sequence % MAX_SEQUENCE + 1


def json_call(sequence: int, method: str, argument: Any) -> bytes:
    return encode_call(sequence, method.encode(), json.dumps(argument).encode(), Flag.JSON)


def message_call(sequence: int, method: str, message: Message) -> bytes:
    return encode_call(sequence, method.encode(), message.SerializeToString(), Flag.PROTO)


def bytes_call(sequence: int, method: str, body: bytes) -> bytes:
    return encode_call(sequence, method.encode(), body, Flag.RAW)


def body_of(answer: Answer) -> bytes:
    """The encoded result.

    Raises:
        CallFailed: the reply is an error.
    """
    if answer.failed:
        raise CallFailed(answer.body.decode("utf-8", "replace"))
    return answer.body


def json_result(answer: Answer) -> Any:
    """The result of a JSON call.

    Raises:
        CallFailed: the reply is an error.
        RpcError: the result is not JSON, or is nested too deeply.
    """
    body = body_of(answer)
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError) as error:
        raise _unreadable(error) from error


def message_result(answer: Answer, result: MessageType[M_co]) -> M_co:
    """The result of a protobuf call.

    Raises:
        CallFailed: the reply is an error.
        RpcError: the result is not a message of this type.
    """
    body = body_of(answer)
    try:
        return result.FromString(body)
    except Exception as error:
        # Importing the class would make every JSON client pay for importing protobuf.
        if type(error).__name__ != "DecodeError":
            raise
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> RpcError:
    return RpcError(f"the server's reply can't be decoded: {error}")
