"""One client: it sends commands, and gets the publications of its topics."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

import msgspec

from pyroadrunner.contracts import Log, Payload, Reply, RoadRunnerError, WorkerPool
from pyroadrunner.httpd.flood_log import FloodLog
from pyroadrunner.httpd.websocket.contract import Socket
from pyroadrunner.httpd.websocket.message import OutMessage
from pyroadrunner.plugins.websocket.broadcast.requests import (
    JOIN_SERVER,
    JOIN_TOPICS,
    Answer,
    WorkerRequest,
    read_answer,
)
from pyroadrunner.plugins.websocket.errors import BadMessage
from pyroadrunner.plugins.websocket.hub import Hub
from pyroadrunner.plugins.websocket.publication import Publication

MAX_TOPICS = 1000  # of one client
MAX_NAME = 1000  # characters of a topic
_MAX_WAITING = 100  # commands of one client; then it is not read
_OK = 200
_RESTART = 1012

log = Log("websockets")
flood_log = FloodLog(log, monotonic)
_encode = msgspec.json.Encoder().encode


class Command(msgspec.Struct, kw_only=True):
    """What a client sends."""

    command: str = ""
    topics: list[str] | None = None


_decode = msgspec.json.Decoder(Command).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all clients have in common.

    Attributes:
        clients: the connected ones, by id.
        tasks: of their commands.
    """

    pool: WorkerPool
    hub: Hub
    clients: dict[str, BroadcastClient] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class BroadcastClient:
    """The handler of a socket, and a follower of topics."""

    def __init__(self, shared: Shared, request: WorkerRequest) -> None:
        self.id = secrets.token_urlsafe(15)
        self._shared = shared
        self._request = request
        self._socket: Socket | None = None
        self._topics: dict[str, None] = {}
        self._waiting: deque[Command] = deque()
        self._running = False
        self._paused = False
        self._closed = False

    def __repr__(self) -> str:
        return f"BroadcastClient({self.id}, topics={len(self._topics)})"

    async def ask(self, topics: Sequence[str] = ()) -> tuple[Answer, bytes]:
        """Let a worker decide: on the connection, or on topics.

        Raises:
            RoadRunnerError: none has decided.
        """
        if topics:
            context = self._request.context(JOIN_TOPICS, ",".join(topics))
        else:
            context = self._request.context(JOIN_SERVER, True)
        reply: Reply = await self._shared.pool.exec(Payload(context), describe=lambda: f"websockets {self.id}")
        if reply.stream is not None:
            reply.stream.drop()
            raise BadMessage("the worker streams its reply, which has no meaning here")
        return read_answer(reply.context), reply.body

    # -- SocketHandler -----------------------------------------------------------------------------------------------

    def opened(self, socket: Socket) -> None:
        self._socket = socket
        self._shared.clients[self.id] = self

    def received(self, data: bytes, *, text: bool) -> None:
        try:
            command = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            log.debug("a message of a client is no command; ignored", connection=self.id, error=str(wrong))
            return
        if command.command in ("join", "leave"):
            self._waiting.append(command)
            if not self._running:
                self._run()
            elif len(self._waiting) >= _MAX_WAITING and not self._paused and self._socket is not None:
                self._paused = True
                self._socket.pause()
        elif command.command != "headers":
            log.debug("unknown command of a client; ignored", connection=self.id, command=command.command[:100])

    def closed(self, code: int, reason: str) -> None:
        self._closed = True
        self._shared.clients.pop(self.id, None)
        self._waiting.clear()
        if not self._running:
            self._run()

    # -- Follower ----------------------------------------------------------------------------------------------------

    def deliver(self, publication: Publication) -> bool:
        return self._socket is not None and self._socket.send(publication.message(envelope=False))

    # -- for the plugin ----------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Look after a silent client."""
        if self._socket is not None:
            self._socket.tick(now)

    def restart(self) -> None:
        """The server stops or is replaced: the client connects again."""
        if self._socket is not None:
            self._socket.close(_RESTART, "the server restarts")

    def abort(self) -> None:
        """Cut the connection."""
        if self._socket is not None:
            self._socket.abort()

    # -- private -----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._running = True
        task = asyncio.get_running_loop().create_task(self._handle_all())
        self._shared.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._shared.tasks.discard(task)
        self._running = False
        if not task.cancelled() and (error := task.exception()) is not None:
            flood_log.error("a client failed", connection=self.id, error=repr(error))
            self.abort()
        elif self._waiting or (self._closed and self._topics):  # it happened while the task ended
            self._run()

    async def _handle_all(self) -> None:
        """Carry out the commands, one after the other."""
        while self._waiting:
            command = self._waiting.popleft()
            topics = command.topics or []
            if command.command == "join":
                await self._join(topics)
            else:
                self._send("@leave", topics)
                await self._leave(topics)
        if self._paused and self._socket is not None:
            self._paused = False
            self._socket.resume()
        if self._closed:
            await self._leave(list(self._topics))

    async def _join(self, topics: list[str]) -> None:
        why = await self._refusal(topics)
        if self._closed:
            return
        if why:
            log.debug("a client may not join", connection=self.id, topics=topics, error=why)
            self._send("#join", topics)
            return
        for topic in topics:
            self._topics[topic] = None
            await self._shared.hub.join(topic, self)
        self._send("@join", topics)

    async def _refusal(self, topics: Sequence[str]) -> str:
        """Why topics can't be joined; empty = they can."""
        if not all(0 < len(topic) <= MAX_NAME for topic in topics):
            return f"a topic has 1 to {MAX_NAME} characters"
        if len(self._topics.keys() | set(topics)) > MAX_TOPICS:
            return f"a client has at most {MAX_TOPICS} topics"
        try:
            answer, _ = await self.ask(topics)
        except RoadRunnerError as error:
            flood_log.error("no worker has decided on topics", connection=self.id, error=str(error))
            return str(error)
        return "" if answer.status == _OK else f"status {answer.status}"

    async def _leave(self, topics: Sequence[str]) -> None:
        for topic in topics:
            self._topics.pop(topic, None)
        await self._shared.hub.leave(topics, self)

    def _send(self, topic: str, payload: Sequence[str]) -> None:
        if self._socket is not None:
            self._socket.send(OutMessage(_encode({"topic": topic, "payload": payload}), text=True))


def publication(topic: str, payload: bytes) -> bytes:
    """What clients get of a publication; bytes that are not UTF-8 are replaced, as Go does."""
    return _encode({"topic": topic, "payload": payload.decode("utf-8", "replace")})
