"""A page of the dashboard, as plugins describe it. Plugins import all from ``contracts``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

Cell = str | int | float | bool | None
CellKind = Literal["text", "number", "bytes", "seconds", "time", "state", "code"]

_CUT = "\n... (cut)"


class PageInfo(msgspec.Struct, kw_only=True, frozen=True):
    """A page that a plugin offers.

    Attributes:
        name: its part of the URL: lower-case letters, digits and ``-``; unique in the plugin.
        title: in the menu, and above the page.
        refresh: seconds between two looks while a browser shows the page; 0 = only on demand, for a page that asks a
            broker.
    """

    name: str
    title: str
    refresh: float = 2.0


class Action(msgspec.Struct, kw_only=True, frozen=True):
    """A button.

    Attributes:
        name: passed to :meth:`HasPages.run_action`.
        confirm: a question that the user has to confirm first; empty = none.
        danger: whether it loses something.
    """

    name: str
    label: str
    confirm: str = ""
    danger: bool = False


class Column(msgspec.Struct, kw_only=True, frozen=True):
    """A column of a table.

    Attributes:
        key: of the cells.
        kind: how they are shown: ``bytes`` and ``seconds`` with a unit, ``time`` (Unix time, seconds) as the time of
            day and the distance from now, ``state`` as a coloured word, ``code`` in a fixed-width font.
    """

    key: str
    label: str
    kind: CellKind = "text"


class Row(msgspec.Struct, kw_only=True, frozen=True):
    """A row of a table.

    Attributes:
        id: unique in the table; passed to the action.
        cells: by key of the column; ``None`` = empty.
        actions: names of the table's actions that apply to this row.
        details: longer texts by title, shown when the row is opened; see :func:`excerpt`.
    """

    id: str
    cells: Mapping[str, Cell]
    actions: Sequence[str] = ()
    details: Mapping[str, str] = msgspec.field(default_factory=dict)


class Table(msgspec.Struct, kw_only=True, frozen=True, tag_field="block", tag="table"):
    """A table.

    Attributes:
        actions: all actions of its rows.
        empty: shown if it has no rows.
        note: a sentence below the title.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row] = ()
    actions: Sequence[Action] = ()
    empty: str = "None."
    note: str = ""


class Figure(msgspec.Struct, kw_only=True, frozen=True):
    """One labelled value."""

    label: str
    value: Cell
    kind: CellKind = "text"


class Figures(msgspec.Struct, kw_only=True, frozen=True, tag_field="block", tag="figures"):
    """Labelled values in one line."""

    figures: Sequence[Figure]
    title: str = ""


class Page(msgspec.Struct, kw_only=True, frozen=True):
    """The current contents of a page.

    Attributes:
        actions: buttons of the page as a whole; they get an empty row.
        error: what is wrong with the page, such as a broker that is away.
    """

    blocks: Sequence[Table | Figures] = ()
    actions: Sequence[Action] = ()
    error: str = ""


def excerpt(data: bytes | str, limit: int = 4096) -> str:
    """The beginning of a text or payload, for :attr:`Row.details`. Bytes that are not UTF-8 are shown as escapes.

    Args:
        limit: characters, or bytes of ``data``.
    """
    text = data[:limit].decode("utf-8", "backslashreplace") if isinstance(data, bytes) else data[:limit]
    return text + _CUT if len(data) > limit else text
