"""The page of ``websocket`` on the dashboard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from pyroadrunner.contracts import (
    Action,
    Column,
    Figure,
    Figures,
    Page,
    PageInfo,
    RoadRunnerError,
    Row,
    Table,
    UnknownAction,
)
from pyroadrunner.plugins.websocket.pusher.app import PusherApp
from pyroadrunner.plugins.websocket.pusher.client import PusherClient
from pyroadrunner.plugins.websocket.session import Environment, Session

INFO = PageInfo(name="connections", title="WebSocket")
_MOST = 200  # rows of a table
_CLOSED_BY_OPERATOR = 1008  # RFC 6455, section 7.4.1: policy violation

_CONNECTION_COLUMNS = (
    Column(key="id", label="Connection", kind="code"),
    Column(key="app", label="App"),
    Column(key="user", label="User"),
    Column(key="address", label="Address", kind="code"),
    Column(key="open", label="Open for", kind="seconds"),
    Column(key="topics", label="Topics", kind="number"),
    Column(key="buffered", label="Buffered", kind="bytes"),
    Column(key="dropped", label="Dropped", kind="number"),
)
_TOPIC_COLUMNS = (
    Column(key="topic", label="Topic"),
    Column(key="followers", label="Followers here", kind="number"),
)
_CLOSE = Action(
    name="close", label="Close", confirm="Close this connection? The client may connect again.", danger=True
)


class NoSuchConnection(RoadRunnerError):
    """The connection has been closed."""

    def __init__(self) -> None:
        super().__init__("the connection is not open any more")


def connections_page(environment: Environment, apps: Sequence[PusherApp]) -> Page:
    """The first connections and topics; those of the Pusher protocol, too."""
    hub = environment.hub
    rows = [_row(client) for client in islice(_clients(environment, apps), _MOST)]
    total = len(environment.sessions) + sum(len(app.clients) for app in apps)
    topics = sorted(((name, len(found)) for name, found in hub.topics.items()), key=lambda pair: (-pair[1], pair[0]))
    figures = [
        Figure(label="Connections", value=total, kind="number"),
        Figure(label="Topics", value=len(topics), kind="number"),
        Figure(label="Published", value=sum(hub.counters.published.values()), kind="number"),
        Figure(label="Delivered", value=sum(hub.counters.delivered.values()), kind="number"),
    ]
    connections = Table(
        title="Connections",
        columns=_CONNECTION_COLUMNS,
        rows=rows,
        actions=[_CLOSE],
        empty="No client is connected.",
        note=_note(len(rows), total),
    )
    followed = Table(
        title="Topics",
        columns=_TOPIC_COLUMNS,
        rows=[Row(id=name, cells={"topic": name, "followers": count}) for name, count in topics[:_MOST]],
        empty="No topic has a follower.",
        note=_note(min(_MOST, len(topics)), len(topics)),
    )
    return Page(blocks=[Figures(figures=figures), connections, followed], error=hub.driver.error)


def close(environment: Environment, apps: Sequence[PusherApp], action: str, row: str) -> str:
    """Close a connection.

    Raises:
        UnknownAction, NoSuchConnection
    """
    if action != "close":
        raise UnknownAction(INFO.name, action)
    found: Session | PusherClient | None = environment.sessions.get(row)
    found = found or next((app.clients[row] for app in apps if row in app.clients), None)
    if found is None:
        raise NoSuchConnection
    found.close(_CLOSED_BY_OPERATOR, "closed by an operator")
    return f"The connection {row} was closed."


def _clients(environment: Environment, apps: Sequence[PusherApp]) -> Iterator[Session | PusherClient]:
    yield from environment.sessions.values()
    for app in apps:
        yield from app.clients.values()


def _row(client: Session | PusherClient) -> Row:
    view = client.view()
    topics = view["topics"]
    return Row(
        id=view["id"],
        cells={
            "id": view["id"],
            "app": view["app"],
            "user": view["user"],
            "address": view["remote_addr"],
            "open": view["seconds"],
            "topics": len(topics),
            "buffered": view["buffered"],
            "dropped": view["dropped"],
        },
        actions=["close"],
        details={"Topics": "\n".join(topics[:_MOST])} if topics else {},
    )


def _note(shown: int, total: int) -> str:
    return f"The first {shown} of {total} are shown." if shown < total else ""
