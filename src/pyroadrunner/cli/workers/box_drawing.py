"""Draw a table with light box characters in RoadRunner's layout. Pure.

Written by hand: importing a table library takes longer than the rest of ``rr workers``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyroadrunner.cli.palette import paint

MAX_WIDTH = 150  # characters, as in RoadRunner

_CUT = " ≈"
_NARROWEST = 8  # characters of a column that is shortened


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and its colour on a terminal: an SGR code such as ``36``; empty = default."""

    text: str
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """How tables look where they are printed.

    Attributes:
        coloured: whether to use the colours of the cells.
        width: columns of the terminal, which tables fit into; 0 = no terminal.
    """

    coloured: bool = False
    width: int = 0


PLAIN = Look()


def table(headers: Sequence[str], rows: Sequence[Sequence[Cell]], look: Look = PLAIN, *, width: int = MAX_WIDTH) -> str:
    """Draw a table that fits: on a terminal its widest columns are shortened; elsewhere lines longer than ``width`` are
    truncated."""
    if not look.width:
        return draw(headers, rows, coloured=look.coloured, width=width)
    texts = [[printable(cell.text) for cell in row] for row in rows]
    widths = _shrunk([max(len(header), *(len(row[i]) for row in texts), 0) for i, header in enumerate(headers)], look)
    short = [
        [Cell(cut(text, size), cell.colour) for text, cell, size in zip(line, row, widths, strict=True)]
        for line, row in zip(texts, rows, strict=True)
    ]
    tops = [cut(header, size) for header, size in zip(headers, widths, strict=True)]
    return draw(tops, short, coloured=look.coloured, width=look.width)


def _shrunk(widths: list[int], look: Look) -> list[int]:
    """Narrower columns, the widest first, so that their table fits; none becomes unreadable."""
    while sum(widths) + 3 * len(widths) + 1 > look.width and max(widths, default=0) > _NARROWEST:
        widest = widths.index(max(widths))
        widths[widest] -= 1
    return widths


def draw(headers: Sequence[str], rows: Sequence[Sequence[Cell]], *, coloured: bool, width: int = MAX_WIDTH) -> str:
    """Draw a table: headers in capitals and centred, cells left-aligned; lines longer than ``width`` are truncated.

    Args:
        rows: each as long as ``headers``.
        coloured: whether to use the colours of the cells.
    """
    texts = [[printable(cell.text) for cell in row] for row in rows]
    widths = [max(len(header), *(len(row[i]) for row in texts), 0) for i, header in enumerate(headers)]
    lines = [
        _rule("┌┬┐", widths),
        _line([_centred(header.upper(), size) for header, size in zip(headers, widths, strict=True)]),
        _rule("├┼┤", widths),
    ]
    full = sum(widths) + 3 * len(widths) + 1
    for row, plain in zip(rows, texts, strict=True):
        padded = [text.ljust(size) for text, size in zip(plain, widths, strict=True)]
        if coloured and full <= width:
            padded = [
                paint(text, cell.colour) + " " * (size - len(text))
                for text, cell, size in zip(plain, row, widths, strict=True)
            ]
        lines.append(_line(padded))
    lines.append(_rule("└┴┘", widths))
    return "\n".join(cut(line, width) for line in lines) if full > width else "\n".join(lines)


def cut(line: str, width: int) -> str:
    """``line`` truncated to ``width`` characters, with a mark; it must not contain colours."""
    return line if len(line) <= width else line[: max(width - len(_CUT), 0)] + _CUT


def printable(text: str) -> str:
    """``text`` without control characters, which could move the cursor or change colours: paths are untrusted."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def _centred(text: str, width: int) -> str:
    left = (width - len(text)) // 2
    return " " * left + text + " " * (width - len(text) - left)


def _line(cells: Sequence[str]) -> str:
    return f"│ {' │ '.join(cells)} │"


def _rule(corners: str, widths: Sequence[int]) -> str:
    return corners[0] + corners[1].join("─" * (size + 2) for size in widths) + corners[2]
