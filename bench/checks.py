"""A measured value against its target, as a table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Check:
    """One target.

    Attributes:
        what: description of the target.
        measured: the value.
        least, most: the bounds; ``None`` = no bound.
        unit: unit of the values.
        digits: number of decimals.
    """

    what: str
    measured: float
    least: float | None = None
    most: float | None = None
    unit: str = ""
    digits: int = 0

    @property
    def holds(self) -> bool:
        return (self.least is None or self.measured >= self.least) and (self.most is None or self.measured <= self.most)

    @property
    def target(self) -> str:
        if self.least is not None:
            return f">= {self._number(self.least)}"
        if self.most is not None:
            return f"<= {self._number(self.most)}"
        return ""

    @property
    def value(self) -> str:
        return self._number(self.measured)

    @property
    def verdict(self) -> str:
        """``yes``, ``NO``, or empty without a target."""
        if self.least is None and self.most is None:
            return ""
        return "yes" if self.holds else "NO"

    def _number(self, value: float) -> str:
        return f"{value:,.{self.digits}f}{' ' if self.unit else ''}{self.unit}"


HEADINGS = ("What", "Target", "Measured", "Holds")


def rows(checks: Sequence[Check]) -> list[tuple[str, ...]]:
    """One row per check, under :data:`HEADINGS`."""
    return [(check.what, check.target, check.value, check.verdict) for check in checks]


def text_table(headings: Sequence[str], body: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table for terminals: the first ``left`` columns are left-aligned, the others right-aligned."""
    lines = [list(headings), *[list(row) for row in body]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]

    def drawn(line: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([drawn(lines[0]), "  ".join("-" * width for width in widths), *map(drawn, lines[1:])])


def markdown_table(headings: Sequence[str], body: Sequence[Sequence[str]], left: int = 1) -> str:
    """The same in Markdown."""
    rule = ["---" if column < left else "---:" for column in range(len(headings))]
    return "\n".join("| " + " | ".join(line) + " |" for line in [headings, rule, *body])


def draw(title: str, checks: Sequence[Check]) -> str:
    """Title and table, for terminals."""
    return f"\n{title}\n\n{text_table(HEADINGS, rows(checks))}\n"
