"""Lines of ``rr`` itself, as opposed to those of its log."""

from __future__ import annotations

import os
import sys


def say(text: str) -> None:
    """A line on stdout, at once and in one write (Octane reads them). A reader that is gone is no reason to fail."""
    _write(1, text)


def complain(text: str, *, plain: bool = False) -> None:
    """A message on stderr: bold red on a terminal, unless it is ``plain``."""
    if not plain and sys.stderr is not None and sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        text = f"\x1b[1;31m{text}\x1b[0m"
    _write(2, text)


def _write(fd: int, text: str) -> None:
    data = (text + "\n").encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:  # closed, or full and non-blocking: nobody is there to be told
        pass


def occupy_standard() -> None:
    """Open ``/dev/null`` as what the caller has closed of stdin, stdout and stderr (``rr serve <&- >&- 2>&-``).

    Else the first sockets get their numbers, what is printed goes into them, and libuv aborts when it closes one.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
            os.set_inheritable(number, True)
    # Python has none where the number was free when it started.
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
