"""``rr top``: what the server does now."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from pyroadrunner.cli.console import coloured, look, say
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.cli.top import plain
from pyroadrunner.cli.top.model import Model
from pyroadrunner.cli.top.overview import take
from pyroadrunner.cli.top.redraw import redraw
from pyroadrunner.cli.workers.box_drawing import MAX_WIDTH
from pyroadrunner.config.durations import parse_duration
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.sdk.rpc.blocking import RpcClient

SHORTEST = 0.1  # seconds
_HINT = "for keys and colours in this view: pip install 'pyroadrunner[top]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopOptions:
    """The flags.

    Attributes:
        once: print once instead of until interrupted.
        interval: a duration; empty = a second.
    """

    once: bool = False
    as_json: bool = False
    interval: str = ""


def run(options: LoadOptions, plugins: Sequence[str], flags: TopOptions) -> int:
    """Show the named plugins and pools, or all: interactively on a terminal, else as text, one block per interval.

    Returns:
        0.

    Raises:
        ConfigError, NoRpc, InvalidAddress: the config has no usable RPC address.
        RoadRunnerError: the interval is no duration.
        Unreachable, UnknownPlugin: with ``once``; otherwise the error is shown, and the server asked again.
    """
    interval = seconds(flags.interval) if flags.interval else 1.0
    address = server_address(options)
    model = Model(plugins)
    if flags.once:
        with RpcClient(address) as server:
            model.update(take(server))
            time.sleep(interval)  # rates need two looks
            view = model.update(take(server))
        shown = look()
        width = min(shown.width or MAX_WIDTH, MAX_WIDTH)
        say(plain.as_json(view) if flags.as_json else plain.text(view, coloured=shown.coloured, width=width))
        return 0
    if flags.as_json:

        def line(server: RpcClient, _width: int) -> str:
            return plain.as_json(model.update(take(server)), indent=None)

        return redraw(address, line, interval, draw_error=plain.error_as_json, gap="")
    if interactive():
        from pyroadrunner.cli.top import app

        return app.run(address, app.Settings(plugins=plugins, interval=interval))
    hint = f"{_HINT}\n" if sys.stdout.isatty() else ""

    def draw(server: RpcClient, width: int) -> str:
        return hint + plain.text(model.update(take(server)), coloured=coloured(), width=width)

    return redraw(address, draw, interval)


def interactive() -> bool:
    """Whether there is a terminal for keys, and the library for it, which draws on stderr."""
    terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    return terminal and os.environ.get("TERM", "dumb") != "dumb" and find_spec("textual") is not None


def seconds(interval: str) -> float:
    """The value of ``--interval``.

    Raises:
        RoadRunnerError.
    """
    try:
        found = parse_duration(interval)
    except ValueError as wrong:
        raise RoadRunnerError(f'--interval "{interval}": {wrong}') from None
    if found < SHORTEST:
        raise RoadRunnerError(f'--interval "{interval}": is too short; at least {SHORTEST:g}s')
    return found
