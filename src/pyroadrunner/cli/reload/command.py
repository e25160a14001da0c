"""``rr reload``: make the running server reload its config and apply the changes."""

from __future__ import annotations

from pyroadrunner.cli.console import coloured, complain, say
from pyroadrunner.cli.reload import render
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed

FAILED = 1
NEEDS_RESTART = 3


def run(options: LoadOptions, *, check: bool, silent: bool, as_json: bool) -> int:
    """Ask the server to reload, and print the difference.

    The server reads the config it was started with. Ours is only used to find the server.

    Args:
        check: only print what a reload would do.

    Returns:
        0 if all changes were applied (with ``check``: can be applied), 3 if some need a restart, 1 if the server
        refused the reload and changed nothing.

    Raises:
        ConfigError, NoRpc, InvalidAddress, Unreachable: the server can't be asked.
    """
    with RpcClient(server_address(options)) as server:
        server.call("roadrunner.Process")  # with a time limit: a server that hangs would be waited for without end
        try:
            # No time limit: the server opens certificates and log files meanwhile, and has its own limits.
            outcome = server.call("roadrunner.Reload", {"check": check}, timeout=None)
        except CallFailed as refused:
            complain(f"the config was not reloaded:\n{refused}" if not check else str(refused))
            return FAILED
    if as_json:
        say(render.as_json(outcome))
    elif not silent:
        for line in render.lines(outcome, check=check, coloured=coloured()):
            say(line)
    return NEEDS_RESTART if outcome["restart"] else 0
