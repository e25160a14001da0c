"""``rr workers -i``: redraw the table every second until interrupted."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from pyroadrunner.cli.workers import render
from pyroadrunner.cli.workers.box_drawing import MAX_WIDTH, cut
from pyroadrunner.cli.workers.snapshot import take
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.net.address import Address
from pyroadrunner.sdk.rpc.blocking import RpcClient

INTERVAL = 1.0  # seconds

_CLEAR = "\x1b[2J"
_HOME = "\x1b[H"
_TO_END_OF_LINE = "\x1b[K"
_TO_END_OF_SCREEN = "\x1b[J"
_HIDE_CURSOR = "\x1b[?25l"
_SHOW_CURSOR = "\x1b[?25h"


class _Interrupted(BaseException):
    """SIGINT or SIGTERM was received. Not an ``Exception``, so that no handler takes it for an error."""


def watch(address: Address, plugins: Sequence[str]) -> int:
    """Redraw until SIGINT, SIGTERM, or until stdout is closed; return 0.

    If the server does not answer (during a restart, for example), show the error instead of the table and retry after a
    second.
    """
    terminal = sys.stdout.isatty()
    colours = terminal and "NO_COLOR" not in os.environ
    client: RpcClient | None = None
    try:
        with _signals():
            if terminal:
                _write(_HIDE_CURSOR + _CLEAR)
            while True:
                width, height = shutil.get_terminal_size() if terminal else (MAX_WIDTH, 0)
                try:
                    client = client or RpcClient(address)
                    shown = render.text(
                        take(client, plugins), time.time(), coloured=colours, width=min(width, MAX_WIDTH), live=True
                    )
                except RoadRunnerError as error:
                    if client is not None:
                        client.close()
                        client = None
                    shown = "\n".join(cut(line, width) for line in str(error).splitlines())
                _write(screen(shown, height) if terminal else f"{shown}\n\n")
                time.sleep(INTERVAL)
    except (_Interrupted, BrokenPipeError):
        return 0
    finally:
        if client is not None:
            client.close()
        if terminal:
            _write(_SHOW_CURSOR)


def screen(text: str, height: int) -> str:
    """The output that draws ``text`` over the previous screen without flicker; lines below the terminal's last are
    dropped."""
    lines = text.splitlines()[: max(height - 1, 1)]
    return _HOME + "".join(f"{line}{_TO_END_OF_LINE}\r\n" for line in lines) + _TO_END_OF_SCREEN


@contextmanager
def _signals() -> Iterator[None]:
    def enough(_number: int, _frame: FrameType | None) -> None:
        raise _Interrupted

    before = {number: signal.signal(number, enough) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write(text: str) -> None:
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(1, data) :]
