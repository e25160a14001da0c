"""The listener and its application, on real sockets with raw bytes; only the workers are fakes."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.asgi import Message, Receive, Scope, Send
from pyroadrunner.plugins.http.body.reader import BodyLimits
from pyroadrunner.plugins.http.config import HttpConfig, UploadsConfig
from pyroadrunner.workers.errors import WorkerFailed
from pyroadrunner.workers.payload import Chunk, Reply
from support.asgi import JSON, ScriptedPool, head, reply, streamed, worker_app
from support.http import PATIENCE, Listening, request, split
from support.http import listening as serve
from support.pools import run

HELLO = reply(head(200, content_type="text/plain"), b"hello")


class OpenStream:
    """A stream fed by the test; it records whether it was dropped."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[Chunk | Exception] = asyncio.Queue()
        self.given_up = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        frame = await self.frames.get()
        if isinstance(frame, Exception):
            raise frame
        return frame

    async def abort(self) -> None:
        self.drop()

    def drop(self) -> None:
        self.given_up.set()

    def feed(self, body: bytes) -> None:
        self.frames.put_nowait(Chunk(b"", body, JSON))


def dechunk(body: bytes) -> bytes:
    """Decode a chunked body; nothing may follow the last chunk."""
    found = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if not int(size, 16):
            assert body == b"\r\n", body
            return found
        found, body = found + body[: int(size, 16)], body[int(size, 16) + 2 :]


def test_a_response_names_no_server_and_has_its_date_and_length(listening: Listening) -> None:
    async def main() -> None:
        async with listening(worker_app(ScriptedPool(HELLO))) as served:
            status, headers, body = split(await served.talk(request()))
            assert (status, body) == (200, b"hello")
            assert sorted(headers) == ["connection", "content-length", "content-type", "date"]
            assert headers["content-length"] == ["5"]

    run(main())


def test_pipelined_requests_are_answered_in_order(listening: Listening) -> None:
    class Echo(ScriptedPool):
        async def exec(self, payload: Any, **options: Any) -> Reply:
            await super().exec(payload, **options)
            return reply(head(), options["describe"]().split(" ")[1].encode())

    async def main() -> None:
        async with listening(worker_app(Echo())) as served:
            both = request("GET", "/one", close=False) + request("POST", "/two", b"x") + request("GET", "/never")
            answers = await served.talk(both)
            assert answers.count(b"HTTP/1.1 200 OK") == 2
            assert answers.index(b"/one") < answers.index(b"/two")

    run(main())


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n", 431),
    ],
)
def test_a_malformed_request_is_refused_without_a_worker(listening: Listening, raw: bytes, status: int) -> None:
    async def main() -> None:
        pool = ScriptedPool(HELLO)
        async with listening(worker_app(pool)) as served:
            assert split(await served.talk(raw))[0] == status
        assert pool.asked == []

    run(main())


def test_large_and_many_headers_below_a_megabyte_are_passed_on(listening: Listening) -> None:
    async def main() -> None:
        pool = ScriptedPool(HELLO)
        async with listening(worker_app(pool)) as served:
            raw = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 500_000 + b"\r\n" + b"Y: y\r\n" * 500
            assert split(await served.talk(raw + b"Connection: close\r\n\r\n"))[0] == 200
        assert len(pool.context["headers"]["X"][0]) == 500_000
        assert len(pool.context["headers"]["Y"]) == 500

    run(main())


def test_any_method_and_any_content_type_reach_the_worker(listening: Listening) -> None:
    async def main() -> None:
        pool = ScriptedPool(HELLO)
        async with listening(worker_app(pool)) as served:
            assert split(await served.talk(request("PURGE", "/x")))[0] == 200
            assert split(await served.talk(request("POST", "/", b"abc", content_type="application/grpc")))[0] == 200
        assert pool.asked[-1].body == b"abc"

    run(main())


def test_a_slow_upload_occupies_no_worker(listening: Listening) -> None:
    async def main() -> None:
        pool = ScriptedPool(HELLO)
        async with listening(worker_app(pool)) as served:
            slow = await served.connect()
            await slow.send(request("POST", "/slow", content_length="4", content_type="text/plain") + b"ab")
            assert split(await served.talk(request("GET", "/quick")))[0] == 200
            assert pool.labels == ["GET /quick"]
            await slow.send(b"cd")
            assert split(await slow.rest())[0] == 200
            assert pool.asked[-1].body == b"abcd"
            slow.close()

    run(main())


