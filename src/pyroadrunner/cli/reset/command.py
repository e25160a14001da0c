"""``rr reset``: replace the workers of the running server, of all plugins at the same time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pyroadrunner.cli.console import complain, report, say
from pyroadrunner.cli.palette import GOOD
from pyroadrunner.cli.plugin_names import chosen
from pyroadrunner.cli.progress import Progress
from pyroadrunner.cli.reset import render
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed


def run(options: LoadOptions, plugins: Sequence[str], *, silent: bool, as_json: bool) -> int:
    """Reset the named plugins, or all.

    Progress goes to stderr; with ``silent`` or ``as_json`` only errors do (Laravel Octane takes any byte on stderr for
    a failure).

    Returns:
        0, or 1 if a reset failed; RoadRunner returns 0 then.

    Raises:
        ConfigError, NoRpc, InvalidAddress, Unreachable: the server can't be asked.
        UnknownPlugin: no reset was started.
    """
    quiet = silent or as_json
    begun = time.monotonic()
    failed: dict[str, str] = {}
    done: list[str] = []
    with RpcClient(server_address(options)) as server:
        names = chosen(plugins, server.call("resetter.List"))
        progress = Progress()
        if not quiet:
            if progress.live:
                progress.show(render.running(names))
            else:
                for name in names:
                    report(render.begun(name))
        # No time limit: the server has its own (`reset_timeout`, `allocate_timeout`), unknown here.
        for name, result in server.each("resetter.Reset", names, timeout=None):
            if not quiet:
                progress.clear()
            if isinstance(result, CallFailed):
                failed[name] = str(result)
                if not as_json:
                    complain(render.failed(name, failed[name], live=progress.live))
            else:
                done.append(name)
                if not quiet:
                    report(render.done(name, time.monotonic() - begun if progress.live else None), GOOD)
            waiting = [one for one in names if one not in done and one not in failed]
            if waiting and not quiet and progress.live:
                progress.show(render.running(waiting))
    if as_json:
        say(render.as_json(done, failed))
    return 1 if failed else 0
