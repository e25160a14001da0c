"""``rr reload``: let the running server read its config again and take over what has changed."""

from __future__ import annotations

from pyroadrunner.cli.console import complain, say
from pyroadrunner.cli.reload import render
from pyroadrunner.cli.rpc_client import CallFailed, RpcClient, server_address
from pyroadrunner.config.load import LoadOptions

FAILED = 1
NEEDS_RESTART = 3


def run(options: LoadOptions, *, check: bool, silent: bool, as_json: bool) -> int:
    """Ask the server, show the difference.

    The server finds its config as it did when it started; ours only says where the server is.

    Args:
        check: only show what a reload would do.

    Returns:
        0 when all that has changed counts now (with ``check``: would), 3 when some of it needs a restart, 1 when the
        server refused: then nothing has changed.

    Raises:
        ConfigError, NoRpc, InvalidAddress, Unreachable: the server can't be asked.
    """
    with RpcClient(server_address(options)) as server:
        try:
            # No time limit: certificates and files of a log are opened meanwhile, and the server has its own limits.
            outcome = server.call("roadrunner.Reload", {"check": check}, timeout=None)
        except CallFailed as refused:
            complain(f"the config was not reloaded:\n{refused}" if not check else str(refused))
            return FAILED
    if as_json:
        say(render.as_json(outcome))
    elif not silent:
        for line in render.lines(outcome, check=check):
            say(line)
    return NEEDS_RESTART if outcome["restart"] else 0
