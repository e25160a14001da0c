"""The same as ``centrifugo.php``, without its faults."""

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from pyroadrunner.sdk.centrifugo import Call, Centrifugo, Handlers

handlers = Handlers()


@handlers.on("connect")
def connect(call: Call) -> dict[str, Any]:
    return {
        "user": f"user of {call.request.client}",
        "expire_at": datetime.fromtimestamp(1_900_000_000, UTC),
        "info": {"name": call.request.name},
        "data": call.data,
        "channels": [*call.request.channels, "news"],
        "subs": {"feed": {"data": {"a": 1}, "override": {"presence": True, "join_leave": False}}, "plain": {}},
        "meta": b'{"raw":true}',
        "caps": [{"channels": ["news"], "allow": ["sub", "hst"], "match": "wildcard"}],
        "labels": {"plan": "free"},
    }


@handlers.on("refresh")
async def refresh(call: Call) -> dict[str, Any]:
    return {"expired": call.request.user == "old", "expire_at": 1_900_000_000, "meta": call.meta}


@handlers.on("subscribe")
def subscribe(call: Call) -> dict[str, Any] | None:
    if call.request.channel == "secret":
        call.error(403, "not for you")
        return None
    return {
        "info": [call.request.user, call.request.token],
        "data": call.data,
        "override": {"force_recovery": True},
        "allow": ["pub"],
    }


@handlers.on("publish")
def publish(call: Call) -> dict[str, Any]:
    return {"data": {call.request.channel: call.data}, "skip_history": True, "tags": {"a": "b"}, "version": 7}


@handlers.on("subrefresh")
@handlers.on("sub_refresh")
def sub_refresh(call: Call) -> dict[str, Any]:
    return {"expire_at": 1_900_000_000, "info": [call.type, call.request.channel]}


@handlers.on("notifychannelstate")
def notify_channel_state(call: Call) -> None:
    events = [{"time_ms": one.time_ms, "channel": one.channel, "type": one.type} for one in call.request.events]
    print("events:", json.dumps(events, separators=(",", ":")), file=sys.stderr, flush=True)


@handlers.on("notifycacheempty")
def notify_cache_empty(call: Call) -> dict[str, Any]:
    return {"populated": call.request.channel == "cache"}


@handlers.on("mappublish")
def map_publish(call: Call) -> dict[str, Any]:
    return {"key": call.request.key, "data": call.data, "score": 3}


@handlers.on("mapremove")
def map_remove(call: Call) -> dict[str, Any]:
    return {"key": call.request.key}


@handlers.on("sharedpollrefresh")
def shared_poll_refresh(call: Call) -> dict[str, Any]:
    items = [{"key": one.key, "data": {"v": one.version}, "version": one.version + 1} for one in call.request.items]
    return {"items": items, "epoch": "e"}


@handlers.on("rpc")
def rpc(call: Call) -> dict[str, Any] | None:
    match call.request.method:
        case "pid":
            return {"data": os.getpid()}
        case "mode":
            return {"data": os.environ["RR_MODE"]}
        case "error":
            call.error(404, "there is none", temporary=True)
        case "disconnect":
            call.disconnect(4100, "go away")
        case "throw":
            raise ValueError("the handler failed")
        case "publish":
            with Centrifugo() as centrifugo:
                return {"data": centrifugo.publish("news", call.data)}
        case unknown:
            call.fail(f"the method {unknown} is unknown")
    return None


handlers.serve()
