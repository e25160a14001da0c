"""Output of ``rr`` itself, as opposed to its log."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

from pyroadrunner.cli.palette import ERROR, paint
from pyroadrunner.cli.workers.box_drawing import Look

_lost: list[OSError] = []  # why output was lost: a full disk, but not a closed pipe


def say(text: str) -> None:
    """Write a line to stdout, unbuffered and in one write (Octane reads these lines). Ignores a closed pipe; other
    errors are remembered, see :func:`lost_output`."""
    try:
        _write(1, text)
    except OSError as wrong:
        _lost[:] = [wrong]


def lost_output() -> OSError | None:
    """Why a part of the output is missing; ``None`` if it is complete, or its reader has gone. Forgets it."""
    return _lost.pop() if _lost else None


def complain(text: str, *, plain: bool = False) -> None:
    """Write a message to stderr. On a terminal an error begins with ``error:`` in red, unless ``plain``."""
    if not plain and on_terminal(sys.stderr):
        first, *others = text.removeprefix("error: ").split("\n")
        label = paint("error:", ERROR, coloured=coloured(sys.stderr))
        text = "\n".join([f"{label} {first}", *others])
    with suppress(OSError):
        _write(2, text)


def report(text: str, colour: str = "") -> None:
    """Write a line of progress to stderr, in a colour on a terminal."""
    with suppress(OSError):
        _write(2, paint(text, colour, coloured=coloured(sys.stderr)))


def on_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal."""
    return stream is not None and stream.isatty()


def coloured(stream: TextIO | None = None) -> bool:
    """Whether a stream is a terminal that shows colours, and the user wants them (https://no-color.org).

    Args:
        stream: ``None`` = stdout.
    """
    stream = stream or sys.stdout
    return on_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def look() -> Look:
    """How tables look on stdout."""
    return Look(coloured(), _columns() if on_terminal(sys.stdout) else 0)


def _columns() -> int:
    try:
        return os.get_terminal_size(1).columns
    except OSError:
        return 0


def terminal_width() -> int:
    """Columns for text: those of the terminal (or of ``COLUMNS``), at most 120."""
    from shutil import get_terminal_size  # not needed by most commands

    return max(40, min(get_terminal_size((100, 24)).columns, 120))


def wrapped(text: str, indent: str, width: int) -> list[str]:
    """The lines of a text that is wider than ``width``; all but the first begin with ``indent``."""
    from textwrap import wrap  # not needed by most commands

    lead = text[: len(text) - len(text.lstrip())]
    return wrap(
        text.lstrip(),
        width,
        initial_indent=lead,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


def _write(fd: int, text: str) -> None:
    data = (text + "\n").encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(fd, data) :]
    except (BrokenPipeError, BlockingIOError):  # closed, or full and non-blocking
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
