"""``rr websocket``: one function per command. Each prints and returns the exit code."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.cli.console import look, say
from pyroadrunner.cli.flags import UsageError
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.cli.websocket import render
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.sdk.rpc.blocking import RpcClient


def list_connections(options: LoadOptions, *, topic: str, user: str, app: str, as_json: bool) -> int:
    """List the open connections.

    Raises:
        ConfigError, NoRpc, InvalidAddress, Unreachable, CallFailed: as do all of these commands.
    """
    with RpcClient(server_address(options)) as server:
        found = server.call("websocket.List", {"topic": topic, "user": user, "app": app})
    say(render.as_json(found) if as_json else render.connections(found, look()))
    return 0


def topics(options: LoadOptions, *, as_json: bool) -> int:
    """List the topics with followers."""
    with RpcClient(server_address(options)) as server:
        found = server.call("websocket.Topics")
    say(render.as_json(found) if as_json else render.topics(found, look()))
    return 0


def publish(options: LoadOptions, arguments: Sequence[str], *, as_json: bool) -> int:
    """Publish a message to a topic."""
    if len(arguments) != 2:
        raise UsageError("name a topic and a message: rr websocket publish TOPIC MESSAGE")
    topic, message = arguments
    with RpcClient(server_address(options)) as server:
        found = server.call("websocket.Publish", {"topics": [topic], "data": message})["topics"]
    say(render.as_json(found) if as_json else render.published(found))
    return 0


def disconnect(options: LoadOptions, connections: Sequence[str], *, user: str, code: str, reason: str) -> int:
    """Close connections by their id, or all of a user."""
    if not connections and not user:
        raise UsageError("name a connection, or --user NAME: rr websocket list shows them")
    if code and not code.isdecimal():
        raise UsageError(f"--code is a number: {code}")
    closing = {"code": int(code or 1000), "reason": reason}
    closed = 0
    with RpcClient(server_address(options)) as server:
        for connection in connections:
            closed += server.call("websocket.Disconnect", {"connection": connection, **closing})["closed"]
        if user:
            closed += server.call("websocket.Disconnect", {"user": user, **closing})["closed"]
    say(f"closed {closed} connection{'s' if closed != 1 else ''}")
    return 0