def test_a_body_slower_than_the_minimum_rate_is_refused(listening: Listening) -> None:
    async def main() -> None:
        pool = ScriptedPool(HELLO)
        app = worker_app(pool, limits=BodyLimits(max_body=1 << 20, idle_timeout=0.0, min_rate=1 << 30))
        async with listening(app) as served:
            slow = await served.connect()
            await slow.send(request("POST", "/", content_length="9", content_type="text/plain") + b"ab")
            assert split(await slow.rest())[0] == 408
            slow.close()
        assert pool.asked == []

    run(main())


@pytest.mark.parametrize("goodbye", ["close", "abort"])
@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=XbX"])
def test_a_client_that_disconnects_in_mid_upload_needs_no_worker_and_leaves_no_file(
    listening: Listening, tmp_path: Path, content_type: str, goodbye: str
) -> None:
    left = asyncio.Event()

    async def main() -> None:
        pool = ScriptedPool(HELLO)
        app = worker_app(pool, HttpConfig(uploads=UploadsConfig(dir=str(tmp_path))))
        started = asyncio.Event()

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            async def seen() -> Message:
                message = await receive()
                started.set()
                return message

            try:
                await app(scope, seen, send)
            finally:
                left.set()

        async with listening(watched) as served, asyncio.timeout(PATIENCE):
            client = await served.connect()
            part = b'--XbX\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nabc'
            await client.send(request("POST", "/", content_length="1000", content_type=content_type) + part)
            await started.wait()
            getattr(client, goodbye)()
            await left.wait()
        assert pool.asked == []
        assert list(tmp_path.iterdir()) == []

    run(main())


def test_a_client_that_is_still_sending_reads_the_413_for_a_body_over_the_limit(listening: Listening) -> None:
    async def main() -> None:
        pool = ScriptedPool(HELLO)
        async with listening(worker_app(pool, HttpConfig(max_request_size=1))) as served:
            body = b"x" * (4 << 20)
            for raw in (
                request("POST", "/", body, content_type="text/plain"),
                request("POST", "/", content_type="text/plain", transfer_encoding="chunked")
                + b"400000\r\n"
                + body
                + b"\r\n0\r\n\r\n",
            ):
                status, headers, text = split(await served.talk(raw))
                assert (status, text) == (413, b"serve_http: http: request body too large\n")
                assert headers["x-content-type-options"] == ["nosniff"]
        assert pool.asked == []

    run(main())


def test_expect_100_continue_is_sent_when_the_body_is_read(listening: Listening) -> None:
    async def main() -> None:
        async with listening(worker_app(ScriptedPool(HELLO))) as served:
            client = await served.connect()
            await client.send(
                request("POST", "/", content_length="2", content_type="text/plain", expect="100-continue")
            )
            assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await client.send(b"ab")
            assert split(await client.rest())[0] == 200
            client.close()

    run(main())


def test_a_head_request_gets_no_body_and_the_connection_is_kept(listening: Listening) -> None:
    async def main() -> None:
        async with listening(worker_app(ScriptedPool(HELLO))) as served:
            raw = await served.talk(request("HEAD", close=False) + request("GET"))
            first, _, rest = raw.partition(b"\r\n\r\n")
            assert b"content-length: 5" in first.lower()
            assert split(rest)[2] == b"hello"

    run(main())


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_keeps_the_connection_usable(listening: Listening, status: int) -> None:
    async def main() -> None:
        async with listening(worker_app(ScriptedPool(reply(head(status), b"stray")))) as served:
            raw = await served.talk(request(close=False) + request())
            assert raw.count(f"HTTP/1.1 {status}".encode()) == 2
            assert b"stray" not in raw

    run(main())


def test_headers_from_the_worker_can_not_split_the_response(listening: Listening) -> None:
    async def main() -> None:
        context = (
            b'{"status":200,"headers":{"X":["a\\r\\nEvil: 1\\r\\n\\r\\nbody"],"B d":["x"],"Y":["\\u0000"],"Z":["ok"]}}'
        )
        async with listening(worker_app(ScriptedPool(reply(context, b"hello")))) as served:
            status, headers, body = split(await served.talk(request()))
            assert (status, body) == (200, b"hello")
            assert headers["x"] == ["a  Evil: 1    body"]
            assert headers["z"] == ["ok"]
            assert {"evil", "b d", "y"}.isdisjoint(headers)

    run(main())


def test_a_worker_can_close_the_connection(listening: Listening) -> None:
    async def main() -> None:
        async with listening(worker_app(ScriptedPool(reply(head(connection="close"), b"x")))) as served:
            assert split(await served.talk(request(close=False)))[1]["connection"] == ["close"]

    run(main())


