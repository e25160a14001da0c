from typing import Any

from pyroadrunner.sdk.centrifugo import Call, Handlers

handlers = Handlers()


@handlers.on("connect")
def connect(call: Call) -> dict[str, Any]:
    return {"user": call.header("X-User") or "guest", "channels": ["news"]}  # every client is subscribed to it


@handlers.on("subscribe")
def subscribe(call: Call) -> None:
    if call.request.channel == "staff" and call.request.user != "ann":
        call.error(403, "for the staff only")


@handlers.on("publish")
def publish(call: Call) -> dict[str, Any]:
    return {"data": {"from": call.request.user, **call.data}}


@handlers.on("rpc")
def rpc(call: Call) -> dict[str, Any]:
    return {"data": {"method": call.request.method, "you": call.request.user}}


handlers.serve()
