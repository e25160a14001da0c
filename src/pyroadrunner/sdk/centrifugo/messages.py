"""Requests to Centrifugo's API and its answers, as JSON. Pure.

Data in bytes is sent as it is, other data as JSON. In answers, data is bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

# Fields with bytes: base64 in JSON.
_SENT = frozenset({"data", "info", "params", "stream_data"})
_RECEIVED = frozenset({"data", "conn_info", "chan_info"})

_encode = msgspec.json.Encoder().encode


class CentrifugoError(RuntimeError):
    """Centrifugo answered a call with an error.

    Attributes:
        code: Centrifugo's.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code
        self.message = message


def request(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The argument of a call. Fields that are ``None`` are left out."""
    return {name: _sent(name, value) for name, value in fields.items() if value is not None}


def result(answer: Any) -> dict[str, Any]:
    """The result in an answer; empty fields are missing.

    Raises:
        CentrifugoError: the answer is an error.
    """
    answer = answer or {}
    if error := answer.get("error"):
        raise CentrifugoError(error.get("code", 0), error.get("message", ""))
    found = _received(answer.get("result", {}))
    assert isinstance(found, dict)
    return found


def as_bytes(data: Any) -> bytes:
    """Bytes as they are, other data as JSON."""
    return bytes(data) if isinstance(data, bytes | bytearray | memoryview) else _encode(data)


def _sent(name: str, value: Any) -> Any:
    if name in _SENT:
        return base64.b64encode(as_bytes(value)).decode()
    return int(value.timestamp()) if isinstance(value, datetime) else value


def _received(value: Any) -> Any:
    if isinstance(value, list):
        return [_received(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64decode(one)
        if name in _RECEIVED and isinstance(one, str)
        else one
        if name == "tags"
        else _received(one)
        for name, one in value.items()
    }
