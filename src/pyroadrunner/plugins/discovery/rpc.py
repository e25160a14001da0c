"""The methods of the service ``discovery``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.plugins.discovery.cluster import Cluster
from pyroadrunner.plugins.discovery.commands import Commands, NoCommands
from pyroadrunner.plugins.discovery.signing import Action


class CommandArguments(msgspec.Struct, kw_only=True):
    """Arguments of ``discovery.Command``."""

    action: Action
    plugins: list[str] = []
    timeout: float = 60.0
    """Seconds to wait for the results."""


def methods(
    cluster: Cluster, commands: Callable[[], Commands | NoCommands], describe: Callable[[], Mapping[str, Any]]
) -> Mapping[str, RpcMethod]:
    """``Servers`` and ``Command``.

    Args:
        commands: those of now.
        describe: facts about this server.
    """

    def servers(_: bool) -> dict[str, Any]:
        age = cluster.age()
        found = [{**msgspec.to_builtins(server), "health": server.health} for server in cluster.servers]
        return {**describe(), "age": age, "servers": found}

    async def command(arguments: CommandArguments) -> list[dict[str, Any]]:
        results = await commands().send(arguments.action, arguments.plugins, cluster.servers, arguments.timeout)
        return [{"server": one.server, "ok": one.ok, "message": one.message} for one in results]

    return {
        "Servers": RpcMethod(servers),
        "Command": RpcMethod(command, CommandArguments, cancel_on_disconnect=True),
    }
