"""Answers handshakes, and keeps the open sessions."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qs

from msgspec import structs

from pyroadrunner.contracts import NoFreeWorker, Payload, PoolClosed, QueueFull, RoadRunnerError
from pyroadrunner.httpd.websocket.contract import Accepted, Handshake, Refused, SocketLimits
from pyroadrunner.plugins.websocket import events
from pyroadrunner.plugins.websocket.config import WebSocketConfig
from pyroadrunner.plugins.websocket.errors import BadMessage
from pyroadrunner.plugins.websocket.origins import Origins
from pyroadrunner.plugins.websocket.session import Environment, Session
from pyroadrunner.plugins.websocket.topics import Topics
from pyroadrunner.plugins.websocket.tracing import Pairs

_TEXT = [(b"content-type", b"text/plain; charset=utf-8")]
_STEP = 0.1  # seconds between two groups of connections that are closed


class Sessions:
    """The WebSocket application of the plugin.

    Attributes:
        limits: of its sockets.
    """

    def __init__(self, config: WebSocketConfig, environment: Environment, topics: Topics) -> None:
        self._environment = environment
        self._topics = topics
        self._draining = False
        self.reconfigure(config)

    def reconfigure(self, config: WebSocketConfig) -> None:
        """Use these settings for new connections."""
        self._environment.limits = config.limits
        self._config = config
        self._origins = Origins(config.allowed_origins)
        limits = config.limits
        self.limits = SocketLimits(
            max_message=limits.max_message_size << 10,
            max_buffer=limits.max_buffer_size << 10,
            drop_oldest=limits.slow_clients == "drop_oldest",
            ping_interval=config.ping_interval,
            ping_timeout=config.ping_timeout,
            compression=config.compression,
        )

    def __repr__(self) -> str:
        return f"Sessions({len(self._environment.sessions)})"

    async def accept(self, handshake: Handshake) -> Accepted | Refused:
        """Decide on a handshake: the limits, the origin, then a worker."""
        environment = self._environment
        most = self._config.limits.max_connections
        if self._draining or (most and len(environment.sessions) >= most):
            return self._try_later("all connections are in use" if not self._draining else "the server stops")
        scope = handshake.scope
        if not self._origins.allow(handshake.headers, secure=scope["scheme"] in ("https", "wss")):
            origin = handshake.headers[b"origin"].decode("latin-1")
            environment.flood_log.warning("refused a page of another origin", origin=origin)
            return _refused(403, "this origin may not connect")
        client = scope.get("client")
        session = Session(secrets.token_urlsafe(15), client[0] if client else "", environment)
        session.trace = environment.tracer.carriers(scope["headers"])
        reply, body = events.NOTHING, b""
        if "connect" in environment.events:
            answer = await self._ask(session, handshake)
            if isinstance(answer, Refused):
                return answer
            reply, body = answer
        public = [topic for topic in _query(scope["query_string"], "topic") if self._topics.of(topic).public]
        if public:
            reply = structs.replace(reply, join=[*reply.join, *public])
        session.begin_with(reply, body)
        return Accepted(
            handler=session,
            limits=self.limits,
            subprotocol=reply.subprotocol if reply.subprotocol in handshake.subprotocols else "",
        )

    async def _ask(self, session: Session, handshake: Handshake) -> tuple[events.Reply, bytes] | Refused:
        """Let a worker decide."""
        tracer, headers = self._environment.tracer, handshake.scope["headers"]
        span = tracer.begin("connect", session.id, session.remote_addr, headers)
        if span is None:
            return await self._exec(session, handshake, headers)
        # Later events belong to the trace of the handshake; without one, to that of this event.
        session.trace = session.trace or span.headers()
        try:
            answer = await self._exec(session, handshake, tracer.replaced(headers, span))
            if isinstance(answer, Refused) and answer.status >= 500:
                span.fail(answer.body.decode("utf-8", "replace").rstrip())
            return answer
        finally:
            span.end()

    async def _exec(
        self, session: Session, handshake: Handshake, headers: Pairs
    ) -> tuple[events.Reply, bytes] | Refused:
        context = events.connect_context(session.id, handshake.scope, handshake.subprotocols, headers)
        pool = self._environment.pool
        assert pool is not None
        try:
            answer = await pool.exec(Payload(context), describe=session.describe)
            if answer.stream is not None:
                answer.stream.drop()
                raise BadMessage("the worker streams its reply, which has no meaning here")
            reply = events.read_reply(answer.context)
        except (QueueFull, NoFreeWorker, PoolClosed) as overload:
            self._environment.flood_log.warning("handshake failed", str(overload), error=str(overload))
            return self._try_later("the server is overloaded")
        except RoadRunnerError as error:
            self._environment.counters.failed += 1
            self._environment.flood_log.error(
                "event failed", str(error), event="connect", connection=session.id, error=str(error)
            )
            return _refused(500, "the handshake could not be handled")
        if reply.accept:
            return reply, answer.body
        own = [
            (name.encode(), value.encode())
            for name, values in reply.headers.items()
            for value in ([values] if isinstance(values, str) else values)
        ]
        status = reply.status if 300 <= reply.status <= 599 else 403
        return Refused(status=status, headers=own or _TEXT, body=answer.body)

    def _try_later(self, why: str) -> Refused:
        """503; the refused clients are asked to come back at different times."""
        seconds = random.randint(1, max(1, round(self._config.drain_timeout)))
        refused = _refused(503, why)
        return replace(refused, headers=[*refused.headers, (b"retry-after", b"%d" % seconds)])

    def tick(self, now: float) -> None:
        """Look after silent clients; call it about once a second."""
        for session in list(self._environment.sessions.values()):
            session.tick(now)

    def refuse(self) -> None:
        """Open no more connections."""
        self._draining = True

    async def drain(self, seconds: float, more: Sequence[Callable[[], None]] = ()) -> None:
        """Close all connections, a few at a time over ``seconds``.

        Args:
            more: functions that close other connections.
        """
        self.refuse()
        most = max(1, int(seconds * 1000))
        sessions = list(self._environment.sessions.values())
        closing: list[Callable[[], None]] = [
            *more,
            *(partial(session.restart, random.randint(1, most)) for session in sessions),
        ]
        random.shuffle(closing)  # or those that came first would always have to leave first
        steps = max(1, int(seconds / _STEP)) if len(closing) > 1 else 1
        group = max(1, -(-len(closing) // steps))
        began = self._environment.clock()
        for number, start in enumerate(range(0, len(closing), group)):
            if number:  # by the clock: on a busy machine each sleep takes longer, and the sum would exceed `seconds`
                await asyncio.sleep(max(0.0, began + number * _STEP - self._environment.clock()))
            for close in closing[start : start + group]:
                close()


def _query(query: bytes, name: str) -> list[str]:
    if b"=" not in query:
        return []
    try:
        return parse_qs(query.decode(), max_num_fields=100).get(name, [])
    except (ValueError, UnicodeDecodeError):
        return []


def _refused(status: int, why: str) -> Refused:
    return Refused(status=status, headers=_TEXT, body=f"{why}\n".encode())
