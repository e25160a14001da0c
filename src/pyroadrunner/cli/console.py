"""Output of ``rr`` itself, as opposed to its log."""

from __future__ import annotations

import os
import sys


def say(text: str) -> None:
    """Write a line to stdout, unbuffered and in one write (Octane reads these lines). Ignores a closed pipe."""
    _write(1, text)


def complain(text: str, *, plain: bool = False) -> None:
    """Write a message to stderr: bold red on a terminal, unless ``plain``."""
    if not plain and sys.stderr is not None and sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        text = f"\x1b[1;31m{text}\x1b[0m"
    _write(2, text)


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
