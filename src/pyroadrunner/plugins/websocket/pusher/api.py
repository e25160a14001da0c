"""The HTTP API that backends call: ``/apps/ID/...``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from pyroadrunner.asgi import Receive, Scope, Send
from pyroadrunner.contracts import Log, RoadRunnerError
from pyroadrunner.httpd.flood_log import FloodLog
from pyroadrunner.plugins.websocket.pusher import frames, signatures
from pyroadrunner.plugins.websocket.pusher.app import PusherApp
from pyroadrunner.plugins.websocket.pusher.channels import Channel, Kind, is_valid

_MAX_CHANNELS = 100  # of one event
_MAX_BATCH = 10  # events of one request
_MAX_NAME = 200  # characters of the name of an event

_T = TypeVar("_T")

log = Log("websocket")
flood_log = FloodLog(log, monotonic)


class _Event(msgspec.Struct, kw_only=True):
    name: str
    data: str
    channel: str = ""
    channels: list[str] = []
    socket_id: str = ""
    info: str = ""


class _Batch(msgspec.Struct, kw_only=True):
    batch: list[_Event]


class ApiError(Exception):
    """A response that is an error: its status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class PusherApi:
    """An ASGI application.

    Args:
        apps: by id.
        prefix: of the path; not part of signatures.
    """

    def __init__(self, apps: Mapping[str, PusherApp], prefix: str = "") -> None:
        self._apps = apps
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, answer = 200, await self._answer(scope, receive)
        except ApiError as error:
            status, answer = error.status, {"error": str(error)}
        except RoadRunnerError as error:
            flood_log.error("the request of a backend failed", path=scope["path"], error=str(error))
            status, answer = 503, {"error": "the event can't be published now"}
        body = msgspec.json.encode(answer)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Any:
        if scope["type"] != "http":
            raise ApiError(400, "this address is not a WebSocket")
        path = scope["path"].removeprefix(self._prefix)
        parts = path.split("/")  # "", "apps", ID, ...
        app = self._apps.get(parts[2]) if len(parts) > 3 else None
        if app is None:
            raise ApiError(404, "no such application")
        body = await _read(receive, limit=(app.config.max_event_size << 10) * (_MAX_BATCH + 1))
        query = parse_qsl(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)
        config = app.config
        fault = signatures.request_fault(config.key, config.secret, scope["method"], path, query, body, time.time())
        if fault:
            raise ApiError(401, fault)
        match scope["method"], parts[3:]:
            case "POST", ["events"]:
                return await self._publish(app, _decode(body, _Event))
            case "POST", ["batch_events"]:
                return await self._publish_batch(app, _decode(body, _Batch).batch)
            case "GET", ["channels"]:
                return await _channels(app, dict(query))
            case "GET", ["channels", name]:
                return await _channel(app, _named(name), _wanted(dict(query)))
            case "GET", ["channels", name, "users"]:
                return await _users(app, _named(name))
            case "GET", ["connections"]:
                return {"connections": len(app.clients)}
            case "POST", ["users", user, "terminate_connections"]:
                await app.terminate(user)
                return {}
            case _:
                raise ApiError(404, f"no such method: {scope['method']} {path}")

    async def _publish(self, app: PusherApp, event: _Event) -> dict[str, Any]:
        names = event.channels or [event.channel]
        if len(names) > _MAX_CHANNELS:
            raise ApiError(400, f"an event has at most {_MAX_CHANNELS} channels")
        channels = [_named(name) for name in names]
        if not 0 < len(event.name) <= _MAX_NAME:
            raise ApiError(400, f"the name of an event has 1 to {_MAX_NAME} characters")
        limit = app.config.max_event_size << 10
        if len(event.data.encode()) > limit:
            raise ApiError(413, f"the data of an event has at most {limit >> 10} KB (websocket.apps.max_event_size)")
        if event.channels and len(channels) > 1 and any(one.kind is Kind.ENCRYPTED for one in channels):
            raise ApiError(400, "an event for an encrypted channel is for no other channel")
        wanted = _wanted({"info": event.info})
        for one in wanted:
            if one not in ("user_count", "subscription_count"):
                raise ApiError(400, f"unknown info: {one}")
        for channel in channels:
            await app.publish(event.name, channel, event.data, socket_id=event.socket_id)
        if not wanted:
            return {}
        # Channels of several kinds: each has the attributes of its kind.
        return {
            "channels": {channel.name: await _info(app, channel, _fitting(channel, wanted)) for channel in channels}
        }

    async def _publish_batch(self, app: PusherApp, events: list[_Event]) -> dict[str, Any]:
        if len(events) > _MAX_BATCH:
            raise ApiError(400, f"a batch has at most {_MAX_BATCH} events")
        results = [await self._publish(app, event) for event in events]
        if not any(event.info for event in events):
            return {}
        return {"batch": [next(iter(result["channels"].values())) if result else {} for result in results]}


async def _read(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > limit:
            raise ApiError(413, f"the body has more than {limit} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def _decode(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise ApiError(400, f"the body is malformed: {wrong}") from wrong


def _named(name: str) -> Channel:
    if not name or not is_valid(name):
        raise ApiError(400, f"the name of the channel is invalid: {name[:200]}")
    return Channel(name)


def _wanted(query: Mapping[str, str]) -> list[str]:
    return [one.strip() for one in query.get("info", "").split(",") if one.strip()]


def _fitting(channel: Channel, wanted: list[str]) -> list[str]:
    return [one for one in wanted if one != "user_count" or channel.kind is Kind.PRESENCE]


async def _info(app: PusherApp, channel: Channel, wanted: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in wanted:
        if one == "user_count":
            if channel.kind is not Kind.PRESENCE:
                raise ApiError(400, "user_count is of presence channels only")
            found[one] = await app.users(channel)
        elif one == "subscription_count":
            found[one] = await app.subscriptions(channel)
        elif one == "cache":
            if not channel.cached:
                raise ApiError(400, "cache is of cache channels only")
            last = await app.cached(channel)
            data = frames.fields(last[0].decode()).get("data") if last is not None else None
            found[one] = {"data": data, "ttl": int(last[1])} if last is not None and data is not None else None
        else:
            raise ApiError(400, f"unknown info: {one}")
    return found


async def _channels(app: PusherApp, query: Mapping[str, str]) -> dict[str, Any]:
    prefix, wanted = query.get("filter_by_prefix", ""), _wanted(query)
    if "user_count" in wanted and not prefix.startswith("presence-"):
        raise ApiError(400, "user_count needs a filter_by_prefix that begins with presence-")
    names = [name for name in await app.channels() if name.startswith(prefix)]
    return {"channels": {name: await _info(app, Channel(name), wanted) for name in names}}


async def _channel(app: PusherApp, channel: Channel, wanted: list[str]) -> dict[str, Any]:
    return {"occupied": await app.subscriptions(channel) > 0, **await _info(app, channel, wanted)}


async def _users(app: PusherApp, channel: Channel) -> dict[str, Any]:
    if channel.kind is not Kind.PRESENCE:
        raise ApiError(400, "only presence channels have users")
    return {"users": [{"id": user} for user in await app.members(channel)]}
