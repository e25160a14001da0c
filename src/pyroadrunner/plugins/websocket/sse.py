"""Topics as Server-Sent Events: ``GET /sse?topic=NAME``. For pages that only listen, and only to public topics."""

from __future__ import annotations

import asyncio
import random
import re
import secrets
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from urllib.parse import parse_qsl

from pyroadrunner.asgi import CLIENT, PEER, Receive, Scope, Send
from pyroadrunner.contracts import Log, RoadRunnerError
from pyroadrunner.httpd.event_streams import Connection, tick_all
from pyroadrunner.httpd.flood_log import FloodLog
from pyroadrunner.plugins.websocket.config import WebSocketConfig
from pyroadrunner.plugins.websocket.hub import Hub
from pyroadrunner.plugins.websocket.origins import Origins
from pyroadrunner.plugins.websocket.publication import Publication
from pyroadrunner.plugins.websocket.topics import MAX_NAME, Topics

HEARTBEAT = 30.0  # seconds of silence before a comment
WRITE_TIMEOUT = 30.0  # seconds that one write may take
_COMMENT = b":\n"
_LINES = re.compile(r"\r\n|\r|\n")
_JOINED = 1 << 16  # bytes that are sent together
_LAST_ID = ("lastEventID", "Last-Event-ID", "last_event_id")

log = Log("websocket")
flood_log = FloodLog(log, monotonic)


class SseEndpoint:
    """An ASGI application.

    Args:
        clock: seconds, monotonic.

    Attributes:
        streams: that are open.
        opened, dropped: how many there were, and events that were not sent to slow clients.
    """

    def __init__(self, config: WebSocketConfig, hub: Hub, topics: Topics, clock: Callable[[], float]) -> None:
        self._hub = hub
        self._topics = topics
        self.reconfigure(config)
        self._clock = clock
        self._draining = False
        self.streams: set[SseStream] = set()
        self.opened = 0
        self.dropped = 0

    def __repr__(self) -> str:
        return f"SseEndpoint({len(self.streams)})"

    def reconfigure(self, config: WebSocketConfig) -> None:
        """Use these settings for new streams."""
        self._config = config
        self._origins = Origins(config.allowed_origins)

    def tick(self, now: float) -> None:
        """Look after the streams; call it about once a second."""
        tick_all(self.streams, now)

    def drain(self) -> None:
        """End all streams; each client is told to come back after a time of its own."""
        self._draining = True
        for stream in self.streams:
            stream.end(self._come_back())

    def abort(self) -> None:
        """Cut the streams that are left."""
        for stream in list(self.streams):
            stream.cut()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close"})
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        query = _query(scope["query_string"])
        topics = list(dict.fromkeys(value for name, value in query if name == "topic"))
        refusal = self._refusal(scope, headers, topics)
        origin = headers.get(b"origin")
        shared = [(b"vary", b"Origin")]
        if origin is not None and not (refusal and refusal[0] == 403):
            shared += [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
        if refusal is not None:
            status, text = refusal
            body = f"{text}\n".encode()
            plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": status, "headers": [*shared, *plain]})
            await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})
            return
        start = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-cache, no-store"),
            (b"x-accel-buffering", b"no"),
            *shared,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body"})
        elif self._draining:
            await send({"type": "http.response.body", "body": _COMMENT + self._come_back()})
        else:
            await self._stream(scope, receive, send, topics, _last_id(headers, query))

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes], topics: Sequence[str]) -> tuple[int, str] | None:
        limits = self._config.limits
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "only GET is possible here"
        if not self._origins.allow(headers, secure=scope["scheme"] == "https"):
            return 403, "this origin may not connect"
        if not topics or not all(0 < len(topic) <= MAX_NAME for topic in topics):
            return 400, "name a topic: ?topic=NAME"
        if len(topics) > limits.max_topics:
            return 400, f"a client follows at most {limits.max_topics} topics"
        if not all(self._topics.of(topic).public for topic in topics):
            return 403, "this topic is not public"
        if limits.max_connections and len(self.streams) >= limits.max_connections:
            return 503, "all connections are in use"
        return None

    async def _stream(self, scope: Scope, receive: Receive, send: Send, topics: Sequence[str], last_id: str) -> None:
        connection = scope.get(PEER, scope.get("client")) or ()
        stream = SseStream(topics, self._config.limits.max_buffer_size << 10, self._clock, connection)
        client = scope.get(CLIENT)
        watching: asyncio.Task[None] | None = None
        if client is not None:
            client.on_left = lambda gone: stream.cut()
        else:
            watching = asyncio.get_running_loop().create_task(_watch(receive, stream), name="sse client")
        self.streams.add(stream)
        self.opened += 1
        try:
            await self._join(stream, topics, last_id)
            if self._draining:
                stream.end(self._come_back())
            await stream.run(send)
        except ConnectionError:
            pass  # the client has left
        except RoadRunnerError as error:
            flood_log.error("a topic can't be followed; the client has to come back", error=str(error))
        finally:
            self.streams.discard(stream)
            self.dropped += stream.dropped
            if stream.slow:
                flood_log.warning("an event stream was cut: the client reads too slowly", connection=stream.id)
                if client is not None:
                    client.cut()
            if watching is not None:
                watching.cancel()
            await self._hub.leave(topics, stream)

    async def _join(self, stream: SseStream, topics: Sequence[str], last_id: str) -> None:
        """Follow the topics, with what the client has missed."""
        positions = _positions(last_id)
        for number, topic in enumerate(topics):
            await self._hub.join(topic, stream)
            if number < len(positions) and positions[number][0]:
                epoch, offset = positions[number]
                missed = await self._hub.recover(topic, offset, epoch)
                stream.catch_up(topic, missed.publications, missed.offset, missed.epoch)
        stream.begin()

    def _come_back(self) -> bytes:
        return b"retry: %d\n\n" % random.randint(1, max(1, int(self._config.drain_timeout * 1000)))


