"""The small HTTP endpoints over real sockets: good clients, bad clients, the end."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from pyroadrunner.admin import server as admin
from pyroadrunner.admin.connection import MAX_HEAD, Timeouts
from pyroadrunner.admin.request import AdminRequest
from pyroadrunner.admin.response import AdminResponse
from pyroadrunner.admin.server import AdminServer
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
    """Answers with the path; ``/wait`` waits for ``go``, ``/break`` is a bug, ``/big`` more than a socket takes."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.go = asyncio.Event()

    async def answer(self, request: AdminRequest) -> AdminResponse:
        if request.path == "/wait":
            self.waiting.set()
            await self.go.wait()
        if request.path == "/break":
            raise ZeroDivisionError("a bug")
        return AdminResponse(200, request.path * (10_000_000 if request.path == "/big" else 1))


@asynccontextmanager
async def serving(
    desk: Desk, address: str = "127.0.0.1:0", timeouts: Timeouts | None = None
) -> AsyncIterator[AdminServer]:
    server = AdminServer(
        parse_address(address, default_scheme="tcp"), "test.address", desk.answer, Log("test"), timeouts
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0.0)


def with_browser(scene: Callable[[Browser], Awaitable[None]], **options: Timeouts) -> Awaitable[None]:
    async def main() -> None:
        async with serving(Desk(), **options) as server, browser_of(server.address) as browser:
            await scene(browser)

    return main()


def test_a_connection_answers_again_and_again(run: Run) -> None:
    async def scene(browser: Browser) -> None:
        for path in ("/a", "/b"):
            assert (await browser.get(path)).text == path
        assert (await browser.get("/long", method="HEAD")).headers["content-length"] == "5"
        assert (await browser.get("/c", "Connection: close")).headers["connection"] == "close"
        assert await browser.closed()

    run(with_browser(scene))


def test_requests_may_come_in_one_piece_or_byte_by_byte(run: Run) -> None:
    async def scene(browser: Browser) -> None:
        browser.send(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HT")
        assert [(await browser.answer()).text for _ in range(2)] == ["/a", "/b"]
        for byte in b"TP/1.1\r\n\r\n":
            browser.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await browser.answer()).text == "/c"

    run(with_browser(scene))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 405),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEAD + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\n\r\n" + b"x" * 1_000_000, 405),
    ],
)
def test_a_client_that_is_refused_learns_why_before_it_is_cut_off(run: Run, sent: bytes, status: int) -> None:
    async def scene(browser: Browser) -> None:
        browser.send(sent)
        browser.writer.write_eof()
        answer = await browser.answer()
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert await browser.closed()

    run(with_browser(scene))


def test_a_bug_of_the_answer_is_a_500_and_the_next_one_works(run: Run) -> None:
    async def scene(browser: Browser) -> None:
        assert (await browser.get("/break")).status == 500
        assert (await browser.get("/a")).status == 200

    run(with_browser(scene))


def test_a_client_that_says_nothing_is_cut_off(run: Run) -> None:
    async def scene(browser: Browser) -> None:
        assert await browser.closed()

    run(with_browser(scene, timeouts=Timeouts(idle=0.01)))


def test_a_client_that_stops_in_the_middle_is_told_so(run: Run) -> None:
    async def scene(browser: Browser) -> None:
        browser.send(b"GET / HTTP/1.1\r\nX-")
        assert (await browser.answer()).status == 408

    run(with_browser(scene, timeouts=Timeouts(read=0.01)))


def test_a_client_that_does_not_read_is_cut_off(run: Run) -> None:
    async def main() -> None:
        async with (
            serving(Desk(), timeouts=Timeouts(write=0.01)) as server,
            browser_of(server.address) as browser,
        ):
            browser.writer.transport.pause_reading()
            browser.send(b"GET /big HTTP/1.1\r\n\r\n")
            while "connections=0" not in repr(server) or browser.writer.transport.is_closing():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            browser.writer.transport.resume_reading()
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await browser.answer()

    async def connected_first() -> None:
        await main()

    run(connected_first())


def test_the_end_waits_for_running_requests_and_for_nobody_else(run: Run) -> None:
    async def main() -> None:
        desk = Desk()
        async with serving(desk) as server, browser_of(server.address) as idle, browser_of(server.address) as busy:
            assert (await idle.get("/a")).status == 200
            busy.send(b"GET /wait HTTP/1.1\r\n\r\n")
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


def test_the_end_does_not_wait_longer_than_its_grace(run: Run) -> None:
    async def main() -> None:
        desk = Desk()
        async with serving(desk) as server, browser_of(server.address) as busy:
            busy.send(b"GET /wait HTTP/1.1\r\n\r\n")
            await desk.waiting.wait()
            await server.stop(0.01)
            assert await busy.closed()

    run(main())


def test_a_crowd_that_asks_nothing_makes_room_for_who_does(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest of those that never asked goes first, also one with half a request; then the one idle longest."""
    monkeypatch.setattr(admin, "MAX_CONNECTIONS", 4)

    async def main() -> None:
        async with serving(Desk()) as server, AsyncExitStack() as stack:

            async def connect() -> Browser:
                return await stack.enter_async_context(browser_of(server.address))

            scraper, other, silent, half = [await connect() for _ in range(4)]
            for browser in (scraper, other, scraper):
                assert (await browser.get("/a")).status == 200
            half.send(b"GET / HTT")
            for closed in (silent, half, other):
                assert (await (await connect()).get("/new")).status == 200
                assert await closed.closed()
            assert (await scraper.get("/b")).status == 200

    run(main())


def test_where_all_are_being_answered_one_more_is_not_taken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "MAX_CONNECTIONS", 1)

    async def main() -> None:
        desk = Desk()
        async with serving(desk) as server, browser_of(server.address) as first:
            first.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            await desk.waiting.wait()
            async with browser_of(server.address) as second:
                assert await second.closed()
            desk.go.set()
            assert (await first.answer()).text == "/wait"

    run(main())


def test_a_newcomer_is_answered_at_once_behind_a_full_house_of_idle_connections(run: Run) -> None:
    async def main() -> None:
        async with serving(Desk()) as server, AsyncExitStack() as stack:
            for _ in range(2 * admin.MAX_CONNECTIONS):
                await stack.enter_async_context(browser_of(server.address))
            for _ in range(3):
                assert (await get(server.address, "/health")).text == "/health"

    run(main())


def test_a_unix_socket_is_for_its_owner_only(run: Run, tmp_path: Path) -> None:
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