def test_a_stream_is_chunked_and_ends(listening: Listening) -> None:
    async def main() -> None:
        stream = streamed((head(200, x="1"), b"a"), (b"", b"bc"), (b"", b""))
        async with listening(worker_app(ScriptedPool(stream))) as served:
            status, headers, body = split(await served.talk(request()))
            assert (status, headers["x"], headers["transfer-encoding"]) == (200, ["1"], ["chunked"])
            assert dechunk(body) == b"abc"

    run(main())


def test_each_chunk_reaches_the_client_before_the_next_one_exists(listening: Listening) -> None:
    async def main() -> None:
        stream = OpenStream()
        async with listening(worker_app(ScriptedPool(Reply(head(), b"first", JSON, stream)))) as served:
            client = await served.connect()
            await client.send(request())
            await client.until(b"first")
            stream.feed(b"second")
            await client.until(b"second")
            client.close()

    run(main())


def test_trailers_follow_the_body_for_a_client_that_accepts_them(listening: Listening) -> None:
    async def main() -> None:
        context = b'{"status":200,"headers":{"Trailer":["X-T"],"X-T":["1"]}}'
        for answer in (reply(context, b"abc"), streamed((context, b"a"), (b"", b"bc"))):
            async with listening(worker_app(ScriptedPool(answer))) as served:
                _, headers, body = split(await served.talk(request(te="trailers")))
                assert "x-t" not in headers
                assert body.lower().endswith(b"0\r\nx-t: 1\r\n\r\n")

    run(main())


@pytest.mark.parametrize("length", [None, "100"])
def test_a_worker_that_fails_in_mid_stream_closes_the_connection_so_that_the_client_notices(
    listening: Listening, length: str | None
) -> None:
    async def main() -> None:
        context = head() if length is None else head(content_length=length)
        stream = streamed((context, b"abc"), WorkerFailed("boom", 1))
        async with listening(worker_app(ScriptedPool(stream))) as served:
            _, headers, body = split(await served.talk(request(close=False)))
            if length is None:
                assert headers["transfer-encoding"] == ["chunked"]
                assert body == b"3\r\nabc\r\n"  # no last chunk
            else:
                assert (headers["content-length"], body) == (["100"], b"abc")

    run(main())


def test_an_interim_response_is_sent_when_it_comes_also_without_a_request_log() -> None:
    """Without a log of requests, and without middleware, no ASGI application runs before the worker's reply."""

    async def main() -> None:
        stream = OpenStream()
        hints = Reply(head(103, link="</a.css>; rel=preload"), b"", JSON, stream)
        async with serve(worker_app(ScriptedPool(hints))) as served:
            client = await served.connect()
            await client.send(request())
            interim = await client.until(b"\r\n\r\n")
            assert interim == b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
            client.abort()

    run(main())


def test_a_stream_that_breaks_off_resets_a_connection_whose_end_would_end_the_response() -> None:
    async def main() -> None:
        stream = OpenStream()
        async with serve(worker_app(ScriptedPool(Reply(head(), b"first", JSON, stream)))) as served:
            client = await served.connect()
            await client.send(b"GET / HTTP/1.0\r\n\r\n")
            raw = await client.until(b"first")
            assert b"Connection: close" in raw
            assert b"Transfer-Encoding" not in raw
            stream.frames.put_nowait(WorkerFailed("boom", 1))
            assert await client.rest() == b"<reset>"
            client.close()

    run(main())


@pytest.mark.parametrize("hard", [False, True])
def test_a_client_that_disconnects_in_mid_stream_stops_the_worker(listening: Listening, hard: bool) -> None:
    async def main() -> None:
        stream = OpenStream()
        async with listening(worker_app(ScriptedPool(Reply(head(), b"first", JSON, stream)))) as served:
            client = await served.connect()
            await client.send(request())
            await client.until(b"first")
            client.abort() if hard else client.close()
            async with asyncio.timeout(PATIENCE):
                while not stream.given_up.is_set():
                    stream.feed(b"more")
                    await asyncio.wait([asyncio.ensure_future(stream.given_up.wait())], timeout=0.01)

    run(main())


def test_a_client_that_reads_slowly_pauses_the_worker(listening: Listening) -> None:
    class Endless:
        def __init__(self) -> None:
            self.sent = 0
            self.quiet = asyncio.Event()

        def __aiter__(self) -> AsyncIterator[Chunk]:
            return self

        async def __anext__(self) -> Chunk:
            self.sent += 1
            return Chunk(b"", b"x" * 65536, JSON)

        async def abort(self) -> None: ...

        def drop(self) -> None: ...

    async def main() -> None:
        stream = Endless()
        async with listening(worker_app(ScriptedPool(Reply(head(), b"", JSON, stream)))) as served:
            client = await served.connect()
            await client.send(request())
            await client.until(b"\r\n\r\n")
            last = -1
            async with asyncio.timeout(PATIENCE):
                while stream.sent != last:  # until the server requests no more
                    last = stream.sent
                    await asyncio.sleep(0.3)
            assert last * 65536 < 64 << 20
            client.abort()

    run(main())


