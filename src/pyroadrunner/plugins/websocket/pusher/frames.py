"""The JSON events of the protocol. Pure.

``data`` of an event from the server is a JSON *string*: native clients rely on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


class ClientEvent(msgspec.Struct, kw_only=True):
    """An event from a client. ``data`` is JSON, or a string of JSON."""

    event: str
    channel: str = ""
    data: Any = None


_decode = msgspec.json.Decoder(ClientEvent).decode


def read(message: bytes) -> ClientEvent | None:
    """Decode an event; ``None`` = it is none."""
    try:
        return _decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def fields(data: Any) -> dict[str, Any]:
    """``data`` of an event of the protocol, whether it is an object or a string of one."""
    if isinstance(data, str):
        try:
            data = msgspec.json.decode(data)
        except msgspec.DecodeError:
            return {}
    return data if isinstance(data, dict) else {}


def text(value: Any) -> str:
    """``data`` as it is sent on: a string stays, other JSON becomes one."""
    return value if isinstance(value, str) else _encode(value).decode()


def event(name: str, channel: str = "", data: Any = None, **more: str) -> bytes:
    """An event for clients; ``data`` is encoded as a string unless it is one."""
    found: dict[str, Any] = {"event": name}
    if channel:
        found["channel"] = channel
    if data is not None:
        found["data"] = text(data)
    return _encode(found | more)


def established(socket_id: str, activity_timeout: int) -> bytes:
    return event("pusher:connection_established", data={"socket_id": socket_id, "activity_timeout": activity_timeout})


def error(code: int, message: str) -> bytes:
    """An error; ``data`` is an object here, as in Pusher's own servers."""
    return _encode({"event": "pusher:error", "data": {"code": code, "message": message}})


def subscription_error(channel: str, message: str, status: int) -> bytes:
    return event("pusher:subscription_error", channel, {"type": "AuthError", "error": message, "status": status})


def watchlist(online: Sequence[str], offline: Sequence[str]) -> bytes:
    """Which watched users came and left."""
    found = [("online", online), ("offline", offline)]
    events = [{"name": name, "user_ids": users} for name, users in found if users]
    return event("pusher_internal:watchlist_events", data={"events": events})


def presence(members: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """``data`` of a successful subscription: the distinct users with their info."""
    found = dict(members)
    return {"presence": {"ids": list(found), "hash": found, "count": len(found)}}
