"""Measure the cost of each middleware per request: the chain in this process, with an application that responds
immediately, without HTTP. Prints a Markdown table of CPU microseconds, the minimum of several rounds.

.venv/bin/python -m bench.middleware [REQUESTS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.content.file_answer import ZERO_COPY
from pyroadrunner.plugins.http.config import GzipConfig, HttpConfig
from pyroadrunner.plugins.http.gateway import chain
from pyroadrunner.plugins.http.middleware.access_log import AccessLog
from pyroadrunner.plugins.http.middleware.config import CorsConfig, HeadersConfig, StaticConfig
from pyroadrunner.plugins.http.middleware.registry import Setup, layers

ROUNDS = 5
BODY = b"hello world"
HEADERS = [
    (b"host", b"example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"en-US,en;q=0.5"),
    (b"origin", b"https://a.test"),
    (b"cookie", b"session=0123456789abcdef0123456789abcdef"),
    (b"x-forwarded-for", b"203.0.113.7, 10.1.1.1"),
]


class Case(NamedTuple):
    """One row of the table."""

    title: str
    around: Callable[[ASGIApp], ASGIApp]
    target: bytes = b"/api/users"
    headers: Sequence[tuple[bytes, bytes]] = HEADERS


class PassOn:
    """The smallest possible third-party middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes the place of the worker."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY, "more_body": False})


async def naming(scope: Scope, receive: Receive, send: Send) -> None:
    """A worker that names a file."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-sendfile", scope["raw_path"])]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    """Takes the place of the server."""


def configured(name: str, **options: Any) -> Callable[[ASGIApp], ASGIApp]:
    """Build the named middleware."""
    config = HttpConfig(middleware=[name], **options)
    return lambda app: chain(app, layers(Setup(config=config, effective={})))


def cases(folder: Path) -> list[Case]:
    (folder / "small.css").write_bytes(b"x" * 1024)
    (folder / "large.bin").write_bytes(b"x" * 1024 * 1024)
    static = configured("static", static=StaticConfig(dir=str(folder)))
    tagged = configured("static", static=StaticConfig(dir=str(folder), calculate_etag=True))
    send_file = configured("sendfile")
    return [
        Case("the application alone", lambda app: app),
        Case("request log, level above info", lambda app: AccessLog(app, long=False)),
        Case(
            "`headers`, one of each",
            configured("headers", headers=HeadersConfig(request={"X-A": "1"}, response={"X-B": "2"})),
        ),
        Case(
            "`headers`, CORS with two origins",
            configured(
                "headers", headers=HeadersConfig(cors=CorsConfig(allowed_origin=["https://a.test", "https://b"]))
            ),
        ),
        Case("`proxy_ip_parser`", configured("proxy_ip_parser", trusted_subnets=["10.0.0.0/8"])),
        Case("`gzip`, not asked for", configured("gzip", gzip=GzipConfig())),
        Case("`static`, a path without an extension", static),
        Case("`static`, no such file", static, b"/build/missing.js"),
        Case("`static`, a file of 1 KB", static, b"/small.css"),
        Case("`static`, a file of 1 KB, ETag", tagged, b"/small.css"),
        Case(
            "`static`, the client has it (304)",
            tagged,
            b"/small.css",
            [*HEADERS, (b"if-modified-since", b"Fri, 31 Dec 9999 23:59:59 GMT")],
        ),
        Case("`static`, a file of 1 MB", static, b"/large.bin"),
        Case("`sendfile`, no such header", send_file),
        Case("`sendfile`, a file of 1 MB", lambda app: send_file(naming), str(folder / "large.bin").encode()),
        Case("of another package, passes all on", configured(f"{__name__}:PassOn")),
    ]


async def cost(case: Case, requests: int) -> float:
    """CPU microseconds per request, including threads."""
    app = case.around(inner)
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": case.target.decode(),
        "raw_path": case.target,
        "query_string": b"",
        "headers": list(case.headers),
        "client": ("10.0.0.9", 4711),
        "server": ("127.0.0.1", 8080),
        "extensions": {ZERO_COPY: {}},
    }
    await app(scope, receive, send)
    least = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(requests):
            await app(scope, receive, send)
        least = min(least, time.process_time() - began)
    return least / requests * 1e6


async def main(requests: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = [(case, await cost(case, requests)) for case in cases(Path(folder))]
    alone = rows[0][1]
    print("| Middleware | us of a request | more than without |\n| --- | ---: | ---: |")
    for case, found in rows:
        answered = case.target != b"/api/users" and not case.target.endswith(b".js")  # no application inside
        more = "" if answered or found == alone else f"{found - alone:+.1f}"
        print(f"| {case.title} | {found:.1f} | {more} |")


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