class SseStream:
    """One client: a follower of the hub. What it does not read in time waits, up to ``max_buffer`` bytes; then it is
    cut, and comes back with the position of its last event.

    Attributes:
        connection: address and port of its peer; empty = unknown.
        dropped: events that were not sent.
        slow: whether it was cut since it reads too slowly.
    """

    def __init__(
        self, topics: Sequence[str], max_buffer: int, clock: Callable[[], float], connection: Connection = ()
    ) -> None:
        self.connection = connection
        self.id = f"sse-{secrets.token_urlsafe(12)}"
        self._positions = dict.fromkeys(topics, ("", 0))
        self._max_buffer = max_buffer
        self._clock = clock
        self._held: list[Publication] | None = []  # until the history is read
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._sending_since = 0.0
        self._silent_since = clock()
        self._farewell: bytes | None = None
        self._cut = False
        self.slow = False
        self.dropped = 0

    def __repr__(self) -> str:
        return f"SseStream({self.id}, queued={len(self._queue)})"

    def deliver(self, publication: Publication) -> bool:
        if self._cut or self._farewell is not None:
            return False
        if self._held is not None:
            self._held.append(publication)
            return True
        epoch, offset = self._positions[publication.topic]
        if publication.offset:
            if publication.epoch == epoch and publication.offset <= offset:
                return True  # the history had it
            self._positions[publication.topic] = publication.epoch, publication.offset
        frame = self._frame(publication)
        self._queue.append(frame)
        self._queued += len(frame)
        if self._queued > self._max_buffer:
            self.dropped = len(self._queue)
            self._give_up()
        self._wake.set()
        return True

    def catch_up(self, topic: str, missed: Sequence[Publication], offset: int, epoch: str) -> None:
        """Add the history of a topic; ``offset`` and ``epoch`` are the position behind it."""
        held, self._held = self._held, None
        for publication in missed:
            self.deliver(publication)
        if epoch:
            self._positions[topic] = epoch, offset
        self._held = held

    def begin(self) -> None:
        """The histories are complete: go on with what was published meanwhile."""
        held, self._held = self._held or (), None
        for publication in held:
            self.deliver(publication)

    def blocked(self, now: float) -> float:
        since = self._sending_since
        return now - since if since and now - since >= WRITE_TIMEOUT else 0.0

    def tick(self, now: float) -> None:
        if self._sending_since:
            if self.blocked(now):
                self._give_up()
        elif not self._queue and now - self._silent_since >= HEARTBEAT:
            self._silent_since = now
            self._queue.append(_COMMENT)
            self._queued += len(_COMMENT)
            self._wake.set()

    def end(self, farewell: bytes) -> None:
        """Send what waits, then ``farewell``, and end the stream. Idempotent."""
        if self._farewell is None:
            self._farewell = farewell
            self._wake.set()

    def cut(self) -> None:
        """End the stream without waiting for the client. Idempotent."""
        if not self._cut:
            self._cut = True
            self._queue.clear()
            self._wake.set()
            if self._sending_since and self._task is not None:
                self._task.cancel()

    async def run(self, send: Send) -> None:
        """Send events until the stream ends. The response has started."""
        self._task = asyncio.current_task()
        try:
            if not self._cut:
                await self._send(send, _COMMENT)
            while not self._cut:
                while self._queue and not self._cut:
                    await self._send(send, self._next())
                if self._farewell is not None:
                    break
                self._wake.clear()
                await self._wake.wait()
            if not self._cut:
                await self._send(send, self._farewell or b"", more=False)
        except asyncio.CancelledError:
            if not self._cut or (self._task is not None and self._task.uncancel() > 0):
                raise
        finally:
            self._task = None

    def _give_up(self) -> None:
        self.slow = True
        self.cut()

    async def _send(self, send: Send, data: bytes, *, more: bool = True) -> None:
        self._sending_since = self._clock()
        try:
            await send({"type": "http.response.body", "body": data, "more_body": more})
        finally:
            self._sending_since = 0.0
        self._silent_since = self._clock()

    def _next(self) -> bytes:
        pieces = [self._queue.popleft()]
        size = len(pieces[0])
        while self._queue and size + len(self._queue[0]) <= _JOINED:
            pieces.append(self._queue.popleft())
            size += len(pieces[-1])
        self._queued -= size
        return b"".join(pieces)

    def _frame(self, publication: Publication) -> bytes:
        """One topic: the payload alone, a binary one in base64. Several: a JSON object that names the topic, too."""
        lines = []
        positions = self._positions.values()
        if any(epoch for epoch, _ in positions):
            lines.append("id: " + ",".join(f"{epoch}:{offset}" if epoch else "" for epoch, offset in positions))
        if len(self._positions) > 1:
            text = publication.message(envelope=True).data.decode()
        elif publication.text:
            text = publication.data.decode()
        else:
            lines.append("event: binary")
            text = b64encode(publication.data).decode()
        lines += [f"data: {line}" for line in _LINES.split(text)]
        return ("\n".join(lines) + "\n\n").encode()


async def _watch(receive: Receive, stream: SseStream) -> None:
    """Notice when the client of a server without ``CLIENT`` leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.cut()


def _query(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=200)
    except ValueError:
        return []


def _last_id(headers: dict[bytes, bytes], query: Sequence[tuple[str, str]]) -> str:
    found = headers.get(b"last-event-id", b"").decode("utf-8", "replace")
    return found or next((value for name, value in query if name in _LAST_ID), "")


def _positions(last_id: str) -> list[tuple[str, int]]:
    """Epoch and offset of each topic, in the order of the query."""
    found = []
    for part in last_id.split(","):
        epoch, _, offset = part.rpartition(":")
        valid = offset.isascii() and offset.isdigit() and len(offset) < 20
        found.append((epoch, int(offset)) if valid else ("", 0))
    return found
