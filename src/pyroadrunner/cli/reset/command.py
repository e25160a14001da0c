"""``rr reset``: replace the workers of the running server. Each plugin's workers are replaced at the same time."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pyroadrunner.cli.console import complain, say
from pyroadrunner.cli.plugin_names import chosen
from pyroadrunner.cli.reset import render
from pyroadrunner.cli.rpc_client import CallFailed, RpcClient, server_address
from pyroadrunner.config.load import LoadOptions


def run(options: LoadOptions, plugins: Sequence[str], *, silent: bool, as_json: bool) -> int:
    """Reset the named plugins, or all.

    What happens is told on stderr; with ``silent`` or ``as_json`` only what went wrong is (Laravel Octane takes any
    byte on stderr for a failure).

    Returns:
        0, or 1 when a reset failed; RoadRunner answers 0 then.

    Raises:
        ConfigError, NoRpc, InvalidAddress, Unreachable: the server can't be asked.
        UnknownPlugin: no reset was begun.
    """
    quiet = silent or as_json
    failed: dict[str, str] = {}
    done: list[str] = []
    with RpcClient(server_address(options)) as server:
        names = chosen(plugins, server.call("resetter.List"))
        if not quiet:
            for name in names:
                print(render.begun(name), file=sys.stderr)
        # No time limit: the server has its own (`reset_timeout`, `allocate_timeout`), which we do not know.
        for name, result in server.each("resetter.Reset", names, timeout=None):
            if isinstance(result, CallFailed):
                failed[name] = str(result)
                if not as_json:
                    complain(render.failed(name, failed[name]))
            else:
                done.append(name)
                if not quiet:
                    print(render.done(name), file=sys.stderr)
    if as_json:
        say(render.as_json(done, failed))
    return 1 if failed else 0
