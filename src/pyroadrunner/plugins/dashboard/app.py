"""The ASGI application: the page, its files, and the API that it uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from pyroadrunner.asgi import Receive, Scope, Send
from pyroadrunner.contracts import Log, RoadRunnerError
from pyroadrunner.plugins.dashboard.assets import PUBLIC, Asset
from pyroadrunner.plugins.dashboard.guard import Caller, Guard, Refused, client_of
from pyroadrunner.plugins.dashboard.log_tail import LEVELS, LogFilter, LogTail
from pyroadrunner.plugins.dashboard.streams import HEARTBEAT, event
from pyroadrunner.plugins.dashboard.views.catalogue import Catalogue, NoSuchPage, encode

_MOST_BODY = 64 << 10  # bytes
_MOST_STREAMS = 64
_LINES = 200  # of the log in one event; a browser can't show more of them in a second
_LONGEST = 1000  # characters of a name or a row
_JSON = "application/json"
_CLOSING = "the dashboard closes"  # the message with which streams are cancelled
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

log = Log("dashboard")


class SignIn(msgspec.Struct, kw_only=True):
    """The body of ``/api/login``: the token, or name and password."""

    token: str = ""
    name: str = ""
    password: str = ""


class ActionRequest(msgspec.Struct, kw_only=True):
    """The body of ``/api/action``."""

    page: str
    action: str
    row: str = ""


class DashboardApp:
    """Serves the dashboard.

    Args:
        tail: the last lines of the log; ``None`` = the log can't be shown.
        server: what the page says about the server.
    """

    def __init__(
        self,
        guard: Guard,
        catalogue: Catalogue,
        tail: LogTail | None,
        assets: Mapping[str, Asset],
        server: Mapping[str, Any],
        *,
        read_only: bool,
    ) -> None:
        self._guard = guard
        self._catalogue = catalogue
        self._tail = tail
        self._assets = assets
        self._server = server
        self._read_only = read_only
        self._streams: set[asyncio.Task[Any]] = set()
        self._closing = False

    def __repr__(self) -> str:
        return f"DashboardApp({len(self._streams)} streams)"

    def close(self) -> None:
        """End the streams: the server stops."""
        self._closing = True
        for task in self._streams:
            task.cancel(_CLOSING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        answer = Answer(send, head_only=scope["method"] == "HEAD")
        headers = _headers(scope)
        try:
            caller = self._guard.check(scope, headers)
            await self._route(scope, headers, receive, answer, caller)
        except Refused as refused:
            await answer.error(refused.status, str(refused), retry_after=refused.retry_after)
        except Exception as bug:  # fails only this request
            log.error("request failed", path=scope["path"], error=f"{type(bug).__name__}: {bug}")
            if answer.started:
                raise
            await answer.error(500, "The dashboard failed; the log says why.")

    async def _route(
        self, scope: Scope, headers: Mapping[str, str], receive: Receive, answer: Answer, caller: Caller
    ) -> None:
        path, method = scope["path"], scope["method"]
        if path in ("/api/login", "/api/logout", "/api/action"):
            if method != "POST":
                raise Refused(405, "Use POST.")
            body = await _body(headers, receive)
            if path == "/api/login":
                await self._sign_in(scope, body, answer, headers.get("origin", ""))
                return
            if path == "/api/logout":  # the cookie suffices: a browser that has lost its key must come out, too
                self._guard.sessions.end(caller.cookie)
                await answer.json({}, {"set-cookie": self._guard.set_cookie("")})
                return
            self._require(caller)
            await self._act(body, answer, caller)
            return
        if method not in ("GET", "HEAD"):
            raise Refused(405, "Use GET.")
        if path.startswith("/api/"):
            await self._read(path, _query(scope), answer, caller)
            return
        await self._file(path, headers, answer, caller)

    # -- files ---------------------------------------------------------------------------------------------------------

    async def _file(self, path: str, headers: Mapping[str, str], answer: Answer, caller: Caller) -> None:
        known = bool(caller.user)
        name = ("index.html" if known else "login.html") if path == "/" else path.removeprefix("/assets/")
        asset = self._assets.get(name) if path == "/" or path.startswith("/assets/") else None
        if asset is None or not (known or name in PUBLIC):
            raise Refused(404 if known else 401, "There is no such page." if known else "Sign in first.")
        cache = {"cache-control": "no-cache" if path != "/" else "no-store", "etag": asset.etag}
        if path != "/" and headers.get("if-none-match") == asset.etag:
            await answer.whole(304, b"", asset.content_type, cache)
            return
        await answer.whole(200, asset.body, asset.content_type, cache)

    # -- the API -------------------------------------------------------------------------------------------------------

    async def _sign_in(self, scope: Scope, body: bytes, answer: Answer, origin: str) -> None:
        client = client_of(scope)
        self._guard.check_blocked(client)
        given = _decode(body, SignIn)
        secrets = self._guard.secrets
        user = (
            secrets.check_token(given.token)
            if given.token
            else secrets.check_password(given.name.lower(), given.password)
        )
        if user is None:
            self._guard.failures.add(client)
            log.warning("sign-in failed", client=client)
            raise Refused(401, "The token is wrong." if given.token else "The name or the password is wrong.")
        cookie, session = self._guard.sessions.begin(user)
        log.info("user signed in", user=user, client=client)
        await answer.json({"key": session.key}, {"set-cookie": self._guard.set_cookie(cookie, origin)})

    async def _act(self, body: bytes, answer: Answer, caller: Caller) -> None:
        request = _decode(body, ActionRequest)
        if self._read_only:
            raise Refused(403, "The dashboard is read-only (dashboard.read_only).")
        if max(map(len, (request.page, request.action, request.row))) > _LONGEST:
            raise Refused(400, "The request is too long.")
        told = {"user": caller.user, "page": request.page, "action": request.action, "row": request.row}
        try:
            said = await self._catalogue.run_action(request.page, request.action, request.row)
        except NoSuchPage as missing:
            raise Refused(404, str(missing)) from missing
        except RoadRunnerError as error:
            log.warning("action failed", **told, error=str(error))
            raise Refused(409, str(error)) from error
        log.info("action was run", **told)
        await answer.json({"message": said})

    async def _read(self, path: str, query: Mapping[str, str], answer: Answer, caller: Caller) -> None:
        if path == "/api/login-form":
            secrets = self._guard.secrets
            await answer.json({"token": secrets.has_token, "users": secrets.has_users})
            return
        self._require(caller)
        if path == "/api/session":
            menu = self._catalogue.menu()
            about = {"user": caller.user, "read_only": self._read_only, "server": self._server, "menu": menu}
            await answer.json(about)
        elif path == "/api/page":
            await self._page(query, answer)
        elif path == "/api/stream":
            await self._stream(query, answer)
        else:
            raise Refused(404, "There is no such page.")

    async def _page(self, query: Mapping[str, str], answer: Answer) -> None:
        page = query.get("id", "")
        try:
            if page == "logs" and self._tail is not None:
                found = encode(self._lines(self._tail, query, 0))
            else:
                found = await self._catalogue.look(page, first=True)
        except NoSuchPage as missing:
            raise Refused(404, str(missing)) from missing
        await answer.whole(200, found, _JSON)

    async def _stream(self, query: Mapping[str, str], answer: Answer) -> None:
        """Server-sent events until the client leaves or the server stops."""
        page = query.get("id", "")
        if self._closing or len(self._streams) >= _MOST_STREAMS:
            raise Refused(503, "Too many pages are open." if not self._closing else "The server stops.")
        try:
            if page == "logs" and self._tail is not None:
                events = self._log_events(self._tail, query)
            else:
                broadcast = self._catalogue.broadcast(page)
                events = self._page_events(page, broadcast.follow())
        except NoSuchPage as missing:
            raise Refused(404, str(missing)) from missing
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            await answer.start(200, "text/event-stream", {"x-accel-buffering": "no"})
            await answer.part(b": open\n\n")  # the head is sent with the first part
            async for one in events:
                await answer.part(one)
        except asyncio.CancelledError as cancelled:
            if _CLOSING not in cancelled.args:
                raise
        except OSError:
            return  # the client has left
        finally:
            self._streams.discard(task)
            await events.aclose()  # type: ignore[attr-defined]  # an async generator
        await answer.end()

    async def _page_events(self, page: str, news: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            yield event(await self._catalogue.look(page, first=True), "first")
            async for one in news:
                yield event(one)
        finally:
            await news.aclose()  # type: ignore[attr-defined]  # an async generator

    async def _log_events(self, tail: LogTail, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        after, silent = 0, 0.0
        while True:
            if tail.last > after:
                found = self._lines(tail, query, after)
                after = found["last"]
                if found["lines"]:
                    silent = 0.0
                    yield event(encode(found))
            if silent >= HEARTBEAT:
                silent = 0.0
                yield event(b"")
            await asyncio.sleep(0.5)
            silent += 0.5

    @staticmethod
    def _lines(tail: LogTail, query: Mapping[str, str], after: int) -> dict[str, Any]:
        chosen = LogFilter(
            level=LEVELS.get(query.get("level", ""), 0), channel=query.get("channel", ""), text=query.get("text", "")
        )
        last = tail.last
        return {"lines": tail.lines(chosen, after, _LINES), "last": last, "channels": tail.channels()}

    @staticmethod
    def _require(caller: Caller) -> None:
        if not caller.whole:
            raise Refused(401, "Sign in first.")


class Answer:
    """Sends one response.

    Attributes:
        started: whether its head has been sent.
    """

    def __init__(self, send: Send, *, head_only: bool) -> None:
        self.started = False
        self._send = send
        self._head_only = head_only

    async def start(self, status: int, content_type: str, more: Mapping[str, str], length: int | None = None) -> None:
        headers = {"content-type": content_type, "cache-control": "no-store", **_HEADERS, **more}
        if length is not None:
            headers["content-length"] = str(length)
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def part(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": data})

    async def whole(self, status: int, body: bytes, content_type: str, more: Mapping[str, str] | None = None) -> None:
        await self.start(status, content_type, more or {}, None if status == 304 else len(body))
        await self.end(b"" if self._head_only else body)

    async def json(self, value: Any, more: Mapping[str, str] | None = None) -> None:
        await self.whole(200, encode(value), _JSON, more)

    async def error(self, status: int, text: str, *, retry_after: float = 0.0) -> None:
        """An error; the connection ends, since the body of the request may not have been read."""
        more = {"connection": "close"}
        if retry_after:
            more["retry-after"] = str(int(retry_after) + 1)
        await self.whole(status, encode({"error": text}), _JSON, more)


def _headers(scope: Scope) -> dict[str, str]:
    """By name; of a repeated one the first counts, except that a second ``Host`` or ``Origin`` is never right."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1")
        if name in found and name in ("host", "origin", "authorization"):
            found[name] = ","  # matches nothing
        elif name == "cookie" and name in found:
            found[name] += f"; {value}"  # HTTP/2 sends several
        else:
            found.setdefault(name, value)
    return found


def _query(scope: Scope) -> dict[str, str]:
    try:
        parameters = parse_qs(scope["query_string"].decode("utf-8", "replace"), max_num_fields=16)
    except ValueError:
        raise Refused(400, "Too many parameters.") from None
    return {name: values[0] for name, values in parameters.items()}


async def _body(headers: Mapping[str, str], receive: Receive) -> bytes:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        raise Refused(415, "The body has to be JSON (Content-Type: application/json).")
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "The body is not complete.")
        body += bytes(message.get("body", b""))
        if len(body) > _MOST_BODY:
            raise Refused(413, "The body is too large.")
        if not message.get("more_body", False):
            return body


def _decode(body: bytes, model: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=model)
    except msgspec.MsgspecError as wrong:
        raise Refused(400, f"The body is not as expected: {wrong}") from wrong
