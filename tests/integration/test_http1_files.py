"""Files that the HTTP/1 server sends with sendfile(2): complete, in order, and within the limits of a connection."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from pyroadrunner.asgi import Message, Receive, Scope, Send
from pyroadrunner.content.file_answer import send_file
from pyroadrunner.content.open_files import OpenFiles
from pyroadrunner.httpd.http1 import file_sender
from pyroadrunner.httpd.http1.file_sender import FileSender
from pyroadrunner.httpd.http1.listener import Http1Listener
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from support.http import Client, Served, request, split
from support.log import logged

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
MB = 1 << 20
LARGE = 64 * MB  # more than the buffers of two sockets take

Run = Callable[[Awaitable[None]], None]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    def run(main: Awaitable[None]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(30):
                await main

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(bounded())

    return run


@pytest.fixture(params=["on the loop", "in a thread"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system call runs."""
    if request.param == "in a thread":
        monkeypatch.setattr(file_sender, "_NO_WAIT", None)


class Sender:
    """An application that sends a file.

    Attributes:
        ends: how each request ended.
        ended: set at the end of a request.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = OpenFiles(0)
        self.ends: list[str] = []
        self.ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._send(scope, send)
            self.ends.append("sent")
        except BaseException as wrong:
            self.ends.append(type(wrong).__name__)
            raise
        finally:
            self.ended.set()

    async def _send(self, scope: Scope, send: Send) -> None:
        file = await self._files.open(str(self._path))
        assert file is not None
        await send_file(scope, send, file, content_type=b"x/y")


class Pieces:
    """An application that sends a file in the messages of a test."""

    def __init__(self, path: Path, *messages: Message, headers: Any = ()) -> None:
        self._path = path
        self._messages = messages
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert "http.response.zerocopysend" in scope["extensions"]
        await send({"type": "http.response.start", "status": 200, "headers": list(self._headers)})
        with open(self._path, "rb") as file:
            file.seek(6)
            for message in self._messages:
                await send({"file": file, **message} if message["type"] == "http.response.zerocopysend" else message)


@asynccontextmanager
async def serving(app: Any, **limits: Any) -> AsyncIterator[Served]:
    bound = BoundSockets(TcpAddress("127.0.0.1", 0), "test.address")
    listener = Http1Listener(app, bound, Limits(**limits))
    await listener.start()
    try:
        yield Served(listener, bound)
    finally:
        listener.refuse()
        await listener.finish(0.0)


def file_of(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


def large(folder: Path) -> Path:
    path = folder / "large"
    with open(path, "wb") as file:
        file.truncate(LARGE)
    return path


async def begun(served: Served) -> Client:
    """A client that has read the head of the response, and then reads no more."""
    client = await served.connect()
    await client.send(request(close=False))
    await client.until(b"\r\n\r\n")
    return client


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def undated(head: bytes) -> bytes:
    """The head without the time of the answer."""
    kept = [line for line in head.split(b"\r\n") if not line.startswith(b"Date: ")]
    assert len(kept) == head.count(b"\r\n")
    return b"\r\n".join(kept)


@pytest.mark.usefixtures("where")
def test_a_file_arrives_complete_and_the_connection_is_kept(run: Run, tmp_path: Path) -> None:
    content = os.urandom(5 * MB + 1)

    async def main() -> None:
        async with serving(Sender(file_of(tmp_path, content))) as served:
            client = await served.connect()
            await client.send(request(close=False) + request("HEAD", close=False))
            head = await client.until(b"\r\n\r\n")
            assert b"Content-Length: %d\r\n" % len(content) in head
            assert await client.exactly(len(content)) == content
            assert undated(await client.until(b"\r\n\r\n")) == undated(head)
            await client.send(request(range=f"bytes=100000-{4 * MB}"))
            status, _, body = split(await client.rest())
            assert (status, body) == (206, content[100_000 : 4 * MB + 1])
            client.close()

    run(main())


@pytest.mark.usefixtures("where")
def test_several_parts_have_their_heads_between_them(run: Run, tmp_path: Path) -> None:
    content = os.urandom(MB)

    async def main() -> None:
        async with serving(Sender(file_of(tmp_path, content))) as served:
            ranges = "bytes=0-99999,-200000"
            status, headers, body = split(await served.talk(request(range=ranges)))
            assert status == 206
            assert len(body) == int(headers["content-length"][0])
            first, second = body.index(content[:100_000]), body.index(content[-200_000:])
            assert b"Content-Range: bytes 0-99999/1048576" in body[:first]
            assert b"Content-Range: bytes 848576-1048575/1048576" in body[first + 100_000 : second]

    run(main())


FILE: Message = {"type": "http.response.zerocopysend"}
BODY: Message = {"type": "http.response.body"}
HELLO: Message = {**FILE, "offset": 0, "count": 5, "more_body": True}


@pytest.mark.parametrize(
    ("messages", "length", "body"),
    [
        # without a length: chunks; without an offset: from the position of the file
        ([FILE], None, b"6\r\nworld!\r\n0\r\n\r\n"),
        ([HELLO, {**BODY, "body": b"?"}], None, b"5\r\nhello\r\n1\r\n?\r\n0\r\n\r\n"),
        ([{**BODY, "body": b"say ", "more_body": True}, {**FILE, "offset": 0}], b"16", b"say hello world!"),
        # never more than the announced length
        ([{**FILE, "offset": 0}], b"3", b"hel"),
    ],
)
def test_parts_of_files_are_pieces_of_a_body(
    run: Run, tmp_path: Path, messages: list[Message], length: bytes | None, body: bytes
) -> None:
    async def main() -> None:
        headers = [(b"content-length", length)] if length else []
        app = Pieces(file_of(tmp_path, b"hello world!"), *messages, headers=headers)
        async with serving(app) as served:
            assert split(await served.talk(request()))[2] == body

    run(main())


def test_a_file_waits_for_the_pieces_before_it(run: Run, tmp_path: Path) -> None:
    piece = os.urandom(16 * MB)  # more than the buffers of the sockets take

    async def main() -> None:
        messages = ({**BODY, "body": piece, "more_body": True}, {**FILE, "offset": 0, "count": 5})
        app = Pieces(file_of(tmp_path, b"hello world!"), *messages)
        async with serving(app, max_buffer=1 << 30) as served:
            client = await begun(served)
            expected = b"1000000\r\n" + piece + b"\r\n5\r\nhello\r\n0\r\n\r\n"
            assert await client.exactly(len(expected)) == expected
            client.close()

    run(main())


@pytest.mark.usefixtures("where")
def test_waiting_for_a_socket_ends_when_its_connection_is_closed(run: Run, tmp_path: Path) -> None:
    """Also without a cancellation: the copy of the socket's descriptor does not notice."""

    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs, open(large(tmp_path), "rb") as file:
            ours.setblocking(False)
            sender = FileSender(ours.fileno(), file.fileno())
            with suppress(BlockingIOError):
                while True:
                    ours.send(bytes(MB))
            sending = asyncio.create_task(sender.send(0, MB))
            while sender._waiting is None:  # noqa: ASYNC110
                await asyncio.sleep(0)
            sender.abort()
            with pytest.raises(ConnectionResetError):
                await sending
            sender.close()

    run(main())


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize("goodbye", ["close", "abort"])
def test_a_client_that_leaves_ends_the_request(run: Run, tmp_path: Path, goodbye: str) -> None:
    async def main() -> None:
        app = Sender(large(tmp_path))
        async with serving(app) as served:
            before = descriptors()
            client = await begun(served)
            with logged("http") as log:
                getattr(client, goodbye)()
                await app.ended.wait()
            assert app.ends[0] in ("CancelledError", "ConnectionResetError", "BrokenPipeError")
            assert log.of("request failed") == []
            while descriptors() > before:  # noqa: ASYNC110
                await asyncio.sleep(0)

    run(main())


