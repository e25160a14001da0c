"""Output of ``rr`` itself, as opposed to its log."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def say(text: str) -> None:
    """Write a line to stdout, unbuffered and in one write (Octane reads these lines). Ignores a closed pipe."""
    _write(1, text)


def coloured(stream: TextIO | None = None) -> bool:
    """Whether a stream is a terminal that shows colours, and the user wants them (https://no-color.org).

    Args:
        stream: ``None`` = stdout.
    """
    stream = stream or sys.stdout
    return (
        stream is not None and stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def complain(text: str, *, plain: bool = False) -> None:
    """Write a message to stderr: bold red on a terminal, unless ``plain``."""
    if not plain and coloured(sys.stderr):
        text = f"\x1b[1;31m{text}\x1b[0m"
    _write(2, text)


def _write(fd: int, text: str) -> None:
    data = (text + "\n").encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:  # closed, or full and non-blocking
        pass


def occupy_standard() -> None:
    """Open ``/dev/null`` in place of a closed stdin, stdout or stderr (``rr serve <&- >&- 2>&-``).

    Otherwise the first sockets get these descriptors: printed text goes into them, and libuv aborts when it closes one.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor: this one
            os.set_inheritable(number, True)
    # Python sets these to None if the descriptor was closed at startup.
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
