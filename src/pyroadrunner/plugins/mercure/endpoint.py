"""The ASGI application at the path of the hub."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from pyroadrunner.asgi import CLIENT, PEER, Message, Receive, Scope, Send
from pyroadrunner.contracts import Log
from pyroadrunner.httpd.event_streams import tick_all
from pyroadrunner.httpd.flood_log import FloodLog
from pyroadrunner.plugins.mercure import documents
from pyroadrunner.plugins.mercure.config import MercureConfig
from pyroadrunner.plugins.mercure.credentials import MODERN_COOKIE, find, from_allowed_page
from pyroadrunner.plugins.mercure.errors import BadToken, BadUpdate
from pyroadrunner.plugins.mercure.grants import NOTHING, Grant
from pyroadrunner.plugins.mercure.hub import Hub
from pyroadrunner.plugins.mercure.ids import new_id, new_subscriber
from pyroadrunner.plugins.mercure.origins import Origins
from pyroadrunner.plugins.mercure.publication import retry_of
from pyroadrunner.plugins.mercure.publisher import Publisher
from pyroadrunner.plugins.mercure.request import BadRequest, Query, last_id_of, read_query, selectors_of
from pyroadrunner.plugins.mercure.responses import STREAM, TEXT, Challenges, Cors, Pairs, Refused, Response, metadata
from pyroadrunner.plugins.mercure.selectors import Selector
from pyroadrunner.plugins.mercure.stores.contract import Subscription
from pyroadrunner.plugins.mercure.stream import COMMENT, Stream, StreamLimits
from pyroadrunner.plugins.mercure.tokens import Verifier
from pyroadrunner.plugins.mercure.update import EARLIEST, Update
from pyroadrunner.remote.errors import StoreError

METADATA = "/.well-known/oauth-protected-resource"
_FORM = b"application/x-www-form-urlencoded"
_SHORTEST_LIFE = 0.8  # of a connection

log = Log("mercure")


class Endpoint:
    """Answers requests for the hub, its subscriptions and its metadata.

    Args:
        publishers, subscribers: verify tokens.
        clock: seconds, monotonic.

    Attributes:
        streams: the open streams, by the id of the subscriber.
        refused: requests with a token that is not valid, or without one.
        ended: streams that have ended, by reason: ``left``, ``slow``, ``expired``, ``drained``.
    """

    def __init__(
        self,
        config: MercureConfig,
        hub: Hub,
        publisher: Publisher,
        publishers: Verifier,
        subscribers: Verifier,
        clock: Callable[[], float],
    ) -> None:
        self._hub = hub
        self._publisher = publisher
        self._clock = clock
        self._challenges = Challenges(METADATA + config.path)
        self.reconfigure(config, publishers, subscribers)
        self._announcing: set[asyncio.Task[None]] = set()
        self._draining = False
        self._flood_log = FloodLog(log, clock)
        self.streams: dict[str, Stream] = {}
        self.refused = 0
        self.ended: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Endpoint({self._config.path}, streams={len(self.streams)})"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close"})
            return
        cors = self._cors.headers(scope["headers"])
        try:
            response = await self._answer(scope, receive, send, cors)
        except Refused as refused:
            response = refused.response
            self.refused += response.status in (401, 403)
        except StoreError as error:
            log.debug("a request failed", method=scope["method"], path=scope["path"], error=str(error))
            unavailable = (*TEXT, (b"retry-after", b"1"))
            response = Response(status=503, headers=unavailable, body=b"The hub can't reach its store\n")
        if response is not None:
            length = (b"content-length", b"%d" % len(response.body))
            headers = [*response.headers, *cors, *([length] if response.status not in (204, 304) else [])]
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            await send({"type": "http.response.body", "body": response.body if scope["method"] != "HEAD" else b""})

    # -- for the plugin ----------------------------------------------------------------------------------------------

    def reconfigure(self, config: MercureConfig, publishers: Verifier, subscribers: Verifier) -> None:
        """Use these settings and keys for new requests."""
        self._config = config
        self._publishers = publishers
        self._subscribers = subscribers
        self._publish_origins = Origins(config.publish_origins)
        self._cors = Cors(Origins(config.cors_origins))
        self._limits = StreamLimits(
            queue=config.max_queue,
            queue_bytes=config.max_buffer_size << 10,
            heartbeat=config.heartbeat,
            dispatch_timeout=config.dispatch_timeout,
        )

    def tick(self, now: float) -> None:
        """Look after the streams; call it about once a second."""
        tick_all(self.streams.values(), now)

    def drain(self) -> None:
        """End all streams; each client is told to come back after a time of its own."""
        self._draining = True
        for stream in self.streams.values():
            stream.end("drained", self._come_back())

    async def close(self) -> None:
        """Cut the streams that are left, and publish that their subscriptions have ended."""
        for stream in list(self.streams.values()):
            stream.abandon()
        while self.streams or self._announcing:
            if self._announcing:
                await asyncio.wait(self._announcing)
            else:
                await asyncio.sleep(0.01)

    # -- private -----------------------------------------------------------------------------------------------------

    async def _answer(self, scope: Scope, receive: Receive, send: Send, cors: Pairs) -> Response | None:
        method: str = scope["method"]
        hub = self._config.path
        if method == "OPTIONS":
            preflight = self._cors.preflight(scope["headers"])
            return Response(status=204, headers=[one for one in preflight.headers if one not in cors])
        path: str = scope["path"]
        if path == METADATA + hub:
            return self._metadata(scope)
        rest = scope["raw_path"].decode("latin-1").partition("/subscriptions")[2] if path != hub else ""
        if path == hub:
            if method == "POST":
                return await self._publish(scope, receive)
            if method in ("GET", "HEAD"):
                return await self._subscribe(scope, receive, send, cors)
        elif self._config.subscriptions and path.startswith(f"{hub}/subscriptions") and rest[:1] in ("", "/"):
            if method in ("GET", "HEAD"):
                return await self._subscriptions(scope, rest)
        else:
            raise Refused(404, "Not Found")
        raise Refused(405, "Method Not Allowed", [(b"allow", b"GET, HEAD, POST, OPTIONS")])

    async def _publish(self, scope: Scope, receive: Receive) -> Response:
        grant = self._grant(scope, read_query_of(scope, 100), self._publishers)
        if grant is None:
            raise self._challenges.missing()
        headers = dict(scope["headers"])
        try:
            if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != _FORM:
                raise BadUpdate('Missing "topic" parameter')
            body = await _read(receive, self._config.max_request_body_size << 10)
            rules = self._publisher.rules
            topics, data, private, identity, kind, retry = rules.read_form(body)
            rules.check(topics, identity, kind, modern=grant.modern)
            milliseconds = retry_of(retry)
        except BadUpdate as wrong:
            raise Refused(wrong.status, str(wrong)) from wrong
        matches = self._hub.matcher.matches
        if not all(any(matches(selector, topic) for selector in grant.publish) for topic in topics):
            raise self._challenges.insufficient(modern=grant.modern)
        identity = await self._publisher.publish(
            topics, data, private=private, identity=identity, kind=kind, retry=milliseconds, modern=grant.modern
        )
        return Response(status=200, body=identity.encode())

    async def _subscribe(self, scope: Scope, receive: Receive, send: Send, cors: Pairs) -> Response | None:
        config, hub = self._config, self._hub
        query = read_query_of(scope, config.max_topics + 100)
        grant = self._grant(scope, query, self._subscribers)
        if grant is None and not config.anonymous:
            raise self._challenges.missing()
        try:
            selectors = selectors_of(query, hub.matcher, config.max_topics)
        except BadRequest as wrong:
            raise Refused(400, str(wrong)) from wrong
        headers = [*STREAM, *cors]
        start: Message = {"type": "http.response.start", "status": 200, "headers": headers}
        if self._draining:
            await self._send_away(send, start)
            return None
        if config.max_subscribers and len(self.streams) >= config.max_subscribers:
            raise Refused(503, "All connections are in use", [(b"retry-after", b"5")])
        try:
            after, answer = await self._resolve(last_id_of(query, scope["headers"]))
        except StoreError:
            await self._send_away(send, start)
            return None
        if answer:
            value = answer.encode()
            headers += [(b"last-event-id", value), (b"mercure-last-event-id", value)]
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body"})
            return None
        grant = grant or NOTHING
        identity = new_subscriber()
        if not config.subscriptions:
            await self._stream(scope, receive, send, start, identity, selectors, grant, after)
            return None
        shown = documents.subscriptions_of(config.path, identity, selectors, grant, hub.matcher)
        try:
            if hub.store.error:  # do not let the subscriber wait for a server that does not answer
                self._later(self._enter(shown))
            else:
                await self._enter(shown)
            await self._stream(scope, receive, send, start, identity, selectors, grant, after)
        finally:
            self._later(self._leave(shown))
        return None

    async def _stream(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        start: Message,
        identity: str,
        selectors: Sequence[Selector],
        grant: Grant,
        after: int | None,
    ) -> None:
        """Send updates until the stream ends."""
        hub, client = self._hub, scope.get("client")
        stream = Stream(
            identity,
            selectors,
            grant,
            hub,
            self._limits,
            after=after,
            deadline=self._deadline(grant),
            clock=self._clock,
            remote_addr=client[0] if client else "",
            connection=scope.get(PEER, client) or (),
        )
        watching = _watch(scope, receive, stream)
        self.streams[identity] = stream
        hub.add(stream)
        if self._draining:
            stream.end("drained", self._come_back())
        try:
            await send(start)
            await stream.run(send)
        except ConnectionError:
            pass  # the client has left
        except StoreError as error:
            log.debug("the history can't be read; the subscriber has to come back", error=str(error))
        finally:
            if watching is not None:
                watching.cancel()
            hub.remove(stream)
            del self.streams[identity]
            why = stream.ended or "left"
            self.ended[why] = self.ended.get(why, 0) + 1
            if why == "slow":
                self._flood_log.warning("a subscriber was cut: it reads too slowly", subscriber=identity)
                if CLIENT in scope:
                    scope[CLIENT].cut()

    async def _send_away(self, send: Send, start: Message) -> None:
        """An empty stream: an ``EventSource`` comes back after it, but gives up for good after an error."""
        await send(start)
        await send({"type": "http.response.body", "body": COMMENT + self._come_back()})

    async def _resolve(self, last_id: str) -> tuple[int | None, str]:
        """Where a stream begins, and what the response says of it."""
        if not last_id:
            return None, ""
        if last_id == EARLIEST:
            return 0, EARLIEST
        found = await self._hub.store.find(last_id)
        if found is not None:
            return found, last_id
        return (0 if self._config.history.replay_unknown else None), EARLIEST

    async def _subscriptions(self, scope: Scope, rest: str) -> Response:
        """The API of subscriptions."""
        grant = self._grant(scope, read_query_of(scope, 100), self._subscribers)
        if grant is None:
            raise self._challenges.missing()
        path = scope["raw_path"].decode("latin-1")
        if not self._hub.matcher.any_matches(grant.subscribe, [path]):
            raise self._challenges.insufficient(modern=grant.modern)
        store = self._hub.store
        wanted = documents.Wanted(rest)
        modern = bool(wanted.kind) or (grant.modern and wanted.text is None)
        last_id = await store.last_id()
        found = [one for one in await store.subscriptions() if wanted.has(one)] if wanted.valid else []
        if wanted.single:
            if not found:
                raise Refused(404, "Not Found")
            document = documents.describe(found[0], active=True)
        elif not wanted.valid:
            raise Refused(404, "Not Found")
        else:
            document = documents.collection(path, found, last_id, modern=modern)
        etag = f'"{last_id}"' if modern else last_id
        headers: list[tuple[bytes, bytes]] = [
            (b"content-type", b"application/json" if modern else b"application/ld+json"),
            (b"cache-control", b"private, must-revalidate"),
            (b"etag", etag.encode()),
        ]
        if modern:
            link = f'<{self._config.path}>; rel="mercure"; last-event-id="{last_id}"'
            headers.append((b"link", f'{link}; type="mercure"; content-type="application/json"'.encode()))
        if etag.encode() in (value for name, value in scope["headers"] if name == b"if-none-match"):
            return Response(status=304, headers=headers)
        return Response(status=200, headers=headers, body=documents.encode(document))

    def _metadata(self, scope: Scope) -> Response:
        config = self._config
        host = dict(scope["headers"]).get(b"host", b"localhost").decode("latin-1")
        resource = config.resource_identifier or config.public_url or f"{scope['scheme']}://{host}{config.path}"
        document = metadata(resource, MODERN_COOKIE, subscriptions=config.subscriptions)
        return Response(
            status=200, headers=[(b"content-type", b"application/json")], body=msgspec.json.encode(document)
        )

    def _grant(self, scope: Scope, query: Query, verifier: Verifier) -> Grant | None:
        """The rights of the request's token; ``None`` = it has no token.

        Raises:
            Refused: the token is not valid.
        """
        headers = scope["headers"]
        try:
            presented = find(headers, query, self._config.cookie_name)
            if presented is None:
                return None
            publishes = presented.place == "cookie" and scope["method"] == "POST"
            if publishes and not from_allowed_page(headers, self._publish_origins):
                raise BadToken("the page that sent it is not in publish_origins")
            grant = verifier.verify(presented.token)
            if grant.modern and presented.place == "query":
                raise BadToken("Mercure 1.0 permits no token in the query")
        except BadToken as wrong:
            log.debug("refused a token", method=scope["method"], reason=str(wrong))
            raise self._challenges.invalid() from wrong
        return grant

    def _deadline(self, grant: Grant) -> float:
        """When a stream ends: earlier than it must, so that not all clients come back at once."""
        lives = [self._config.write_timeout] if self._config.write_timeout else []
        if grant.expires:
            lives.append(max(0.0, grant.expires - time.time()))
        if not lives:
            return 0.0
        return self._clock() + min(lives) * random.uniform(_SHORTEST_LIFE, 1.0)

    def _come_back(self) -> bytes:
        return b"retry: %d\n\n" % random.randint(1, max(1, int(self._config.drain_retry * 1000)))

    async def _announce(self, subscriptions: list[Subscription], *, active: bool) -> None:
        """Publish subscriptions as updates."""
        for one in subscriptions:
            data = documents.encode(documents.describe(one, active=active)).decode()
            kind = "" if one.kind == "topic" else "mercure"
            update = Update([one.id], data, identity=new_id(), private=True, kind=kind)
            with contextlib.suppress(StoreError):  # the publisher has logged it
                await self._publisher.publish_checked(update)

    async def _enter(self, subscriptions: list[Subscription]) -> None:
        await self._hub.store.register(subscriptions)
        await self._announce(subscriptions, active=True)

    async def _leave(self, subscriptions: list[Subscription]) -> None:
        await self._hub.store.unregister(subscriptions)
        await self._announce(subscriptions, active=False)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="mercure subscription")
        self._announcing.add(task)
        task.add_done_callback(self._announcing.discard)


def read_query_of(scope: Scope, most: int) -> Query:
    """The query of a request.

    Raises:
        Refused
    """
    try:
        return read_query(scope["query_string"], most)
    except BadRequest as wrong:
        raise Refused(400, str(wrong)) from wrong


def _watch(scope: Scope, receive: Receive, stream: Stream) -> asyncio.Task[None] | None:
    """Notice when the client leaves: our own HTTP/1 server calls, others are asked in a task."""
    client = scope.get(CLIENT)
    if client is not None:
        client.on_left = lambda gone: stream.abandon()
        return None

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        stream.abandon()

    return asyncio.get_running_loop().create_task(watch(), name="mercure client")


async def _read(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client has disconnected")
        body += message.get("body", b"")
        if len(body) > most:
            raise Refused(413, f"The body has more than {most >> 10} KB")
        if not message.get("more_body", False):
            return bytes(body)
