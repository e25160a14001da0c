"""A table whose rows change all the time while the cursor stays on its row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text
from textual.coordinate import Coordinate
from textual.widgets import DataTable


class LiveTable(DataTable[Text]):
    """Shows rows by key; redraws only what has changed."""

    def __init__(self, name: str) -> None:
        super().__init__(id=name, cursor_type="row", zebra_stripes=False)
        self.show_cursor = False
        self._headers: Sequence[Text] = ()
        self._rows: dict[str, Sequence[Text]] = {}

    def on_focus(self) -> None:
        self.show_cursor = True

    def on_blur(self) -> None:
        self.show_cursor = False

    @property
    def selected(self) -> str:
        """The key of the row with the cursor; empty = there is no row."""
        keys = list(self._rows)
        return keys[min(self.cursor_row, len(keys) - 1)] if keys else ""

    def show_rows(self, headers: Sequence[Text], rows: Mapping[str, Sequence[Text]]) -> None:
        """Show these rows. The cursor follows its row; if that is gone, it stays where it is."""
        if _same(headers, self._headers) and list(rows) == list(self._rows):
            self._update(rows)
        else:
            self._replace(headers, rows)
        self._rows = dict(rows)

    def _update(self, rows: Mapping[str, Sequence[Text]]) -> None:
        for number, (cells, before) in enumerate(zip(rows.values(), self._rows.values(), strict=True)):
            for column, (cell, old) in enumerate(zip(cells, before, strict=True)):
                if cell != old:
                    self.update_cell_at(Coordinate(number, column), cell, update_width=True)

    def _replace(self, headers: Sequence[Text], rows: Mapping[str, Sequence[Text]]) -> None:
        selected, number, top = self.selected, self.cursor_row, self.scroll_y
        self.clear(columns=True)
        self.add_columns(*headers)
        self._headers = list(headers)
        for key, cells in rows.items():
            self.add_row(*cells, key=key)
        if rows:
            keys = list(rows)
            self.move_cursor(row=keys.index(selected) if selected in rows else min(number, len(keys) - 1), scroll=False)
        self.scroll_to(y=top, animate=False)


def _same(one: Sequence[Text], other: Sequence[Text]) -> bool:
    return [header.plain for header in one] == [header.plain for header in other]
