"""The small HTTP endpoints over real sockets: good clients, bad clients, the stop."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from pyroadrunner.admin.app import AdminRequest
from pyroadrunner.admin.response import AdminResponse
from pyroadrunner.admin.server import LIMITS, AdminServer
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.log import Log
from pyroadrunner.net.address import TcpAddress, parse_address
from pyroadrunner.net.errors import ListenError
from support.admin import Browser, browser_of, get

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[None]], None]:
    def run(main: Awaitable[None]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(30):
                await main

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(bounded())

    return run


Run = Callable[[Awaitable[None]], None]


class Desk:
    """Answers with the path; ``/wait`` waits for ``go``, ``/break`` is a bug."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.go = asyncio.Event()

    async def answer(self, request: AdminRequest) -> AdminResponse:
        if request.path == "/wait":
            self.waiting.set()
            await self.go.wait()
        if request.path == "/break":
            raise ZeroDivisionError("a bug")
        return AdminResponse(200, request.path)


@asynccontextmanager
async def serving(desk: Desk, address: str = "127.0.0.1:0", limits: Limits = LIMITS) -> AsyncIterator[AdminServer]:
    server = AdminServer(parse_address(address, default_scheme="tcp"), "test.address", desk.answer, Log("test"), limits)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0.0)


def with_browser(scene: Callable[[Browser], Awaitable[None]], limits: Limits = LIMITS) -> Awaitable[None]:
    async def main() -> None:
        async with serving(Desk(), limits=limits) as server, browser_of(server.address) as browser:
            await scene(browser)

    return main()


def test_a_connection_serves_several_requests(run: Run) -> None:
    async def scene(browser: Browser) -> None:
        for path in ("/a", "/b"):
            assert (await browser.get(path)).text == path
        assert (await browser.get("/long", method="HEAD")).headers["content-length"] == "5"
        assert (await browser.get("/break")).status == 500
        answer = await browser.get("/c", "Connection: close")
        assert answer.headers["connection"] == "close"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert await browser.closed()

    run(with_browser(scene))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 405),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * LIMITS.max_head + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000, 405),
    ],
)
def test_a_refused_client_gets_the_reason_before_its_connection_is_closed(run: Run, sent: bytes, status: int) -> None:
    async def scene(browser: Browser) -> None:
        browser.send(sent)
        browser.writer.write_eof()
        answer = await browser.answer()
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert await browser.closed()

    run(with_browser(scene))


def test_a_client_that_stops_in_the_middle_gets_a_408(run: Run) -> None:
    async def scene(browser: Browser) -> None:
        browser.send(b"GET / HTTP/1.1\r\nX-")
        assert (await browser.answer()).status == 408

    run(with_browser(scene, replace(LIMITS, head_timeout=0.01)))


def test_a_stop_waits_only_for_running_requests(run: Run) -> None:
    async def main() -> None:
        desk = Desk()
        async with serving(desk) as server, browser_of(server.address) as idle, browser_of(server.address) as busy:
            assert (await idle.get("/a")).status == 200
            busy.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            await desk.waiting.wait()
            stopping = asyncio.create_task(server.stop(30.0))
            assert await idle.closed()
            with pytest.raises(OSError):
                await get(server.address)
            desk.go.set()
            answer = await busy.answer()
            assert (answer.text, answer.headers["connection"]) == ("/wait", "close")
            await stopping

    run(main())


def test_a_stop_does_not_wait_longer_than_its_grace(run: Run) -> None:
    async def main() -> None:
        desk = Desk()
        async with serving(desk) as server, browser_of(server.address) as busy:
            busy.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            await desk.waiting.wait()
            await server.stop(0.01)
            assert await busy.closed()

    run(main())


def test_new_connections_are_refused_while_all_others_have_requests(run: Run) -> None:
    async def main() -> None:
        desk = Desk()
        async with (
            serving(desk, limits=replace(LIMITS, max_connections=1)) as server,
            browser_of(server.address) as first,
            AsyncExitStack() as stack,
        ):
            first.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            await desk.waiting.wait()
            for _ in range(3):
                refused = await stack.enter_async_context(browser_of(server.address))
                assert (await refused.answer()).status == 503
            desk.go.set()
            assert (await first.answer()).text == "/wait"

    run(main())


def test_a_new_connection_is_served_immediately_when_all_others_are_idle(run: Run) -> None:
    async def main() -> None:
        async with serving(Desk()) as server, AsyncExitStack() as stack:
            for _ in range(2 * LIMITS.max_connections):
                await stack.enter_async_context(browser_of(server.address))
            for _ in range(3):
                assert (await get(server.address, "/health")).text == "/health"

    run(main())


def test_only_the_owner_can_connect_to_a_unix_socket(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    async def main() -> None:
        async with serving(Desk(), f"unix://{path}") as server:
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            assert (await get(server.address, "/a")).text == "/a"
        assert not os.path.exists(path)

    run(main())


def test_an_address_in_use_is_named_with_its_key(run: Run) -> None:
    async def main() -> None:
        async with serving(Desk()) as server:
            assert isinstance(server.address, TcpAddress)
            with pytest.raises(ListenError, match=r"^test\.address: cannot listen on 127\.0\.0\.1:\d+: the addr"):
                async with serving(Desk(), server.address.short):
                    pass

    run(main())
