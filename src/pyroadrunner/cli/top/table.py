"""A table whose rows change all the time while the cursor stays on its row.

Each row is one cell of Textual's table, composed here: rendering costs time per cell, and all rows change every second
(docs/design/2026-11-30-top.md has figures).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text
from textual.coordinate import Coordinate
from textual.widgets import DataTable

_GAP = "  "


class LiveTable(DataTable[Text]):
    """Shows rows by key; redraws only what has changed.

    Attributes:
        headers: of the columns; a right-aligned one aligns its column.
        cells: of each row, by key.
    """

    def __init__(self, name: str) -> None:
        super().__init__(id=name, cursor_type="row", zebra_stripes=False)
        self.show_cursor = False
        self.headers: Sequence[Text] = ()
        self.cells: Mapping[str, Sequence[Text]] = {}
        self._lines: list[Text] = []
        self._top = ""

    def on_focus(self) -> None:
        self.show_cursor = True

    def on_blur(self) -> None:
        self.show_cursor = False

    @property
    def selected(self) -> str:
        """The key of the row with the cursor; empty = there is no row."""
        keys = list(self.cells)
        return keys[min(self.cursor_row, len(keys) - 1)] if keys else ""

    def show_rows(self, headers: Sequence[Text], rows: Mapping[str, Sequence[Text]]) -> None:
        """Show these rows. The cursor follows its row; if that is gone, it stays where it is."""
        table = [headers, *rows.values()]
        widths = [max(row[number].cell_len for row in table) for number in range(len(headers))]
        top, *lines = (_line(row, headers, widths) for row in table)
        if top.plain == self._top and list(rows) == list(self.cells):
            for number, (line, before) in enumerate(zip(lines, self._lines, strict=True)):
                if line != before:
                    self.update_cell_at(Coordinate(number, 0), line)
        else:
            self._replace(top, dict(zip(rows, lines, strict=True)))
        self.headers, self.cells, self._lines, self._top = headers, dict(rows), lines, top.plain

    def _replace(self, top: Text, lines: Mapping[str, Text]) -> None:
        selected, number, scrolled = self.selected, self.cursor_row, self.scroll_y
        self.clear(columns=True)
        self.add_column(top, width=max(top.cell_len, *(line.cell_len for line in lines.values()), 1))
        for key, line in lines.items():
            self.add_row(line, key=key)
        if lines:
            keys = list(lines)
            self.move_cursor(
                row=keys.index(selected) if selected in lines else min(number, len(keys) - 1), scroll=False
            )
        self.scroll_to(y=scrolled, animate=False)


def _line(cells: Sequence[Text], headers: Sequence[Text], widths: Sequence[int]) -> Text:
    """One row, its cells padded to the widths of the columns."""
    line = Text(no_wrap=True)
    for cell, header, width in zip(cells, headers, widths, strict=True):
        padding = " " * (width - cell.cell_len)
        if line:
            line.append(_GAP)
        if header.justify == "right":
            line.append(padding).append_text(cell)
        else:
            line.append_text(cell).append(padding)
    return line
