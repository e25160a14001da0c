"""The tcp plugin without sockets and workers: a fake transport, a pool whose replies the test gives."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import msgspec

from pyroadrunner.plugins.tcp.config import ServerConfig
from pyroadrunner.plugins.tcp.connection import Connection
from pyroadrunner.plugins.tcp.connections import Connections
from pyroadrunner.plugins.tcp.listener import Listener
from pyroadrunner.workers.call import Call, Receiver, ReplyRule, Submission
from pyroadrunner.workers.errors import QueueFull
from pyroadrunner.workers.payload import Payload, Reply, ReplyStream
from support.unused_pool import UnusedPool


class FakeTransport(asyncio.Transport):
    """What a connection writes, and what it does to its socket.

    Attributes:
        written: all bytes.
        unsent: size of the write buffer.
        actions: such as ``pause``, ``eof``, ``close``, in order.
    """

    def __init__(self, peer: Any = ("127.0.0.1", 50412), *, tls: bool = False) -> None:
        super().__init__({"peername": peer})
        self.written = b""
        self.unsent = 0
        self.actions: list[str] = []
        self._tls = tls

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def can_write_eof(self) -> bool:
        return not self._tls

    def write_eof(self) -> None:
        self.actions.append("eof")

    def pause_reading(self) -> None:
        self.actions.append("pause")

    def resume_reading(self) -> None:
        self.actions.append("resume")

    def is_closing(self) -> bool:
        return "close" in self.actions or "abort" in self.actions

    def close(self) -> None:
        self.actions.append("close")

    def abort(self) -> None:
        self.actions.append("abort")


class EventPool(UnusedPool):
    """Keeps the events until the test replies.

    Attributes:
        given: contexts of all events so far, with their body.
        full: refuse further events, but for so many as there is ``room`` for.
        waiting: no worker has the events yet.
    """

    def __init__(self) -> None:
        self.given: list[tuple[dict[str, str], bytes]] = []
        self.rules: list[ReplyRule] = []
        self.timeouts: list[float | None] = []
        self.full = False
        self.room = 0
        self.waiting = False
        self._open: list[Submission] = []

    def submit(
        self,
        payload: Payload,
        receiver: Receiver,
        *,
        timeout: float | None = None,
        priority: int = 0,
        rule: ReplyRule = ReplyRule.ONE,
    ) -> Submission:
        if self.full and not self.room:
            raise QueueFull("tcp", 1)
        self.room = max(0, self.room - 1)
        submission = Submission(receiver)
        submission.call = call = Call(payload, submission, 0.0)
        call.attempts = 0 if self.waiting else 1
        self.given.append((json.loads(payload.context), bytes(payload.body)))
        self.rules.append(rule)
        self.timeouts.append(timeout)
        self._open.append(submission)
        return submission

    @property
    def events(self) -> list[tuple[str, bytes]]:
        """Name and body of all events so far."""
        return [(context["event"], body) for context, body in self.given]

    @property
    def open(self) -> int:
        """Events without a reply."""
        self._open = [one for one in self._open if not one.done()]
        return len(self._open)

    def reply(self, verb: str, body: bytes = b"", stream: ReplyStream | None = None) -> None:
        """Reply to the oldest event."""
        self._open.pop(0).set_result(Reply(verb.encode(), body, 0, stream))

    def fail(self, error: Exception) -> None:
        """Fail the oldest event."""
        self._open.pop(0).set_exception(error)


class Scene:
    """A listener without sockets, and a first connection of it."""

    def __init__(self, *, tls: bool = False, peer: Any = ("127.0.0.1", 50412), **keys: Any) -> None:
        self.pool = EventPool()
        self.connections = Connections()
        self.connections.loop = asyncio.get_running_loop()
        config = msgspec.convert({"addr": "127.0.0.1:0", **keys}, ServerConfig)
        read_ahead = (config.read_buf_size or 1) << 20
        self.listener = Listener("smtp", config, self.connections, read_ahead=read_ahead, servers=1)
        self.listener.close()
        self.listener.pool = self.pool
        self.connection, self.transport = self.connect(tls=tls, peer=peer)

    def connect(self, *, tls: bool = False, peer: Any = ("127.0.0.1", 50412)) -> tuple[Connection, FakeTransport]:
        """A client connects."""
        connection, transport = Connection(self.listener), FakeTransport(peer, tls=tls)
        connection.connection_made(cast("asyncio.BaseTransport", transport))
        return connection, transport

    def connected(self) -> Scene:
        """The worker has read ``CONNECTED``."""
        self.pool.reply("CONTINUE")
        return self

    def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.connection.data_received(chunk)

    def lose(self, error: Exception | None = None) -> None:
        self.connection.connection_lost(error)

    @property
    def over(self) -> bool:
        """Whether nothing is left of the connection."""
        return self.connections.find(self.connection.uuid) is None
