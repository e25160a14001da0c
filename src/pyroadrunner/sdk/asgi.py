"""Serve an ASGI application (FastAPI, Starlette, Django ...) in a worker.

A whole worker, with ``http.raw_body: true`` in ``.rr.yaml``::

    from pyroadrunner.sdk import asgi

    asgi.serve("app:app")

A worker answers one request at a time, on one event loop that lives as long as the worker: background tasks run while
it answers. WebSockets are not for workers: see the section ``websocket``.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from pyroadrunner.goridge.errors import RelayClosed
from pyroadrunner.sdk.application import loaded, refuse_parsed
from pyroadrunner.sdk.http import HttpWorker, Request

Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

_VERSION = {"version": "3.0", "spec_version": "2.4"}
_STARTUP_LIMIT = 50.0  # seconds; the server waits a minute for a worker


def serve(application: Application | str, worker: HttpWorker | None = None) -> None:
    """Serve requests until the server stops the worker.

    Args:
        application: the application, or where it is: ``package.module:name``. It is then imported after the worker has
            taken over the output, so that it may print.
        worker: the source of the requests; ``None`` = the server that started this process.

    Raises:
        ImportError, AttributeError: there is no such application.
        RuntimeError: its startup failed.
    """
    worker = worker or HttpWorker.create()
    app: Application = loaded(application)
    with asyncio.Runner() as runner:
        lifespan = _Lifespan(app)
        runner.run(lifespan.start())
        try:
            while (request := worker.receive()) is not None:
                _serve_one(_Call(app, request, lifespan.state, runner), worker)
        except RelayClosed:
            pass  # the server exited without a stop
        finally:
            runner.run(lifespan.stop())


def _serve_one(call: _Call, worker: HttpWorker) -> None:
    try:
        call.respond(worker)
    except RelayClosed:
        raise
    except Exception:  # of the application: one request fails, the worker keeps running
        worker.error(traceback.format_exc())
    finally:
        call.finish()


def scope_of(request: Request, state: dict[str, Any]) -> dict[str, Any]:
    """The scope of a request."""
    uri = urlsplit(request.uri)
    headers = [
        (name.lower().encode("latin-1", "replace"), value.encode("utf-8", "surrogatepass"))
        for name, values in request.headers.items()
        for value in values
        if name.lower() != "host"
    ]
    return {
        "type": "http",
        "asgi": _VERSION,
        "http_version": request.protocol.removeprefix("HTTP/").removesuffix(".0") or "1.1",
        "method": request.method.upper(),
        "scheme": uri.scheme or "http",
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1", "replace"),
        "query_string": request.raw_query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": [(b"host", uri.netloc.encode("latin-1", "replace")), *headers],
        "client": (request.remote_addr, 0),
        "server": (uri.hostname or "localhost", uri.port or (443 if uri.scheme == "https" else 80)),
        "state": dict(state),
    }


class _Call:
    """One request on its way through the application."""

    def __init__(self, app: Application, request: Request, state: dict[str, Any], runner: asyncio.Runner) -> None:
        self._app = app
        self._request = request
        self._runner = runner
        self._state = state
        self._sent: asyncio.Queue[Message | BaseException | None] = asyncio.Queue(maxsize=1)
        self._over = asyncio.Event()
        self._body_read = False
        self._task: asyncio.Task[None] | None = None

    def respond(self, worker: HttpWorker) -> None:
        """Run the application until its response is complete.

        Raises:
            Exception: that of the application, before or during its response.
        """
        refuse_parsed(self._request)
        start = self._event(begin=True)
        if start is None or start["type"] != "http.response.start":
            raise RuntimeError("the application returned without a response")
        headers: dict[str, list[str]] = {}
        for name, value in start.get("headers", ()):
            text = bytes(value).decode("utf-8", "surrogateescape")
            headers.setdefault(bytes(name).decode("latin-1"), []).append(text)
        first = self._event()
        if first is None:
            raise RuntimeError("the application returned before its response was complete")
        if not first.get("more_body"):
            worker.respond(start["status"], bytes(first.get("body", b"")), headers)
        else:
            worker.respond(start["status"], self._pieces(first), headers)

    def finish(self) -> None:
        """Wait for what the application does after its response, such as background tasks."""
        self._over.set()
        if self._task is not None:
            self._runner.run(self._rest(self._task))

    def _pieces(self, event: Message | None) -> Iterator[bytes]:
        while event is not None:
            yield bytes(event.get("body", b""))
            event = self._event() if event.get("more_body") else None

    def _event(self, *, begin: bool = False) -> Message | None:
        """The next message; ``None`` if the application has returned."""
        event = self._runner.run(self._next(begin=begin))
        if isinstance(event, BaseException):
            raise event
        return event

    async def _next(self, *, begin: bool) -> Message | BaseException | None:
        if begin:
            self._task = asyncio.create_task(self._run())
        return await self._sent.get()

    async def _run(self) -> None:
        try:
            await self._app(scope_of(self._request, self._state), self._receive, self._send)
        except Exception as wrong:
            await self._put(wrong)
            if self._over.is_set():  # after the response: the server has its status already
                print(traceback.format_exc(), file=sys.stderr, flush=True)
        else:
            await self._put(None)

    async def _receive(self) -> Message:
        if not self._body_read:
            self._body_read = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._over.is_set():
            raise OSError("the response is complete, or the client has disconnected")
        await self._put(message)

    async def _put(self, item: Message | BaseException | None) -> None:
        """Hand an item over; after the response it is dropped."""
        put = asyncio.ensure_future(self._sent.put(item))
        over = asyncio.ensure_future(self._over.wait())
        await asyncio.wait({put, over}, return_when=asyncio.FIRST_COMPLETED)
        for one in (put, over):
            one.cancel()

    async def _rest(self, task: asyncio.Task[None]) -> None:
        await asyncio.wait({task})


class _Lifespan:
    """The startup and the shutdown of the application."""

    def __init__(self, app: Application) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run the startup; an application without lifespan has none.

        Raises:
            RuntimeError: the application reports a failure.
        """
        self._to_app.put_nowait({"type": "lifespan.startup"})
        scope = {"type": "lifespan", "asgi": _VERSION, "state": self.state}
        self._task = asyncio.create_task(self._run(scope))
        answer = await self._answer()
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            raise RuntimeError(f"the startup of the application failed: {answer.get('message', '')}")

    async def stop(self) -> None:
        """Run the shutdown."""
        if self._task is None or self._task.done():
            return
        self._to_app.put_nowait({"type": "lifespan.shutdown"})
        await self._answer()

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self._app(scope, self._to_app.get, self._from_app.put)
        except Exception:  # the application does not know this type of scope
            pass

    async def _answer(self) -> Message | None:
        assert self._task is not None
        get = asyncio.ensure_future(self._from_app.get())
        await asyncio.wait({get, self._task}, return_when=asyncio.FIRST_COMPLETED, timeout=_STARTUP_LIMIT)
        if get.done():
            return get.result()
        get.cancel()
        return None
