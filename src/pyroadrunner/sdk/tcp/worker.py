"""Events of connections in a worker: receive them, reply, and the loop around a handler."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec

from pyroadrunner.goridge.errors import RelayClosed
from pyroadrunner.sdk.tcp.messages import Answer, Event, Reply, Request, reply_of
from pyroadrunner.sdk.worker import Worker, unreadable

OnEvent: TypeAlias = Callable[[Request], Answer]
OnClose: TypeAlias = Callable[[Request], None]


class Handles(Protocol):
    """What :func:`serve` needs: a :class:`Handler` or :class:`Handlers`."""

    def on_connected(self, request: Request) -> Answer: ...

    def on_data(self, request: Request) -> Answer: ...

    def on_close(self, request: Request) -> None: ...


class Handler:
    """Handles events: override what matters. Bytes and text are written to the client, ``None`` reads on."""

    def on_connected(self, request: Request) -> Answer:
        """A client has connected; nothing is read yet."""
        return None

    def on_data(self, request: Request) -> Answer:
        """A message has arrived."""
        return None

    def on_close(self, request: Request) -> None:
        """The connection has ended."""


class Handlers:
    """The same by functions: ``@handlers.connected``, ``@handlers.data``, ``@handlers.close``."""

    def __init__(self) -> None:
        default = Handler()
        self.on_connected: OnEvent = default.on_connected
        self.on_data: OnEvent = default.on_data
        self.on_close: OnClose = default.on_close

    def connected(self, function: OnEvent) -> OnEvent:
        """A decorator for the function that handles new connections."""
        self.on_connected = function
        return function

    def data(self, function: OnEvent) -> OnEvent:
        """A decorator for the function that handles messages."""
        self.on_data = function
        return function

    def close(self, function: OnClose) -> OnClose:
        """A decorator for the function that handles the end of connections."""
        self.on_close = function
        return function

    def serve(self) -> None:
        """Handle events until the server stops the worker."""
        serve(self)


class TcpWorker:
    """Events in a worker. Same names as in the PHP library. Each event needs exactly one reply, also ``CLOSE``, whose
    reply has no effect."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    @classmethod
    def create(cls) -> TcpWorker:
        """The worker of the server that started this process. Raises as :meth:`Worker.create`."""
        return cls(Worker.create())

    def receive(self) -> Request | None:
        """Wait for the next event; ``None`` when it is time to exit. Raises as :meth:`Worker.receive`."""
        while (payload := self.worker.receive()) is not None:
            try:
                return Request(payload.context, payload.body)
            except msgspec.MsgspecError as error:
                self.worker.error(unreadable("event", error, "tcp"))
        return None

    def reply(self, reply: Reply) -> None:
        """Send the reply. Raises as :meth:`Worker.respond`."""
        self.worker.respond(reply.body, reply.verb)

    def respond(self, data: bytes | str, *, close: bool = False) -> None:
        """Write to the client, and read on or close. Raises as :meth:`Worker.respond`."""
        self.reply(Reply.write_and_close(data) if close else Reply.write(data))

    def read(self) -> None:
        """Read on. Raises as :meth:`Worker.respond`."""
        self.reply(Reply.read())

    def close(self) -> None:
        """Close the connection. Raises as :meth:`Worker.respond`."""
        self.reply(Reply.close())

    def error(self, text: str) -> None:
        """Report that the event failed: the connection is closed, and the text is in the server's log."""
        self.worker.error(text)


def serve(handler: Handles, worker: TcpWorker | None = None) -> None:
    """Call the handler for each event until the server stops the worker or exits.

    An exception of the handler closes the connection, its traceback is in the server's log, and the worker keeps
    running.

    Args:
        handler: a :class:`Handler` or :class:`Handlers`.
        worker: the source of the events; ``None`` = the server that started this process.

    Raises:
        RelayError: the server can't be reached.
        RemoteFrameError: the server does not speak goridge.
    """
    tcp = worker or TcpWorker.create()
    try:
        while (request := tcp.receive()) is not None:
            try:
                tcp.reply(_handle(handler, request))
            except RelayClosed:
                raise
            except Exception:  # of the handler: one event fails, the worker keeps running
                tcp.error(traceback.format_exc())
    except RelayClosed:
        return  # the server exited without a stop


def _handle(handler: Handles, request: Request) -> Reply:
    if request.event is Event.DATA:
        return reply_of(handler.on_data(request))
    if request.event is Event.CONNECTED:
        return reply_of(handler.on_connected(request))
    handler.on_close(request)
    return Reply.read()
