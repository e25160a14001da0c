"""``rr lock``: one function per command. Each prints and returns the exit code."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.cli.console import complain, look, say
from pyroadrunner.cli.flags import UsageError
from pyroadrunner.cli.lock import render
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.sdk.rpc.blocking import RpcClient


def list_locks(options: LoadOptions, *, as_json: bool) -> int:
    """List the held locks.

    Raises:
        ConfigError, NoRpc, InvalidAddress, Unreachable, CallFailed: as do both of these commands.
    """
    with RpcClient(server_address(options)) as server:
        locks = server.call("lock.List")
    say(render.as_json(locks) if as_json else render.locks(locks, look()))
    return 0


def release(options: LoadOptions, names: Sequence[str], *, as_json: bool) -> int:
    """Release locks of any holder. Returns 1 if one of them is not held.

    Raises:
        UsageError: no name was given.
    """
    if not names:
        raise UsageError("name a lock: rr lock release RESOURCE...; rr lock list shows them")
    with RpcClient(server_address(options)) as server:
        released = [
            name
            for name in dict.fromkeys(names)
            if server.call("lock.Exists", {"resource": name, "id": "*"}).get("ok", False)
            and server.call("lock.ForceRelease", {"resource": name}).get("ok", False)
        ]
    if as_json:
        say(render.as_json({"released": released}))
    missing = [name for name in dict.fromkeys(names) if name not in released]
    for name in missing:
        complain(f"the lock is not held: {name}; rr lock list shows those that are")
    return 1 if missing else 0
