"""Events of WebSocket clients in a worker."""

from __future__ import annotations

import asyncio
import traceback
from base64 import b64encode
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import msgspec

from pyroadrunner.goridge.errors import RelayClosed
from pyroadrunner.sdk.worker import Worker, unreadable

Data = str | bytes


class _Context(msgspec.Struct, kw_only=True):
    event: str
    connection: str
    user: str = ""
    state: Any = None
    binary: bool = False
    code: int = 1006
    reason: str = ""
    remote_addr: str = ""
    uri: str = ""
    query: str = ""
    headers: dict[str, list[str]] = {}
    subprotocols: list[str] = []


_decode = msgspec.json.Decoder(_Context).decode
_encode = msgspec.json.Encoder().encode


class Connection:
    """A client during one event. What its methods order happens when the event has been handled: first :meth:`leave`,
    then :meth:`join`, then messages, publications, :meth:`close`.

    Attributes:
        user: as :meth:`identify` has named it.
        state: any JSON value; the next events of this connection get it back, whichever worker handles them.
        remote_addr, uri, query, headers, subprotocols: of the handshake; only in ``on_connect``. Headers have
            lower-case names; other events have those that name the trace, if traces are recorded.
    """

    def __init__(self, context: _Context) -> None:
        self.id = context.connection
        self.user = context.user
        self.state: Any = context.state
        self.remote_addr = context.remote_addr
        self.uri = context.uri
        self.query = context.query
        self.headers: Mapping[str, Sequence[str]] = context.headers
        self.subprotocols: Sequence[str] = context.subprotocols
        self._body: Data = b""
        self._reply: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Connection({self.id!r}, user={self.user!r})"

    def header(self, name: str) -> str | None:
        """The first value of a header of the handshake."""
        values = self.headers.get(name.lower())
        return values[0] if values else None

    def send(self, data: Data) -> None:
        """Send a message to this client: ``str`` as text, ``bytes`` as binary."""
        if data and not self._body:
            self._body = data
        else:
            self._add("send", payload(data))

    def send_to(self, connection: str, data: Data) -> None:
        """Send a message to another client of this server, if it is still connected."""
        self._add("send", {"connection": connection, **payload(data)})

    def publish(self, topics: str | Sequence[str], data: Data, *, others: bool = False) -> None:
        """Publish a message to all clients that follow one of these topics.

        Args:
            others: whether this client does not get it.
        """
        names = [topics] if isinstance(topics, str) else list(topics)
        self._add("publish", {"topics": names, "others": others, **payload(data)})

    def join(self, topic: str, *, envelope: bool = False, offset: int = 0, epoch: str = "") -> None:
        """Let this client follow a topic.

        Args:
            envelope: whether its publications come as JSON objects with ``topic``, ``offset``, ``epoch`` and ``data``.
            offset, epoch: what the client had before it lost its connection; it gets what came since.
        """
        self._add("join", {"topic": topic, "envelope": envelope, "offset": offset, "epoch": epoch})

    def leave(self, topic: str) -> None:
        """End that."""
        self._add("leave", topic)

    def identify(self, user: str | int, info: Any = None) -> None:
        """Name the user of this connection; presence shows it with ``info``."""
        self._reply |= {"user": str(user), "info": info}

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection: 1000, 1008, or 3000 to 4999."""
        self._reply["close"] = {"code": code, "reason": reason}

    def reject(self, status: int = 403, body: Data = b"", headers: Mapping[str, str] | None = None) -> None:
        """Refuse the handshake; only in ``on_connect``."""
        self._reply = {"accept": False, "status": status, "headers": dict(headers or {})}
        self._body = body.encode() if isinstance(body, str) else body

    def use_subprotocol(self, name: str) -> None:
        """Choose one of the subprotocols that the client offers; only in ``on_connect``."""
        self._reply["subprotocol"] = name

    def reply(self) -> tuple[bytes, bytes]:
        """Body and context of the reply frame."""
        reply = dict(self._reply)
        body = self._body
        if isinstance(body, str):
            body = body.encode()
        elif body and reply.get("accept", True):
            reply["binary"] = True
        if self.state is not None:
            reply["state"] = self.state
        return body, _encode(reply)

    def _add(self, key: str, value: Any) -> None:
        self._reply.setdefault(key, []).append(value)


class Handler:
    """What an application does with its clients; override what it needs, with functions or coroutine functions. An
    exception closes the connection with 1011."""

    def on_connect(self, connection: Connection) -> Awaitable[None] | None:
        """A client wants to connect: join topics, name the user, or reject it."""
        return None

    def on_message(self, connection: Connection, data: bytes, binary: bool) -> Awaitable[None] | None:
        """A message has arrived; text is UTF-8."""
        return None

    def on_close(self, connection: Connection, code: int, reason: str) -> Awaitable[None] | None:
        """The client is gone: nothing can be sent to it any more."""
        return None


class WebSocketWorker:
    """Events of clients in a worker. Same names as in the PHP library."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    @classmethod
    def create(cls) -> WebSocketWorker:
        """The worker of the server that started this process. Raises as :meth:`Worker.create`."""
        return cls(Worker.create())

    def run(self, handler: Handler) -> None:
        """Call the handler for each event until the server stops the worker; coroutines run on one event loop, one
        after another."""
        with asyncio.Runner() as runner:
            try:
                while (frame := self.worker.receive()) is not None:
                    try:
                        context = _decode(frame.context)
                    except msgspec.MsgspecError as error:
                        self.worker.error(unreadable("event", error, "websocket"))
                        continue
                    self._handle(handler, context, frame.body, runner)
            except RelayClosed:
                pass  # the server exited without a stop

    def _handle(self, handler: Handler, context: _Context, body: bytes, runner: asyncio.Runner) -> None:
        connection = Connection(context)
        try:
            if context.event == "connect":
                result = handler.on_connect(connection)
            elif context.event == "message":
                result = handler.on_message(connection, body, context.binary)
            else:
                result = handler.on_close(connection, context.code, context.reason)
            if result is not None:
                runner.run(_awaited(result))
            answer, reply = connection.reply()
        except RelayClosed:
            raise
        except Exception as error:
            self.worker.error(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
        else:
            self.worker.respond(answer, reply)


def serve(handler: Handler) -> None:
    """Handle events until the server stops the worker; see :meth:`WebSocketWorker.run`."""
    WebSocketWorker.create().run(handler)


def payload(data: Data) -> dict[str, str]:
    """A message as JSON has it."""
    return {"data": data} if isinstance(data, str) else {"base64": b64encode(data).decode()}


async def _awaited(result: Awaitable[None]) -> None:
    await result
