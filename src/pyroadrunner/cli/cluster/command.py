"""``rr cluster``: one function per command. Each prints and returns the exit code."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyroadrunner.cli.cluster import render
from pyroadrunner.cli.console import complain, say
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.config.durations import parse_duration
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed

Json = dict[str, Any]

_TIMEOUT = 60.0  # seconds for the results of all servers
_MORE = 15.0  # for the reply of the own server, which waits for the others
_AT_ONCE = 16  # servers that are called at the same time


def show(options: LoadOptions, *, as_json: bool) -> int:
    """List the servers. Returns 1 if the registry can't be read, or a server is not healthy.

    Raises:
        ConfigError, NoRpc, InvalidAddress, Unreachable, CallFailed: as do all of these commands.
    """
    with RpcClient(server_address(options)) as server:
        cluster = _servers(server)
    say(render.as_json(cluster) if as_json else render.cluster(cluster, time.time()))
    ill = any(one["health"] == "critical" for one in cluster["servers"])
    return 1 if ill or cluster["error"] else 0


def act(options: LoadOptions, action: str, plugins: Sequence[str], timeout: str, *, as_json: bool) -> int:
    """Reset or reload all servers. Returns 1 if one of them failed, or did not answer.

    Args:
        action: ``reset`` or ``reload``.
        plugins: whose workers to reset; empty = of all.
        timeout: a duration; empty = a minute.
    """
    seconds = _seconds(timeout) if timeout else _TIMEOUT
    with RpcClient(server_address(options)) as server:
        cluster = _servers(server)
        if cluster["commands"]:
            arguments = {"action": action, "plugins": list(plugins), "timeout": seconds}
            results = server.call("discovery.Command", arguments, timeout=seconds + _MORE)
        else:
            results = _over_rpc(cluster, action, plugins, seconds)
    if as_json:
        say(render.as_json(results))
    else:
        for line in render.results(results):
            say(line)
    failed = [one["server"] for one in results if not one["ok"]]
    if failed and not as_json:
        complain(f"{action} failed on {len(failed)} of {len(results)} servers: {', '.join(failed)}")
    return 1 if failed else 0


def _servers(server: RpcClient) -> Json:
    try:
        found: Json = server.call("discovery.Servers")
    except CallFailed as failed:
        if "can't find service" in str(failed):
            raise RoadRunnerError(
                "the running server has no section `discovery`, so it knows no other servers"
            ) from failed
        raise
    return found


def _over_rpc(cluster: Json, action: str, plugins: Sequence[str], timeout: float) -> list[Json]:
    """Call the servers that announce their RPC address: without a secret the registry carries no commands."""
    servers = cluster["servers"]
    if not any(_rpc_of(server) for server in servers):
        raise RoadRunnerError(
            "the servers can't be commanded: set the same discovery.secret on all of them,"
            " or add rpc to discovery.announce in a network where only operators reach it"
        )
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(lambda server: _called(server, action, plugins, timeout), servers))


def _called(server: Json, action: str, plugins: Sequence[str], timeout: float) -> Json:
    def result(ok: bool, message: str) -> Json:
        return {"server": server["id"], "ok": ok, "message": message}

    address = _rpc_of(server)
    if address is None:
        return result(False, "announces no RPC address, so it was not called")
    try:
        with RpcClient(address) as client:
            if action == "reload":
                outcome = client.call("roadrunner.Reload", {"check": False}, timeout=timeout)
                return result(True, render.reloaded(outcome))
            names = list(plugins) or client.call("resetter.List", timeout=timeout)
            failed = [
                str(answer)
                for _, answer in client.each("resetter.Reset", names, timeout=timeout)
                if isinstance(answer, CallFailed)
            ]
    except RoadRunnerError as error:
        return result(False, str(error))
    return result(False, "; ".join(failed)) if failed else result(True, f"reset: {', '.join(sorted(names))}")


def _rpc_of(server: Mapping[str, Any]) -> TcpAddress | None:
    for one in server.get("endpoints", ()):
        if one["kind"] == "rpc":
            return TcpAddress(one["host"], one["port"])
    return None


def _seconds(timeout: str) -> float:
    try:
        return parse_duration(timeout)
    except ValueError as wrong:
        raise RoadRunnerError(f'--timeout "{timeout}": {wrong}') from None
