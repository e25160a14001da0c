"""One client: its events go to a worker one at a time, and the worker's replies act on it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import Raw

from pyroadrunner.contracts import Log, Payload, QueueFull, Reply, RoadRunnerError, Span, WorkerPool
from pyroadrunner.httpd.flood_log import FloodLog
from pyroadrunner.httpd.websocket.contract import BLAMED, Socket
from pyroadrunner.httpd.websocket.message import OutMessage
from pyroadrunner.plugins.websocket import events
from pyroadrunner.plugins.websocket.config import LimitsConfig
from pyroadrunner.plugins.websocket.counters import Counters
from pyroadrunner.plugins.websocket.drivers.contract import Member
from pyroadrunner.plugins.websocket.errors import BadMessage
from pyroadrunner.plugins.websocket.events import Join, Outgoing
from pyroadrunner.plugins.websocket.hub import Hub
from pyroadrunner.plugins.websocket.publication import Publication
from pyroadrunner.plugins.websocket.rate import Rate
from pyroadrunner.plugins.websocket.topics import MAX_NAME, Topics
from pyroadrunner.plugins.websocket.tracing import EventTracer, Pairs
from pyroadrunner.plugins.websocket.turns import Turns

_MAX_WAITING = 16  # messages of one client that wait for a worker; more are not read
_POLICY, _INTERNAL, _RESTART, _TRY_LATER = 1008, 1011, 1012, 1013

log = Log("websocket")


@dataclass(slots=True)
class Environment:
    """What all sessions share; a reload replaces settings.

    Attributes:
        pool: ``None`` = no events go to workers.
        topics: their settings.
        sessions: the open ones, by id.
        tasks: that carry out replies of workers.
    """

    pool: WorkerPool | None
    hub: Hub
    turns: Turns
    limits: LimitsConfig
    events: frozenset[str]
    topics: Topics
    clock: Callable[[], float]
    sessions: dict[str, Session]
    counters: Counters
    tracer: EventTracer = field(default_factory=EventTracer)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    flood_log: FloodLog = field(init=False)

    def __post_init__(self) -> None:
        self.flood_log = FloodLog(log, self.clock)


class Session:
    """A client; the handler of its socket, a follower of topics, and the receiver of its worker calls.

    Attributes:
        id: of the connection; unguessable.
        user, info: as a worker has named them.
        topics: that it follows, and whether it wants envelopes.
        remote_addr: of the client.
        trace: headers that name the trace of its events.
    """

    __slots__ = (
        "_catching_up",
        "_current",
        "_environment",
        "_events",
        "_first",
        "_opened_at",
        "_paused",
        "_present",
        "_rate",
        "_reached",
        "_running",
        "_slow",
        "_socket",
        "_span",
        "_state",
        "closed_at",
        "id",
        "info",
        "remote_addr",
        "topics",
        "trace",
        "user",
    )

    def __init__(self, identity: str, remote_addr: str, environment: Environment) -> None:
        self.id = identity
        self.remote_addr = remote_addr
        self.user = ""
        self.info = events.NULL
        self.topics: dict[str, bool] = {}
        self.trace: Pairs = ()
        self._environment = environment
        self._state = events.NULL
        self._socket: Socket | None = None
        self._events: deque[tuple[bytes, bytes]] = deque()  # contexts and bodies
        self._current = "connect"
        self._span: Span | None = None  # of the current event
        self._running = False
        self._paused = False
        self._present: frozenset[str] = frozenset()  # topics whose presence has this connection
        self._catching_up: dict[str, list[Publication]] = {}
        self._reached: dict[str, tuple[str, int]] = {}  # epoch and offset that the history has brought, by topic
        self._rate = Rate(environment.limits.messages_per_second, environment.clock())
        self._first: tuple[events.Reply, bytes] | None = None
        self._opened_at = 0.0
        self._slow = False  # it was logged that messages are dropped
        self.closed_at: tuple[int, str] | None = None

    def __repr__(self) -> str:
        return f"Session({self.id}, user={self.user!r}, topics={len(self.topics)}, waiting={len(self._events)})"

    @property
    def buffered(self) -> int:
        """Bytes that wait, since the client reads slowly."""
        return self._socket.buffered if self._socket is not None else 0

    @property
    def dropped(self) -> int:
        """Messages that were dropped, since the client reads too slowly."""
        return self._socket.dropped if self._socket is not None else 0

    def view(self) -> dict[str, Any]:
        """For operators."""
        return {
            "id": self.id,
            "app": "",
            "user": self.user,
            "remote_addr": self.remote_addr,
            "topics": sorted(self.topics),
            "seconds": round(self._environment.clock() - self._opened_at, 1) if self._opened_at else 0.0,
            "buffered": self.buffered,
            "dropped": self.dropped,
        }

    # -- SocketHandler -----------------------------------------------------------------------------------------------

    def opened(self, socket: Socket) -> None:
        self._socket = socket
        environment = self._environment
        self._opened_at = environment.clock()
        environment.sessions[self.id] = self
        environment.counters.opened += 1
        log.debug("connection was opened", connection=self.id, remote_addr=self.remote_addr, user=self.user)
        if self._first is not None:
            self._running = True  # messages wait until the reply to the handshake was applied
            self._spawn(self._apply_first(*self._first))

    def received(self, data: bytes, *, text: bool) -> None:
        environment = self._environment
        environment.counters.received += 1
        environment.counters.received_bytes += len(data)
        if not self._rate.allows(environment.clock()):
            self.close(_POLICY, "too many messages")
            return
        if "message" not in environment.events:
            return
        # The context is made when it is this event's turn: earlier ones may change the state.
        self._add(b"" if text else b"b", data)
        if len(self._events) >= _MAX_WAITING and not self._paused and self._socket is not None:
            self._paused = True
            self._socket.pause()

    def closed(self, code: int, reason: str) -> None:
        if self.closed_at is not None:
            return
        self.closed_at = code, reason
        environment = self._environment
        environment.sessions.pop(self.id, None)
        environment.counters.count_close(code, self.dropped)
        log.debug("connection was closed", connection=self.id, code=code, reason=reason)
        if code in BLAMED:
            environment.flood_log.warning(
                "a client broke a rule", f"{code} {reason}", connection=self.id, code=code, reason=reason
            )
        if self.topics:
            self._spawn(self._leave(list(self.topics)))
        if "close" in environment.events and self._opened_at:
            self._add(b"c", b"")

    # -- Follower ----------------------------------------------------------------------------------------------------

    def deliver(self, publication: Publication) -> bool:
        topic = publication.topic
        waiting = self._catching_up.get(topic)
        if waiting is not None:
            waiting.append(publication)
            return True
        if topic in self._reached:
            epoch, offset = self._reached[topic]
            if publication.epoch == epoch and publication.offset <= offset:
                return True  # the history had it before the channel brought it
            del self._reached[topic]
        return self._send(publication.message(envelope=self.topics.get(publication.topic, False)))

    def begin_with(self, reply: events.Reply, body: bytes) -> None:
        """Apply this reply when the connection is open."""
        if reply.acts or body:
            self._first = reply, body
        self._remember(reply)

    # -- for the plugin ----------------------------------------------------------------------------------------------

    def send(self, message: OutMessage) -> bool:
        """Send a message; ``False`` = it is closed."""
        return self._send(message)

    def close(self, code: int, reason: str) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close(code, reason)

    def restart(self, delay_ms: int = 0) -> None:
        """The server stops or is replaced: the client connects again.

        Args:
            delay_ms: advice, in the reason of the close: how long the client waits before.
        """
        self.close(_RESTART, f"the server restarts, retry in {delay_ms} ms")

    def abort(self) -> None:
        """Cut the connection."""
        if self._socket is not None:
            self._socket.abort()

    def tick(self, now: float) -> None:
        """Look after silent and slow clients."""
        if self._socket is None:
            return
        self._socket.tick(now)
        if self._socket.dropped and not self._slow and self._environment.limits.slow_clients == "drop_oldest":
            self._slow = True
            self._environment.flood_log.warning(
                "messages of a client are dropped: it reads too slowly", connection=self.id, buffered=self.buffered
            )

    async def apply(self, reply: events.Reply, body: bytes) -> None:
        """Do what a worker wants.

        Raises:
            RoadRunnerError: a part of it can't be done.
        """
        self._remember(reply)
        environment = self._environment
        if reply.leave:
            for topic in reply.leave:
                self.topics.pop(topic, None)
            await self._leave(reply.leave)
        for wanted in reply.join:
            await self._join(Join(topic=wanted) if isinstance(wanted, str) else wanted)
        if body:
            self._send(OutMessage(body, text=not reply.binary))
        for one in reply.send:
            self._send_to(one.connection, one)
        for publish in reply.publish:
            data, text = publish.payload()
            for topic in publish.topics:
                await environment.hub.publish(topic, data, text=text, origin=self.id if publish.others else "")
        if reply.close is not None:
            self.close(reply.close.code, reply.close.reason)

    # -- Receiver ----------------------------------------------------------------------------------------------------

    def on_reply(self, reply: Reply) -> None:
        if reply.stream is not None:
            reply.stream.drop()
            self.on_error(BadMessage("the worker streams its reply, which has no meaning here"))
            return
        try:
            wanted = events.read_reply(reply.context)
            if reply.body and not wanted.binary:
                reply.body.decode()
        except (BadMessage, UnicodeDecodeError) as wrong:
            self.on_error(wrong)
            return
        if wanted.acts:
            self._spawn(self._apply(wanted, reply.body))
            return
        self._remember(wanted)
        if reply.body:
            self._send(OutMessage(reply.body, text=not wanted.binary))
        self._ended()

    def on_error(self, error: Exception) -> None:
        self._fail(error)
        self._ended()

    def _fail(self, error: Exception) -> None:
        self._environment.counters.failed += 1
        self._environment.flood_log.error(
            "event failed", str(error), event=self._current, connection=self.id, error=str(error)
        )
        if self._span is not None:
            self._span.fail(str(error))
        if isinstance(error, QueueFull):
            self.close(_TRY_LATER, "the server is overloaded")
        else:
            self.close(_INTERNAL, "the event could not be handled")

    def describe(self) -> str:
        return f"websocket {self._current} {self.id}"

    # -- private -----------------------------------------------------------------------------------------------------

    def _add(self, kind: bytes, body: bytes) -> None:
        self._events.append((kind, body))
        if not self._running:
            self._running = True
            self._environment.turns.request(self._begin)

    def _begin(self) -> None:
        """It is this session's turn to use a worker."""
        kind, body = self._events.popleft()
        self._current = "close" if kind == b"c" else "message"
        code, reason = self.closed_at or (1006, "")
        span = self._span = self._environment.tracer.begin(
            self._current, self.id, self.remote_addr, self.trace, code=code, size=len(body)
        )
        trace = span.headers() if span is not None else ()
        if kind == b"c":
            context = events.close_context(self.id, self.user, self._state, code, reason, trace=trace)
        else:
            context = events.message_context(self.id, self.user, self._state, binary=kind == b"b", trace=trace)
        pool = self._environment.pool
        assert pool is not None
        try:
            pool.submit(Payload(context, body), self)
        except RoadRunnerError as error:
            self.on_error(error)

    def _ended(self) -> None:
        """The event was handled, or has failed."""
        if self._span is not None:
            self._span.end()
            self._span = None
        if self.closed_at is not None and self._events and self._events[0][0] != b"c":
            closing = self._events[-1]
            self._events.clear()  # messages of a client that is gone
            if closing[0] == b"c":
                self._events.append(closing)
        if self._paused and len(self._events) < _MAX_WAITING // 2:
            self._paused = False
            if self._socket is not None:
                self._socket.resume()
        turns = self._environment.turns
        if self._events:
            # Others that wait go first.
            turns.request(self._begin)
        else:
            self._running = False
        turns.end()

    async def _apply(self, wanted: events.Reply, body: bytes) -> None:
        try:
            await self.apply(wanted, body)
        except RoadRunnerError as error:
            self.on_error(error)
        else:
            self._ended()

    async def _apply_first(self, wanted: events.Reply, body: bytes) -> None:
        self._first = None
        try:
            await self.apply(wanted, body)
        except RoadRunnerError as error:
            self._fail(error)
        self._running = bool(self._events)
        if self._events:
            self._environment.turns.request(self._begin)

    def _remember(self, reply: events.Reply) -> None:
        if reply.user is not None:
            self.user = str(reply.user)
        if reply.info:
            self.info = Raw(bytes(reply.info))
        if reply.state:
            self._state = Raw(bytes(reply.state))

    async def _join(self, wanted: Join) -> None:
        topic = wanted.topic
        if not topic or len(topic) > MAX_NAME:
            raise BadMessage(f"a topic has 1 to {MAX_NAME} characters: {topic[:MAX_NAME]!r}")
        if topic not in self.topics and len(self.topics) >= self._environment.limits.max_topics:
            raise BadMessage(f"the connection follows {len(self.topics)} topics already (websocket.limits.max_topics)")
        if self.closed_at is not None:
            return
        self.topics[topic] = wanted.envelope
        try:
            await self._follow(topic, wanted)
        finally:
            if self.closed_at is not None:  # meanwhile: what left the topics did not find it there
                await self._leave([topic])

    async def _follow(self, topic: str, wanted: Join) -> None:
        hub = self._environment.hub
        if self._environment.topics.of(topic).presence:
            self._present |= {topic}
            await hub.driver.enter(topic, Member(connection=self.id, user=self.user, info=bytes(self.info)))
        if not wanted.epoch:
            await hub.join(topic, self)
            return
        live: list[Publication] = []
        self._catching_up[topic] = live
        try:
            await hub.join(topic, self)
            missed = await hub.recover(topic, wanted.offset, wanted.epoch)
        finally:
            del self._catching_up[topic]
        self._reached.pop(topic, None)
        for publication in missed.publications:
            self.deliver(publication)
        if missed.publications:
            self._reached[topic] = missed.epoch, missed.publications[-1].offset
        elif missed.epoch == wanted.epoch:
            self._reached[topic] = missed.epoch, wanted.offset
        for publication in live:
            self.deliver(publication)

    async def _leave(self, topics: Sequence[str]) -> None:
        hub = self._environment.hub
        await hub.leave(topics, self)
        for topic in topics:
            if topic in self._present:
                self._present -= {topic}
                try:
                    await hub.driver.leave(topic, self.id)
                except RoadRunnerError as error:
                    self._environment.flood_log.warning(
                        "the end of a presence is not known to other servers", str(error), topic=topic, error=str(error)
                    )

    def _send_to(self, connection: str, outgoing: Outgoing) -> None:
        data, text = outgoing.payload()
        target = self._environment.sessions.get(connection) if connection else self
        if target is not None:
            target.send(OutMessage(data, text=text))

    def _send(self, message: OutMessage) -> bool:
        if self._socket is None or not self._socket.send(message):
            return False
        counters = self._environment.counters
        counters.sent += 1
        counters.sent_bytes += len(message.data)
        return True

    def _spawn(self, work: Any) -> None:
        tasks = self._environment.tasks
        task = asyncio.get_running_loop().create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
