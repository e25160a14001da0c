"""Both ends of the http plugin's application: a pool with scripted responses, and a client that records."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

from pyroadrunner.asgi import ASGIApp, Message, Scope
from pyroadrunner.plugins.http.app import WorkerApp
from pyroadrunner.plugins.http.body.reader import BodyLimits
from pyroadrunner.plugins.http.body.uploads import UploadRules
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.disconnects import PendingCalls
from pyroadrunner.workers.call import OnCancel
from pyroadrunner.workers.payload import Chunk, Codec, Payload, Reply
from support.unused_pool import UnusedPool

JSON = int(Codec.JSON)


def head(status: int = 200, **headers: str | list[str]) -> bytes:
    """A JSON head; ``content_type="x"`` is the header ``Content-Type``."""
    named = {
        name.replace("_", "-").title(): value if isinstance(value, list) else [value] for name, value in headers.items()
    }
    return json.dumps({"status": status, "headers": named}).encode()


def reply(context: bytes = b"", body: bytes = b"", codec: int = JSON) -> Reply:
    """A complete response."""
    return Reply(context, body, codec)


class ScriptedStream:
    """The frames after the first: chunks, or an error instead."""

    def __init__(self, frames: Iterable[Chunk | Exception]) -> None:
        self._frames = list(frames)
        self.dropped = False
        self.ended = False

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self._read()

    async def _read(self) -> AsyncIterator[Chunk]:
        for frame in self._frames:
            if isinstance(frame, Exception):
                self.ended = True
                raise frame
            yield frame
        self.ended = True

    async def abort(self) -> None:
        self.drop()

    def drop(self) -> None:
        if not self.ended:
            self.dropped = True


def streamed(*frames: tuple[bytes, bytes] | Exception) -> Reply:
    """A streamed response: (context, body) of each frame; an exception where the worker fails."""
    chunks = [frame if isinstance(frame, Exception) else Chunk(*frame, JSON) for frame in frames]
    first = chunks[0]
    assert isinstance(first, Chunk)
    return Reply(first.context, first.body, JSON, ScriptedStream(chunks[1:]))


class ScriptedPool(UnusedPool):
    """Returns the same response to every request, or raises it, and keeps the requests."""

    name = "http"

    def __init__(self, answer: Reply | Exception | None = None) -> None:
        self.answer = answer if answer is not None else reply(head(), b"ok")
        self.asked: list[Payload] = []
        self.labels: list[str] = []
        self.destroyed = False

    async def exec(
        self,
        payload: Payload,
        *,
        timeout: float | None = None,
        on_cancel: OnCancel = OnCancel.FINISH,
        describe: Callable[[], str] | None = None,
        priority: int = 0,
    ) -> Reply:
        self.asked.append(payload)
        self.labels.append(describe() if describe is not None else "")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @property
    def context(self) -> dict[str, Any]:
        """The JSON context of the last request."""
        context: dict[str, Any] = json.loads(self.asked[-1].context)
        return context

    async def destroy(self, grace: float) -> None:
        self.destroyed = True


def http_scope(
    method: str = "GET",
    target: str = "/",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    *,
    extensions: Iterable[str] = (),
    **changes: Any,
) -> Scope:
    """An ASGI scope like that of an HTTP/1.1 server."""
    path, _, query = target.partition("?")
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"ex.com"), *((name.lower().encode(), value.encode()) for name, value in pairs)],
        "client": ("192.0.2.1", 4321),
        "server": ("127.0.0.1", 8080),
        "extensions": {name: {} for name in extensions},
        **changes,
    }


class Exchange:
    """One request to an ASGI application, and the messages of the application.

    Attributes:
        messages: in the order sent.
        received: how often the application called ``receive``.
    """

    def __init__(self, scope: Scope, body: Sequence[bytes] = (), *, gone: bool = False) -> None:
        """
        Args:
            body: the pieces of the request's body.
            gone: whether the client disconnects after the last piece instead of ending the body.
        """
        self.scope = scope
        self.messages: list[Message] = []
        self.received = 0
        self._pieces = list(body)
        self._gone = gone

    async def receive(self) -> Message:
        self.received += 1
        if not self._pieces:
            return {"type": "http.disconnect"} if self._gone else {"type": "http.request"}
        piece = self._pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces) or self._gone}

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    def run(self, app: ASGIApp) -> Exchange:
        """Run the application on a new event loop."""

        async def main() -> None:
            await app(self.scope, self.receive, self.send)

        asyncio.run(main())
        return self

    @property
    def status(self) -> int | None:
        """The status sent; ``None`` without a response."""
        return self.messages[0]["status"] if self.messages else None

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name.decode(), value.decode()) for name, value in self.messages[0]["headers"]]

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def ended(self) -> bool:
        """Whether the response is complete."""
        return any(
            message["type"] == "http.response.body" and not message.get("more_body") for message in self.messages
        )


def worker_app(pool: ScriptedPool, config: HttpConfig | None = None, limits: BodyLimits | None = None) -> WorkerApp:
    """The application on a scripted pool."""
    config = config or HttpConfig()
    return WorkerApp(config, pool, UploadRules(config.uploads), PendingCalls(), limits)
