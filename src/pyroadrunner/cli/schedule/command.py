"""``rr schedule``: one function per command. Each prints and returns the exit code."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.cli.console import complain, look, say
from pyroadrunner.cli.flags import UsageError
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.cli.schedule import render
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.sdk.rpc.blocking import RpcClient

_COUNT = 5


def list_entries(options: LoadOptions, *, as_json: bool) -> int:
    """List the entries.

    Raises:
        ConfigError, NoRpc, InvalidAddress, Unreachable, CallFailed: as do all of these commands.
    """
    with RpcClient(server_address(options)) as server:
        found = server.call("schedule.List")
    say(render.as_json(found) if as_json else render.entries(found, look()))
    return 0


def next_runs(options: LoadOptions, entries: Sequence[str], count: str, *, as_json: bool) -> int:
    """Show the times of the next runs."""
    with RpcClient(server_address(options)) as server:
        found = server.call("schedule.Next", {"entries": list(entries), "count": _number(count)})
    say(render.as_json(found) if as_json else render.times(found, look()))
    return 0


def history(options: LoadOptions, entries: Sequence[str], count: str, *, as_json: bool) -> int:
    """Show the last runs."""
    with RpcClient(server_address(options)) as server:
        found = server.call("schedule.History", {"entries": list(entries), "count": _number(count)})
    say(render.as_json(found) if as_json else render.runs(found, look()))
    return 0


def run(options: LoadOptions, entries: Sequence[str], *, as_json: bool) -> int:
    """Run an entry, and wait for its end. Returns 1 if it has failed, or was skipped."""
    if not entries:
        raise UsageError("name an entry: rr schedule run ENTRY; rr schedule list shows them")
    with RpcClient(server_address(options)) as server:
        server.call("schedule.List")  # with a time limit: a server that hangs would be waited for without end
        ended = server.call("schedule.Run", {"entry": entries[0]}, timeout=None)
    succeeded = ended["outcome"] == "ok"
    if as_json:
        say(render.as_json(ended))
    else:
        (say if succeeded else complain)(render.run(ended))
    return 0 if succeeded else 1


def _number(text: str) -> int:
    if not text:
        return _COUNT
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise UsageError(f"--count is a number from 1 to 1000: {text}")
    return int(text)
