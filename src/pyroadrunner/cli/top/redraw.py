"""Repeat a text until interrupted: the live view without a terminal library, and in a pipe."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pyroadrunner.cli.workers.box_drawing import MAX_WIDTH, cut
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.net.address import Address
from pyroadrunner.sdk.rpc.blocking import RpcClient

Draw = Callable[[RpcClient, int], str]  # from the server and the width of the terminal


def error_text(error: RoadRunnerError, width: int) -> str:
    """What is shown while the server does not answer."""
    return "\n".join(cut(line, width) for line in str(error).splitlines())


_CLEAR = "\x1b[2J"
_HOME = "\x1b[H"
_TO_END_OF_LINE = "\x1b[K"
_TO_END_OF_SCREEN = "\x1b[J"
_HIDE_CURSOR = "\x1b[?25l"
_SHOW_CURSOR = "\x1b[?25h"


class _Interrupted(BaseException):
    """SIGINT or SIGTERM was received. Not an ``Exception``, so that no handler takes it for an error."""


def redraw(
    address: Address,
    draw: Draw,
    interval: float,
    *,
    draw_error: Callable[[RoadRunnerError, int], str] = error_text,
    gap: str = "\n",
) -> int:
    """Redraw until SIGINT, SIGTERM, or until stdout is closed; return 0.

    If the server does not answer (during a restart, for example), show the error instead and retry.

    Args:
        interval: seconds.
        draw_error: the text for an error.
        gap: written between two texts in a pipe.
    """
    terminal = sys.stdout.isatty()
    client: RpcClient | None = None
    try:
        with _signals():
            if terminal:
                _write(_HIDE_CURSOR + _CLEAR)
            while True:
                columns, height = shutil.get_terminal_size() if terminal else (MAX_WIDTH, 0)
                width = min(columns, MAX_WIDTH)
                try:
                    client = client or RpcClient(address)
                    shown = draw(client, width)
                except RoadRunnerError as error:
                    if client is not None:
                        client.close()
                        client = None
                    shown = draw_error(error, width)
                _write(screen(shown, height) if terminal else f"{shown}\n{gap}")
                time.sleep(interval)
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