@pytest.mark.usefixtures("where")
def test_the_connection_of_a_client_that_does_not_read_is_closed(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        app = Sender(large(tmp_path))
        async with serving(app, write_timeout=0.01) as served:
            client = await begun(served)
            await app.ended.wait()
            assert len(await client.rest()) < LARGE
            client.close()
            assert served.listener.refusals.counts == {"write": 1}

    run(main())


def test_a_client_that_reads_slowly_makes_progress(run: Run, tmp_path: Path) -> None:
    """The bytes of a file count, although none of them is ever in the buffer of the transport."""

    async def main() -> None:
        async with serving(Sender(large(tmp_path))) as served:
            client = await begun(served)
            [connection] = served.listener._connections
            assert served.listener._sweep is not None
            served.listener._sweep.cancel()
            for now in (1e6, 1e6 + 90, 1e6 + 180):
                connection.check_progress(now, 100.0)
                await client.exactly(LARGE // 4)  # more than the buffers of the sockets take
            assert served.listener.refusals.counts == {}
            connection.check_progress(1e6 + 190, 100.0)
            connection.check_progress(1e6 + 290, 100.0)
            assert served.listener.refusals.counts == {"write": 1}
            client.close()

    run(main())


@pytest.mark.usefixtures("where")
def test_a_stop_ends_in_the_middle_of_a_file(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        app = Sender(large(tmp_path))
        async with serving(app) as served:
            client = await begun(served)
            served.listener.refuse()
            await served.listener.finish(0.01)
            assert app.ends == ["CancelledError"]
            assert len(await client.rest()) < LARGE
            client.close()

    run(main())


@pytest.mark.usefixtures("where")
def test_a_file_that_is_truncated_while_it_is_sent_ends_the_connection(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        path = large(tmp_path)
        app = Sender(path)
        async with serving(app) as served:
            client = await begun(served)
            os.truncate(path, MB)
            assert len(await client.rest()) < LARGE
            client.close()
            assert app.ends == ["OSError"]

    run(main())


def test_a_request_that_follows_is_answered_behind_the_file(run: Run, tmp_path: Path) -> None:
    content = os.urandom(MB)

    async def main() -> None:
        async with serving(Sender(file_of(tmp_path, content))) as served:
            answers = await served.talk(request(close=False) + request())
            assert answers.count(content) == 2
            assert answers.endswith(content)

    run(main())
