"""``rr workers``: show the workers of the running server."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pyroadrunner.cli.console import coloured, look, say
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.cli.workers import render
from pyroadrunner.cli.workers.box_drawing import MAX_WIDTH
from pyroadrunner.cli.workers.snapshot import take
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.net.address import Address
from pyroadrunner.sdk.rpc.blocking import RpcClient

INTERVAL = 1.0  # seconds between two updates of the live view


def run(options: LoadOptions, plugins: Sequence[str], *, interactive: bool, as_json: bool) -> int:
    """Print the workers of the named plugins, or of all plugins.

    Args:
        interactive: update every second until Ctrl-C or SIGTERM; ignored with ``as_json``.

    Returns:
        0.

    Raises:
        ConfigError, NoRpc, InvalidAddress: the config has no usable RPC address.
        Unreachable, UnknownPlugin: unless ``interactive``, which shows the error and retries.
    """
    address = server_address(options)
    if interactive and not as_json:
        return _watch(address, plugins)
    with RpcClient(address) as server:
        views = take(server, plugins)
    if as_json:
        say(render.as_json(views))
    else:
        shown = look()
        width = min(shown.width or MAX_WIDTH, MAX_WIDTH)
        say(render.text(views, time.time(), coloured=shown.coloured, width=width))
    return 0


def _watch(address: Address, plugins: Sequence[str]) -> int:
    """The view of ``rr top`` without its overview; without a terminal or the library for it, RoadRunner's tables."""
    from pyroadrunner.cli.top import command as top
    from pyroadrunner.cli.top.redraw import redraw

    if top.interactive():
        from pyroadrunner.cli.top import app

        return app.run(address, app.Settings(plugins=plugins, interval=INTERVAL, overview=False, sort="pid"))

    def draw(server: RpcClient, width: int) -> str:
        return render.text(take(server, plugins), time.time(), coloured=coloured(), width=width, live=True)

    return redraw(address, draw, INTERVAL)
