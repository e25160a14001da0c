"""The page of ``lock`` on the dashboard."""

from __future__ import annotations

from pyroadrunner.contracts import Action, Column, Page, PageInfo, Row, Table, UnknownAction
from pyroadrunner.plugins.lock.driver import LockDriver, LockView

INFO = PageInfo(name="locks", title="Locks")
_MOST = 500  # rows

_COLUMNS = (
    Column(key="name", label="Lock"),
    Column(key="kind", label="Kind"),
    Column(key="holders", label="Holders", kind="number"),
    Column(key="expires", label="Expires in", kind="seconds"),
    Column(key="waiting", label="Waiting", kind="number"),
)
_RELEASE = Action(
    name="release",
    label="Release",
    confirm="Take this lock from its holders? They do not learn of it.",
    danger=True,
)


async def locks_page(driver: LockDriver) -> Page:
    """All held locks."""
    found = driver.list()
    views = found if isinstance(found, list) else await found
    table = Table(
        title="Held locks",
        columns=_COLUMNS,
        rows=[_row(view) for view in views[:_MOST]],
        actions=[_RELEASE],
        empty="No lock is held.",
        note=f"The first {_MOST} of {len(views)} are shown." if len(views) > _MOST else "",
    )
    return Page(blocks=[table])


async def release(driver: LockDriver, action: str, row: str) -> str:
    """Release a lock, also one that another client holds.

    Raises:
        UnknownAction
        RoadRunnerError: the driver's server does not answer.
    """
    if action != "release":
        raise UnknownAction(INFO.name, action)
    done = driver.force_release(row)
    if not isinstance(done, bool):
        done = await done
    return f"The lock {row} was released." if done else f"The lock {row} is not held any more."


def _row(view: LockView) -> Row:
    expiring = [holder.ttl / 1e6 for holder in view.holders if holder.ttl]
    lines = "\n".join(
        f"{holder.id}  token {holder.token}" + (f"  expires in {holder.ttl / 1e6:.1f} s" if holder.ttl else "")
        for holder in view.holders
    )
    return Row(
        id=view.resource,
        cells={
            "name": view.resource,
            "kind": "exclusive" if view.exclusive else "shared",
            "holders": len(view.holders),
            "expires": round(min(expiring), 1) if expiring else None,
            "waiting": len(view.waiting),
        },
        actions=["release"],
        details={"Holders": lines, **({"Waiting": "\n".join(view.waiting)} if view.waiting else {})},
    )
