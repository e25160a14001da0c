"""The page of ``kv`` on the dashboard."""

from __future__ import annotations

from collections.abc import Mapping

from pyroadrunner.contracts import Action, Column, Page, PageInfo, RoadRunnerError, Row, Table, UnknownAction
from pyroadrunner.plugins.kv.errors import NoSuchStorage
from pyroadrunner.plugins.kv.store import Store, StoreStats
from pyroadrunner.remote.errors import StoreError

INFO = PageInfo(name="storages", title="KV", refresh=5.0)

_COLUMNS = (
    Column(key="name", label="Storage"),
    Column(key="driver", label="Driver"),
    Column(key="items", label="Keys", kind="number"),
    Column(key="error", label="Error"),
)
_CLEAR = Action(name="clear", label="Clear", confirm="Delete all keys of this storage?", danger=True)


async def storages_page(stores: Mapping[str, Store], drivers: Mapping[str, str]) -> Page:
    """All storages; an error of one does not hide the others."""
    rows = [await _row(name, store, drivers[name]) for name, store in sorted(stores.items())]
    return Page(blocks=[Table(title="Storages", columns=_COLUMNS, rows=rows, actions=[_CLEAR])])


async def clear(stores: Mapping[str, Store], action: str, row: str) -> str:
    """Delete all keys of a storage.

    Raises:
        UnknownAction, NoSuchStorage
        RoadRunnerError: the storage does not answer.
    """
    if action != "clear":
        raise UnknownAction(INFO.name, action)
    store = stores.get(row)
    if store is None:
        raise NoSuchStorage("dashboard_clear", row)
    try:
        pending = store.clear()
        if pending is not None:
            await pending
    except StoreError as error:
        raise RoadRunnerError(f"{row} could not be cleared: {error}") from error
    return f"All keys of {row} were deleted."


async def _row(name: str, store: Store, driver: str) -> Row:
    items, error = None, ""
    try:
        stats = store.stats()
        items = (stats if isinstance(stats, StoreStats) else await stats).items
    except StoreError as wrong:
        error = str(wrong)
    return Row(id=name, cells={"name": name, "driver": driver, "items": items, "error": error}, actions=["clear"])