def test_a_unix_socket_serves_and_is_removed(listening: Listening, tmp_path: Path) -> None:
    async def main() -> None:
        pool = ScriptedPool(HELLO)
        path = tmp_path / "rr.sock"
        async with listening(worker_app(pool), path) as served:
            assert split(await served.talk(request()))[2] == b"hello"
            assert pool.context["remoteAddr"] == "127.0.0.1"
        assert not path.exists()

    run(main())


def test_a_websocket_handshake_reaches_the_worker_as_a_get(listening: Listening) -> None:
    async def main() -> None:
        pool = ScriptedPool(reply(head(426), b"no websockets here"))
        async with listening(worker_app(pool)) as served:
            status, _, body = split(
                await served.talk(
                    request(
                        close=False,
                        connection="Upgrade",
                        upgrade="websocket",
                        sec_websocket_version="13",
                        sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ==",
                    )
                )
            )
            assert (status, body) == (426, b"no websockets here")
        assert pool.context["method"] == "GET"

    run(main())


class SlowPool(ScriptedPool):
    """Replies when the test allows it."""

    def __init__(self) -> None:
        super().__init__(HELLO)
        self.working = asyncio.Event()
        self.go_on = asyncio.Event()

    async def exec(self, payload: Any, **options: Any) -> Reply:
        self.working.set()
        await self.go_on.wait()
        return await super().exec(payload, **options)


def test_after_a_take_over_each_connection_closes_with_a_response_that_says_so(listening: Listening) -> None:
    """Also a response whose request came before; one whose head was sent before leaves its connection open."""
    waiting, go = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        if scope["path"] == "/begun":
            await send(start)
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        waiting.set()
        await go.wait()
        if scope["path"] != "/begun":
            await send(start)
        await send({"type": "http.response.body", "body": b"whole"})

    async def main() -> None:
        async with listening(app) as served:
            begun, asked = await served.connect(), await served.connect()
            await begun.send(request("GET", "/begun", close=False))
            await begun.until(b"half")
            waiting.clear()
            await asked.send(request("GET", "/asked", close=False))
            async with asyncio.timeout(PATIENCE):
                await waiting.wait()
            served.listener.close_after_response()
            go.set()
            _, headers, body = split(await asked.rest())
            assert (body, headers["connection"]) == (b"whole", ["close"])
            await begun.until(b"0\r\n\r\n")
            await begun.send(request("GET", "/next", close=False))
            _, headers, body = split(await begun.rest())
            assert (body, headers["connection"]) == (b"whole", ["close"])
            begun.close()
            asked.close()

    run(main())


def test_stopping_refuses_connections_and_finishes_running_requests(listening: Listening) -> None:
    async def main() -> None:
        pool = SlowPool()
        async with listening(worker_app(pool)) as served, asyncio.timeout(PATIENCE):
            client, idle = await served.connect(), await served.connect()
            await idle.send(request(close=False))
            await client.send(request(close=False))
            await pool.working.wait()
            served.listener.refuse()
            with pytest.raises(ConnectionRefusedError):
                await served.connect()
            finishing = asyncio.create_task(served.listener.finish(PATIENCE))
            pool.go_on.set()
            assert split(await client.rest())[2] == b"hello"
            await finishing
            idle.close()
            client.close()

    run(main())


def test_stopping_cancels_requests_that_run_after_the_grace_period(
    listening: Listening, capfd: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        pool = SlowPool()
        async with listening(worker_app(pool)) as served, asyncio.timeout(PATIENCE):
            client = await served.connect()
            await client.send(request())
            await pool.working.wait()
            served.listener.refuse()
            await served.listener.finish(0.0)
            await served.listener.run()
            assert b"hello" not in await client.rest()
            client.close()

    run(main())
    assert "Traceback" not in capfd.readouterr().err


def test_nothing_is_written_to_the_terminal_in_normal_operation(
    listening: Listening, capfd: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        async with listening(worker_app(ScriptedPool(HELLO))) as served:
            await served.talk(request())
            await served.talk(b"garbage\r\n\r\n")
            reset = socket.create_connection(("127.0.0.1", served.port))
            reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            reset.sendall(b"GET / HTTP/1.1\r\n")
            reset.close()
            await served.talk(request())

    run(main())
    assert capfd.readouterr() == ("", "")
