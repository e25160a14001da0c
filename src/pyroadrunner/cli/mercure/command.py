"""``rr mercure``: one function per command. Each prints and returns the exit code."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.cli.console import look, say
from pyroadrunner.cli.flags import UsageError
from pyroadrunner.cli.mercure import render
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.cli.websocket.render import as_json as to_json
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.sdk.rpc.blocking import RpcClient


def list_subscribers(options: LoadOptions, *, topic: str, as_json: bool) -> int:
    """List the subscribers of this server.

    Raises:
        ConfigError, NoRpc, InvalidAddress, Unreachable, CallFailed: as do all of these commands.
    """
    with RpcClient(server_address(options)) as server:
        found = server.call("mercure.List", {"topic": topic})
    say(to_json(found) if as_json else render.subscribers(found, look()))
    return 0


def publish(
    options: LoadOptions, arguments: Sequence[str], *, private: bool, identity: str, kind: str, as_json: bool
) -> int:
    """Publish an update to topics."""
    if len(arguments) < 2:
        raise UsageError("name a topic and the data: rr mercure publish TOPIC [TOPIC...] DATA")
    *topics, data = arguments
    update = {"topics": topics, "data": data, "private": private, "id": identity, "type": kind}
    with RpcClient(server_address(options)) as server:
        found = server.call("mercure.Publish", update)
        subscribers = server.call("mercure.Count")["subscribers"]
    say(to_json(found) if as_json else render.published(found["id"], subscribers))
    return 0
