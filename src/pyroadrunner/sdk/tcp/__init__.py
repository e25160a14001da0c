"""TCP connections: handle their events with :class:`Handler` or :class:`Handlers`, reach them with
:class:`Connections`.

A whole worker is::

    from pyroadrunner.sdk import tcp

    class Echo(tcp.Handler):
        def on_data(self, request):
            return request.body

    tcp.serve(Echo())

``AsyncConnections`` is ``Connections`` for asyncio. The modules: ``messages.py`` (events and replies, pure),
``worker.py``, ``blocking.py``, ``asynchronous.py``.
"""

from typing import TYPE_CHECKING, Any

from pyroadrunner.sdk.tcp.blocking import Connections
from pyroadrunner.sdk.tcp.messages import Answer, ConnectionInfo, Event, Reply, Request
from pyroadrunner.sdk.tcp.worker import Handler, Handlers, TcpWorker, serve

if TYPE_CHECKING:
    from pyroadrunner.sdk.tcp.asynchronous import AsyncConnections

__all__ = [
    "Answer",
    "AsyncConnections",
    "ConnectionInfo",
    "Connections",
    "Event",
    "Handler",
    "Handlers",
    "Reply",
    "Request",
    "TcpWorker",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name != "AsyncConnections":
        raise AttributeError(name)
    from pyroadrunner.sdk.tcp import asynchronous  # a blocking worker does not need to import asyncio

    return asynchronous.AsyncConnections
