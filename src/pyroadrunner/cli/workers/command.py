"""``rr workers``: show the workers of the running server."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from pyroadrunner.cli.console import say
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.cli.workers import render
from pyroadrunner.cli.workers.snapshot import take
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.sdk.rpc.blocking import RpcClient


def run(options: LoadOptions, plugins: Sequence[str], *, interactive: bool, as_json: bool) -> int:
    """Print the workers of the named plugins, or of all plugins.

    Args:
        interactive: redraw every second until Ctrl-C or SIGTERM; ignored with ``as_json``.

    Returns:
        0.

    Raises:
        ConfigError, NoRpc, InvalidAddress: the config has no usable RPC address.
        Unreachable, UnknownPlugin: unless ``interactive``, which shows the error and retries.
    """
    address = server_address(options)
    if interactive and not as_json:
        from pyroadrunner.cli.workers.watch import watch

        return watch(address, plugins)
    with RpcClient(address) as server:
        views = take(server, plugins)
    if as_json:
        say(render.as_json(views))
    else:
        say(render.text(views, time.time(), coloured=coloured()))
    return 0


def coloured() -> bool:
    """Whether stdout is a terminal with colours."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
