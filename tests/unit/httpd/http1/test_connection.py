"""One connection of the HTTP/1 server: its deadlines, buffers, ends. No socket, virtual time."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.asgi import CLIENT, Message, Receive, Scope, Send
from pyroadrunner.httpd.limits import Limits
from support.http1 import CHUNKED, GET, POST, Recorder, Wire, answers, body, start
from support.log import logged
from support.virtual_time import in_virtual_time, turns

KB = 1 << 10
LIMITS = Limits(
    head_timeout=30, idle_timeout=300, body_timeout=60, write_timeout=90, max_head=4 * KB, max_buffer=16 * KB
)
TEN_TO_ONE = b"GET /10 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"


def status(client: Wire) -> int:
    return int(client.received.split(b" ", 2)[1])


# -- deadlines -------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_client_that_sends_nothing_is_disconnected_after_the_head_timeout() -> None:
    client = Wire(Recorder(), LIMITS)
    await asyncio.sleep(29)
    assert not client.closed
    await asyncio.sleep(2)
    assert client.closed
    assert client.received == b""


@in_virtual_time
async def test_a_head_that_trickles_gets_408_after_the_head_timeout() -> None:
    client = Wire(Recorder(), LIMITS)
    for byte in b"GET / HTTP/1.1\r\nHost: abcdefghijklmnopqrstuvwxyz":
        client.send(bytes((byte,)))
        await asyncio.sleep(1)
    assert status(client) == 408
    assert client.closed
    assert client.listener.refusals.counts == {"timeout": 1}


@in_virtual_time
async def test_the_time_of_a_head_starts_with_its_first_byte() -> None:
    client = Wire(Recorder(), LIMITS)
    client.send(GET)
    await asyncio.sleep(250)
    client.send(GET[:10])
    await asyncio.sleep(28)
    client.send(GET[10:])
    await turns()
    assert client.received.count(b"200 OK") == 2


@in_virtual_time
async def test_blank_lines_do_not_extend_the_time_of_the_first_head() -> None:
    client = Wire(Recorder(), LIMITS)
    for _ in range(40):
        client.send(b"\n\r")
        await asyncio.sleep(1)
    assert client.closed


@in_virtual_time
async def test_a_kept_connection_is_closed_after_the_idle_timeout() -> None:
    client = Wire(Recorder(), LIMITS)
    client.send(GET)
    await asyncio.sleep(299)
    assert not client.closed
    await asyncio.sleep(2)
    assert client.closed
    assert status(client) == 200


@in_virtual_time
async def test_the_idle_timeout_does_not_cut_a_response_that_the_client_still_reads() -> None:
    client = Wire(Recorder(bytes(100 * KB)), Limits(idle_timeout=5, write_timeout=60))
    client.transport.stalled = True
    client.send(GET)
    for _ in range(17):
        await asyncio.sleep(1)
        client.transport.read(6 * KB)
    assert client.received.endswith(bytes(100 * KB))


@pytest.mark.parametrize("head", [POST % (100, b""), CHUNKED + b"64\r\n"])
def test_a_body_without_progress_gets_408(head: bytes) -> None:
    @in_virtual_time
    async def run() -> None:
        app = Recorder()
        client = Wire(app, LIMITS)
        client.send(head + b"abc")
        for _ in range(3):  # progress extends the time
            await asyncio.sleep(50)
            client.send(b"d")
        assert not client.closed
        await asyncio.sleep(62)
        assert status(client) == 408
        assert client.closed
        await turns()
        assert app.ended == ["disconnect"]
        assert app.asked == []

    run()


@in_virtual_time
async def test_a_body_has_no_deadline_while_the_application_does_not_read_it() -> None:
    read = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read.wait()
        while (await receive())["more_body"]:
            pass
        await send(start())
        await send(body(b"read"))

    client = Wire(app, LIMITS)
    client.send(POST % (64 * KB, b""), bytes(20 * KB))
    assert not client.transport.reading
    await asyncio.sleep(200)
    assert not client.closed
    read.set()
    await turns()
    assert client.transport.reading
    client.send(bytes(44 * KB))
    await turns()
    assert client.received.endswith(b"read")


@in_virtual_time
async def test_a_client_that_stops_reading_is_disconnected_after_the_write_timeout() -> None:
    client = Wire(Recorder(bytes(64 * KB)), LIMITS)
    client.transport.stalled = True
    client.send(GET)
    for _ in range(5):
        await asyncio.sleep(80)
        client.transport.read(KB)
    assert not client.transport.lost
    await asyncio.sleep(93)
    assert client.transport.aborted
    assert client.listener.refusals.counts == {"write": 1}


@in_virtual_time
async def test_a_closed_connection_that_is_not_read_is_dropped_too() -> None:
    client = Wire(Recorder(bytes(64 * KB)), LIMITS)
    client.transport.stalled = True
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    await asyncio.sleep(93)
    assert client.transport.aborted


# -- buffers and pipelines -------------------------------------------------------------------------------------------


@in_virtual_time
async def test_pipelined_requests_run_one_after_the_other() -> None:
    app = Recorder()
    app.go_on.clear()
    client = Wire(app, LIMITS)
    client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(20)))
    await turns()
    assert [path for _, path, _ in app.asked] == [b"/0"]
    app.go_on.set()
    await turns(200)
    assert [path for _, path, _ in app.asked] == [b"/%d" % number for number in range(20)]
    assert client.received.count(b"200 OK") == 20


@in_virtual_time
async def test_what_is_sent_ahead_is_bounded() -> None:
    app = Recorder()
    app.go_on.clear()
    client = Wire(app, LIMITS)
    client.send(GET, *[GET * 10] * 1000)
    await turns()
    assert not client.transport.reading
    assert len(app.asked) == 1
    app.go_on.set()
    await turns(5000)
    assert client.transport.reading
    assert LIMITS.max_buffer // len(GET) <= len(app.asked) <= LIMITS.max_buffer // len(GET) + 12


@in_virtual_time
async def test_no_further_request_is_served_while_the_client_does_not_read_the_responses() -> None:
    app = Recorder(bytes(10 * KB))
    client = Wire(app, LIMITS)
    client.transport.stalled = True
    client.send(GET * 100)
    await turns(1000)
    assert len(app.asked) <= 3
    assert client.transport.peak < 40 * KB
    while client.transport.get_write_buffer_size():
        client.transport.read(KB)
        await turns(20)
    assert len(app.asked) == 100


@in_virtual_time
async def test_requests_that_arrive_while_the_client_does_not_read_wait_too() -> None:
    app = Recorder(bytes(20 * KB))
    client = Wire(app, LIMITS)
    client.transport.stalled = True
    for _ in range(2000):
        client.send(GET)
        await turns(3)
    assert len(app.asked) == 1
    assert not client.transport.reading
    client.transport.stalled = False
    client.transport.read()
    await turns(5000)
    assert len(app.asked) > 500
    assert client.transport.reading


@in_virtual_time
async def test_pipelined_requests_before_a_closed_sending_side_are_all_served() -> None:
    client = Wire(Recorder(), LIMITS)
    client.send(GET * 3)
    client.finish()
    await turns(50)
    assert client.received.count(b"200 OK") == 3
    assert client.transport.lost


@in_virtual_time
async def test_a_body_waits_until_the_application_reads_it() -> None:
    sizes = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            sizes.append(len(message["body"]))
            more = message["more_body"]
        await send(start())
        await send(body())

    client = Wire(app, LIMITS)
    client.send(POST % (100 * KB, b""), *[bytes(KB)] * 100)
    sent = 0
    while not client.received:
        await turns()
        client.send(bytes(KB))
        sent += 1
        assert sent < 200
    assert sum(sizes) == 100 * KB
    assert max(sizes) <= 18 * KB


# -- clients that leave ----------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_client_that_closes_its_sending_side_gets_its_response() -> None:
    app = Recorder()
    app.go_on.clear()
    client = Wire(app, LIMITS)
    client.send(POST % (2, b"") + b"ab")
    await turns()
    client.finish()
    app.go_on.set()
    await turns()
    assert status(client) == 200
    assert client.transport.lost
    assert app.ended == ["ok"]


@in_virtual_time
async def test_a_client_that_closes_in_the_middle_of_a_body_has_left() -> None:
    app = Recorder()
    client = Wire(app, LIMITS)
    client.send(POST % (9, b"") + b"ab")
    await turns()
    client.finish()
    await turns()
    assert app.ended == ["disconnect"]
    assert client.transport.lost


@in_virtual_time
async def test_a_reset_cancels_a_request_that_runs() -> None:
    app = Recorder()
    app.go_on.clear()
    client = Wire(app, LIMITS)
    client.send(GET)
    await turns()
    client.reset()
    await turns()
    assert app.ended == ["cancelled"]
    assert client.listener._connections == set()


@in_virtual_time
async def test_an_application_whose_client_leaves_at_once_still_ends() -> None:
    app = Recorder()
    app.go_on.clear()
    client = Wire(app, LIMITS)
    client.send(GET)
    client.connection.connection_lost(None)
    await turns()
    assert app.ended == ["cancelled"]


@in_virtual_time
async def test_a_reset_ends_a_request_that_waits_for_its_body() -> None:
    app = Recorder()
    client = Wire(app, LIMITS)
    client.send(POST % (9, b""))
    await turns()
    client.reset()
    await turns()
    assert app.ended == ["disconnect"]


@pytest.mark.parametrize("leave", ["finish", "reset"])
def test_a_client_that_leaves_in_the_middle_of_a_stream_cancels_it(leave: str) -> None:
    @in_virtual_time
    async def run() -> None:
        ended = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send(start())
            await send(body(b"first", more=True))
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        client = Wire(app, LIMITS)
        client.send(GET)
        await turns()
        getattr(client, leave)()
        await turns()
        assert ended == ["cancelled"]
        assert client.transport.lost

    run()


@pytest.mark.parametrize(("leave", "gone"), [("finish", [False]), ("reset", [True])])
def test_an_application_may_learn_itself_that_the_client_has_left(leave: str, gone: list[bool]) -> None:
    @in_virtual_time
    async def run() -> None:
        found: list[bool] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope[CLIENT].on_left = found.append
            await asyncio.sleep(1)
            await send(start())
            await send(body(b"late"))

        client = Wire(app, LIMITS)
        client.send(GET)
        await turns()
        getattr(client, leave)()
        assert client.transport.lost or found == gone
        await asyncio.sleep(2)
        assert found == gone
        assert client.received.endswith(b"late") == (leave == "finish")

    run()


@in_virtual_time
async def test_sending_to_a_client_that_has_gone_raises() -> None:
    raised: list[type[BaseException]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope[CLIENT].on_left = lambda gone: None
        await send(start())
        try:
            while True:
                await send(body(bytes(4 * KB), more=True))
        except OSError as error:
            raised.append(type(error))

    client = Wire(app, LIMITS)
    client.transport.stalled = True
    client.send(GET)
    await turns()
    assert client.transport.peak <= 24 * KB
    client.reset()
    await turns()
    assert raised == [ConnectionResetError]


@in_virtual_time
async def test_an_application_that_does_not_wait_may_write_to_a_closed_transport() -> None:
    """The transport closes by itself at an error, before the connection is told."""
    raised: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"a", more=True))
        client.reset()
        try:
            await send(body(b"b", more=True))
            await send(body(b"c"))
        except Exception as error:
            raised.append(error)

    client = Wire(app, LIMITS)
    with logged("http") as log:
        client.send(GET)
        await turns(20)
    assert raised == []
    assert log.of("request failed") == []


# -- responses before the end of the body ----------------------------------------------------------------------------


@in_virtual_time
async def test_a_small_body_that_is_not_read_is_drained_and_the_connection_kept() -> None:
    client = Wire(answers(start(), body(b"early")), LIMITS)
    client.send(POST % (100 * KB, b"") + b"ab")
    await turns()
    assert client.take().endswith(b"early")
    client.send(bytes(50 * KB), bytes(50 * KB - 2) + GET)
    await turns()
    assert client.received.endswith(b"early")
    assert not client.closed


@pytest.mark.parametrize("head", [POST % (1 << 20, b""), CHUNKED])
def test_a_large_body_that_is_not_read_closes_the_connection_after_the_response(head: bytes) -> None:
    @in_virtual_time
    async def run() -> None:
        client = Wire(answers(start(413), body(b"early")), LIMITS)
        client.send(head)
        await turns()
        assert b"Connection: close" in client.received
        assert client.received.endswith(b"early")
        assert client.transport.ended
        assert not client.transport.lost
        for _ in range(100):
            client.send(bytes(10 * KB))  # is read and dropped
        assert not client.transport.lost
        await asyncio.sleep(3)
        assert client.transport.lost

    run()


@in_virtual_time
async def test_a_body_that_stops_while_it_is_drained_closes_the_connection() -> None:
    read = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read.wait()
        await send(start())
        await send(body(b"early"))

    client = Wire(app, LIMITS)
    client.send(POST % (100 * KB, b""), bytes(20 * KB))
    assert not client.transport.reading
    read.set()
    await turns()
    assert client.transport.reading
    await asyncio.sleep(65)
    assert client.transport.lost


@in_virtual_time
async def test_a_client_that_leaves_while_its_body_is_drained_is_forgotten_at_once() -> None:
    client = Wire(answers(start(), body(b"early")), LIMITS)
    client.send(POST % (100, b""))
    await turns()
    client.finish()
    await turns()
    assert client.transport.lost


@in_virtual_time
async def test_a_slow_reader_gets_the_whole_early_response_although_its_body_is_not_read() -> None:
    client = Wire(answers(start(), body(bytes(30 * KB))), LIMITS)
    client.transport.stalled = True
    client.send(POST % (1 << 20, b""))
    for _ in range(40):
        await asyncio.sleep(1)
        client.transport.read(KB)
    assert client.received.endswith(bytes(30 * KB))
    await asyncio.sleep(3)
    assert client.transport.lost


# -- 100 Continue ----------------------------------------------------------------------------------------------------

EXPECTING = POST % (2, b"Expect: 100-continue\r\n")


@in_virtual_time
async def test_100_is_sent_when_the_body_is_read() -> None:
    app = Recorder()
    client = Wire(app, LIMITS)
    client.send(EXPECTING)
    await turns()
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"ab")
    await turns()
    assert client.received.startswith(b"HTTP/1.1 200 OK")
    assert app.asked[0][2] == b"ab"


@in_virtual_time
async def test_100_is_not_sent_if_the_body_is_not_wanted_and_the_connection_closes() -> None:
    # The client may send the body or not, so the next request can't be found.
    client = Wire(answers(start(403), body(b"no")), LIMITS)
    client.send(EXPECTING)
    await turns()
    assert client.received.startswith(b"HTTP/1.1 403")
    assert b"Connection: close\r\n" in client.received
    assert client.transport.ended


@in_virtual_time
async def test_100_is_not_sent_if_the_body_has_arrived() -> None:
    client = Wire(Recorder(), LIMITS)
    client.send(EXPECTING + b"a")
    await turns()
    client.send(b"b")
    await turns()
    assert client.received.startswith(b"HTTP/1.1 200")
    assert not client.closed


@in_virtual_time
async def test_100_is_not_sent_in_the_middle_of_a_response() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, (b"content-length", b"4")))
        await send(body(b"ab", more=True))
        await receive()
        await send(body(b"cd"))

    client = Wire(app, LIMITS)
    client.send(EXPECTING)
    await turns()
    client.send(b"xy")
    await turns()
    assert b"100 Continue" not in client.received
    assert client.received.endswith(b"abcd")


@in_virtual_time
async def test_a_client_of_http_10_gets_no_100() -> None:
    client = Wire(Recorder(), LIMITS)
    client.send(EXPECTING.replace(b"1.1", b"1.0"))
    await turns()
    assert client.received == b""
    client.send(b"ab")
    await turns()
    assert client.received.startswith(b"HTTP/1.0 200")


# -- malformed requests ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET / HTTP/1.1\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nX: " + bytes(b"x" * 5 * KB), 431),
        (CHUNKED + b"xyz", 400),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_malformed_request_is_refused_at_once_and_the_rest_ignored(data: bytes, expected: int, whole: bool) -> None:
    @in_virtual_time
    async def run() -> None:
        app = Recorder()
        client = Wire(app, LIMITS)
        client.send(*([data] if whole else [data[at : at + 1] for at in range(len(data))]))
        client.send(b"\r\n\r\n" + GET)
        await turns()
        assert status(client) == expected
        assert client.received.count(b"HTTP/1.1") == 1
        assert app.asked == []
        await asyncio.sleep(3)
        assert client.transport.lost

    run()


@in_virtual_time
async def test_a_body_that_turns_out_malformed_after_the_start_of_the_response_resets_the_connection() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send(body(message.get("body", b""), more=True))

    client = Wire(app, LIMITS)
    client.send(CHUNKED + b"3\r\nabc\r\n")
    await turns()
    client.send(b"zzz\r\n")
    await turns()
    assert client.received.endswith(b"3\r\nabc\r\n")
    assert client.transport.aborted


# -- applications ----------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_an_application_that_raises_gives_500_and_a_log_line() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("what it was")

    client = Wire(app, LIMITS)
    with logged("http") as log:
        client.send(GET)
        await turns()
    assert status(client) == 500
    assert client.closed
    [line] = log.of("request failed")
    assert "what it was" in line["error"]


@in_virtual_time
async def test_an_application_that_raises_when_it_is_called_gives_500() -> None:
    def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError

    client = Wire(app, LIMITS)  # type: ignore[arg-type]
    client.send(GET)
    await turns()
    assert status(client) == 500


@in_virtual_time
async def test_an_application_that_returns_without_a_response_gives_500_and_a_log_line() -> None:
    client = Wire(answers(), LIMITS)
    with logged("http") as log:
        client.send(GET)
        await turns()
    assert status(client) == 500
    assert client.closed
    assert len(log.of("request failed")) == 1


@pytest.mark.parametrize(
    "messages",
    [
        [body(b"no start")],
        [start(), start()],
        [start(200, (b"x", b"a\r\nb: c"))],
        [start(200, (b"x y", b"a"))],
        [start(200, (b"x:", b"a"))],
        [start(200, (b"", b"a"))],
        [start(200, (b"x", b"a\0"))],
        [start(200, (b"content-length", b"1_0"))],
        [start(200, (b"content-length", b"-1"))],
        [start(200, (b"content-length", b"1"), (b"content-length", b"2"))],
        [start(101)],
        [start(1000)],
    ],
)
def test_an_invalid_response_gives_500(messages: list[Message]) -> None:
    @in_virtual_time
    async def run() -> None:
        client = Wire(answers(*messages, body(b"x")), LIMITS)
        with logged("http") as log:
            client.send(GET)
            await turns()
        assert status(client) == 500
        assert client.received.count(b"HTTP/1.1") == 1
        assert client.closed
        assert len(log.of("request failed")) == 1

    run()


@in_virtual_time
async def test_a_response_that_ends_early_closes_the_connection_after_what_there_is() -> None:
    client = Wire(answers(start(200, (b"content-length", b"9")), body(b"half")), LIMITS)
    client.transport.stalled = True
    client.send(GET)
    await turns()
    client.transport.read()
    assert client.received.endswith(b"half")
    await turns()
    assert client.transport.lost
    assert not client.transport.aborted


# -- the end of the server -------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_stopping_server_announces_the_end_of_a_connection_in_a_response_that_was_running() -> None:
    app = Recorder()
    app.go_on.clear()
    client = Wire(app, LIMITS)
    client.send(GET)
    await turns()
    client.listener.close_after_response()
    app.go_on.set()
    await turns()
    assert b"Connection: close" in client.received
    assert client.transport.lost


@in_virtual_time
async def test_a_stop_is_not_delayed_by_a_client_that_does_not_read() -> None:
    client = Wire(Recorder(bytes(64 * KB)), LIMITS)
    client.transport.stalled = True
    client.send(GET)
    await turns()
    client.listener.refuse()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await client.listener.finish(5)
    assert loop.time() - began <= 7
    assert client.transport.aborted


@in_virtual_time
async def test_a_stop_is_not_delayed_by_a_body_that_is_only_drained() -> None:
    client = Wire(answers(start(), body(b"early")), LIMITS)
    client.send(POST % (100, b""))
    await turns()
    client.listener.refuse()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await client.listener.finish(30)
    assert loop.time() - began <= 3


@in_virtual_time
async def test_a_stop_gives_a_head_that_is_arriving_a_second() -> None:
    app = Recorder()
    quick, slow = Wire(app, LIMITS), Wire(app, LIMITS)
    slow = Wire(app, listener=quick.listener)
    quick.send(GET[:9])
    slow.send(GET[:9])
    quick.listener.refuse()
    await asyncio.sleep(0.5)
    quick.send(GET[9:])
    await asyncio.sleep(3)
    assert status(quick) == 200
    assert status(slow) == 408
    assert quick.listener.done


@in_virtual_time
async def test_requests_that_outlast_the_grace_period_are_cancelled() -> None:
    app = Recorder()
    app.go_on.clear()
    client = Wire(app, LIMITS)
    client.send(GET)
    await turns()
    client.listener.refuse()
    await client.listener.finish(5)
    assert app.ended == ["cancelled"]
    assert client.transport.lost
