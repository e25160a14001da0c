"""The colours of ``rr``: SGR codes of the terminal's own palette, so that dark and light terminals both work. Pure."""

from __future__ import annotations

NONE = ""
GOOD = "32"
IDLE = "36"
WARNING = "33"
BAD = "31"
ERROR = "1;31"
NAME = "1"
HEADING = "1;32"
FAINT = "2"
HINT = "36"

STATES = {  # of pipelines, runs and entries
    "ready": GOOD,
    "ok": GOOD,
    "connecting": WARNING,
    "paused": WARNING,
    "skipped": WARNING,
    "failed": BAD,
    "timeout": BAD,
}


def paint(text: str, colour: str, *, coloured: bool = True) -> str:
    """``text`` in a colour; unchanged without a colour, or without colours."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and coloured else text
