"""A FastCGI listener with web servers that send valid, malformed, or no requests."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.plugins.http.protocols.fastcgi.records import Status, Type, read_pairs, record, write_pairs
from support.asgi import ScriptedPool, worker_app
from support.fastcgi import WebServer, ask, begin, params, responding
from support.pools import run

OK = b"content-length: 2\r\n\r\nok"
MB = 1 << 20


def exchange(*data: bytes, app: ASGIApp | None = None) -> bytes:
    """Send data and return the response."""

    async def main() -> bytes:
        async with responding(app or worker_app(ScriptedPool())) as responder:
            server = await responder.connect()
            for piece in data:
                await server.send(piece)
            answer = await server.answer()
            server.close()
            return answer

    return run(main())


def test_a_connection_is_reused() -> None:
    async def main() -> None:
        async with responding(worker_app(ScriptedPool())) as responder:
            server = await responder.connect()
            for ident in (1, 2, 1):
                await server.send(ask(ident))
                assert (await server.answer()).endswith(OK)
            server.close()

    run(main())


def test_a_connection_is_closed_if_the_web_server_requests_it() -> None:
    async def main() -> None:
        async with responding(worker_app(ScriptedPool())) as responder:
            server = await responder.connect()
            await server.send(ask(keep=False))
            assert (await server.answer()).startswith(b"Status: 200 OK\r\n")
            assert await server.next() is None
            server.close()

    run(main())


def test_a_request_may_arrive_byte_by_byte() -> None:
    data = ask(body=b"hello")
    pool = ScriptedPool()
    exchange(*(data[at : at + 1] for at in range(len(data))), app=worker_app(pool))
    assert (pool.asked[0].body, pool.context["method"]) == (b"hello", "POST")


def test_a_large_body_and_a_large_response_pass() -> None:
    body = bytes(range(256)) * (4 * MB // 256)

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": more})

    assert exchange(ask(body=body), app=echo).partition(b"\r\n\r\n")[2] == body


def test_a_web_server_that_reads_slowly_pauses_the_application() -> None:
    sent = 0

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(MB), "more_body": True})
                sent += 1
        except OSError:
            await done.put(sent)

    async def main() -> None:
        async with responding(endless) as responder:
            server = await responder.connect()
            await server.send(ask())
            assert await server.next() is not None
            before = -1
            while before != sent:  # until no more is sent
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 64
            server.close()
            async with asyncio.timeout(20):
                await done.get()

    done: asyncio.Queue[int] = asyncio.Queue()
    run(main())


def test_a_body_is_read_as_fast_as_the_application_consumes_it() -> None:
    taken = asyncio.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await taken.wait()
        size = 0
        more = True
        while more:
            message = await receive()
            size += len(message["body"])
            assert len(message["body"]) <= MB  # the queued part; the rest was left in the socket
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % size})

    async def main() -> bytes:
        async with responding(late) as responder:
            server = await responder.connect()
            sending = asyncio.create_task(server.send(ask(body=bytes(32 * MB))))
            done, _ = await asyncio.wait([sending], timeout=0.3)
            assert not done
            taken.set()
            answer = await server.answer()
            server.close()
            return answer

    assert run(main()).endswith(b"%d" % (32 * MB))


def test_a_second_request_on_the_connection_is_refused_and_the_first_continues() -> None:
    async def main() -> None:
        async with responding(worker_app(ScriptedPool())) as responder:
            server = await responder.connect()
            await server.send(begin(1) + begin(2))
            refused = await server.next()
            assert refused is not None
            assert (refused.type, refused.id, refused.content[4]) == (Type.END_REQUEST, 2, Status.CANT_MPX_CONN)
            await server.send(params(1) + params(2) + record(Type.STDIN, 2) + record(Type.STDIN, 1))
            assert (await server.answer()).endswith(OK)
            server.close()

    run(main())


def test_another_role_is_refused() -> None:
    async def main() -> None:
        async with responding(worker_app(ScriptedPool())) as responder:
            server = await responder.connect()
            await server.send(begin(1, role=3))
            refused = await server.next()
            assert refused is not None
            assert (refused.type, refused.content[4]) == (Type.END_REQUEST, Status.UNKNOWN_ROLE)
            await server.send(ask(1))
            assert (await server.answer()).endswith(OK)
            server.close()

    run(main())


def test_get_values_has_a_reply() -> None:
    async def main() -> None:
        async with responding(worker_app(ScriptedPool())) as responder:
            server = await responder.connect()
            names = {b"FCGI_MPXS_CONNS": b"", b"FCGI_MAX_CONNS": b"", b"nonsense": b""}
            await server.send(record(Type.GET_VALUES, 0, write_pairs(names)) + record(Type.DATA, 0))
            values = await server.next()
            assert values is not None
            assert (values.type, read_pairs(values.content)) == (Type.GET_VALUES_RESULT, {b"FCGI_MPXS_CONNS": b"0"})
            unknown = await server.next()
            assert unknown is not None
            assert (unknown.type, unknown.content[0]) == (Type.UNKNOWN_TYPE, Type.DATA)
            server.close()

    run(main())


def test_an_aborted_request_ends_and_the_connection_stays_open() -> None:
    aborted: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["raw_path"] == b"/wait":
            aborted.append((await receive())["type"])
            try:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            except OSError:
                aborted.append("gone")
            return
        await worker_app(ScriptedPool())(scope, receive, send)

    async def main() -> None:
        async with responding(app) as responder:
            server = await responder.connect()
            await server.send(begin(1) + params(1, REQUEST_URI="/wait") + record(Type.ABORT_REQUEST, 1))
            ended = await server.next()
            assert ended is not None
            assert (ended.type, ended.id) == (Type.END_REQUEST, 1)
            await server.send(ask(2))
            assert (await server.answer()).endswith(OK)
            server.close()
        assert aborted == ["http.disconnect", "gone"]

    run(main())


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: ex.com\r\n\r\n",
        b"\0" * 64,
        record(Type.BEGIN_REQUEST, 1, b"\0"),
        begin(1) + record(Type.PARAMS, 1, b"\x05") + record(Type.PARAMS, 1) + record(Type.STDIN, 1),
        begin(1) + params(1) + record(Type.PARAMS, 1, b"\1\1ab"),
        begin(1) + record(Type.PARAMS, 1, b"x" * 65_535) * 17,
    ],
    ids=["http", "zeros", "a short begin", "cut variables", "late variables", "endless variables"],
)
def test_garbage_closes_its_connection_and_no_other(data: bytes) -> None:
    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    async def main() -> None:
        pool = ScriptedPool()
        async with responding(worker_app(pool)) as responder:
            good, bad = await responder.connect(), await responder.connect()
            await bad.send(data)
            while await bad.next() is not None:
                pass
            await good.send(ask())
            assert (await good.answer()).endswith(OK)
            good.close()
            bad.close()

    run(main())


def test_records_of_unknown_requests_are_ignored() -> None:
    stray = record(Type.STDIN, 9, b"x") + record(Type.ABORT_REQUEST, 9) + record(Type.PARAMS, 9) + record(Type.DATA, 1)
    assert exchange(stray, ask()).endswith(OK)


def test_a_response_before_the_end_of_the_body_reaches_the_web_server() -> None:
    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    async def main() -> None:
        async with responding(early) as responder:
            server = await responder.connect()
            whole = ask(1, bytes(8 * MB), keep=False)
            sending = asyncio.create_task(server.send(whole))
            assert (await server.answer()).endswith(b"no")
            await sending  # the body was read to its end: a reset could lose the response
            assert await server.next() is None
            server.close()

    run(main())


def test_an_incomplete_response_closes_the_connection() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async def main() -> list[int]:
        async with responding(broken) as responder:
            server = await responder.connect()
            await server.send(ask())
            seen = []
            while (found := await server.next()) is not None:
                seen.append(found.type)
            server.close()
            return seen

    assert Type.END_REQUEST not in run(main())


def test_stopping_finishes_a_running_request_and_closes_idle_connections() -> None:
    go = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        started.set()
        await go.wait()
        await worker_app(ScriptedPool())(scope, receive, send)

    async def main() -> None:
        async with responding(slow) as responder:
            busy, idle = await responder.connect(), await responder.connect()
            await busy.send(ask())
            await started.wait()
            await idle.send(record(Type.GET_VALUES, 0))  # the reply shows that the connection was accepted
            assert await idle.next() is not None
            responder.listener.refuse()
            assert await idle.next() is None
            with pytest.raises(OSError):
                await responder.connect()
            go.set()
            assert (await busy.answer()).endswith(OK)
            assert await busy.next() is None
            await responder.listener.finish(20)
            busy.close()
            idle.close()

    started = asyncio.Event()
    run(main())


def test_requests_that_do_not_end_in_time_are_cancelled() -> None:
    async def forever(scope: Scope, receive: Receive, send: Send) -> None:
        started.set()
        await asyncio.Event().wait()

    async def main() -> None:
        async with responding(forever) as responder:
            server: WebServer = await responder.connect()
            await server.send(ask())
            await started.wait()
            responder.listener.refuse()
            await responder.listener.finish(0.01)
            assert await server.next() is None
            server.close()

    started = asyncio.Event()
    run(main())
