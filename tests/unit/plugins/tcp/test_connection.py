"""One connection over a fake transport and a pool whose replies the test gives: its events, their order, its end."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.tcp.connections import CLOSE_TIMEOUT
from pyroadrunner.workers.call import ReplyRule
from pyroadrunner.workers.errors import NoFreeWorker, PoolClosed, WorkerCrashed, WorkerFailed
from support.log import logged
from support.tcp import Scene
from support.virtual_time import in_virtual_time

MB = 1 << 20


class Stream:
    """A streamed reply."""

    dropped = False

    def __aiter__(self) -> Stream:
        raise NotImplementedError

    async def abort(self) -> None:
        raise NotImplementedError

    def drop(self) -> None:
        self.dropped = True


# -- events and verbs --------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_connected_comes_before_anything_is_read() -> None:
    scene = Scene()
    context, body = scene.pool.given[0]
    assert context == {
        "remote_addr": "127.0.0.1:50412",
        "server": "smtp",
        "uuid": scene.connection.uuid,
        "event": "CONNECTED",
    }
    assert body == b""
    scene.send(b"early\r\n")
    assert scene.pool.events == [("CONNECTED", b"")]
    scene.pool.reply("WRITE", b"220 hello\r\n")
    assert scene.transport.written == b"220 hello\r\n"
    assert scene.pool.events == [("CONNECTED", b""), ("DATA", b"early\r\n")]


@in_virtual_time
async def test_each_connection_has_its_own_uuid_of_version_4() -> None:
    scene = Scene()
    other, _ = scene.connect()
    assert scene.connection.uuid != other.uuid
    assert (len(other.uuid), other.uuid[14]) == (36, "4")


@in_virtual_time
async def test_continue_writes_nothing_and_reads_on() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n")
    scene.pool.reply("CONTINUE", b"not written")
    assert scene.transport.written == b""
    scene.send(b"b\r\n")
    assert scene.pool.events[1:] == [("DATA", b"a\r\n"), ("DATA", b"b\r\n")]


@in_virtual_time
async def test_write_writes_the_body_as_it_is() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n")
    scene.pool.reply("WRITE", b"\x00answer")
    assert (scene.transport.written, scene.transport.actions) == (b"\x00answer", [])


@pytest.mark.parametrize(
    ("verb", "written"), [("WRITECLOSE", b"bye"), ("CLOSE", b""), ("", b""), ("close", b""), ("{}", b"")]
)
@in_virtual_time
async def test_the_other_verbs_close_and_close_follows(verb: str, written: bytes) -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n")
    scene.pool.reply(verb, b"bye")
    assert (scene.transport.written, scene.transport.actions) == (written, ["eof"])
    assert scene.pool.events[2:] == [("CLOSE", b"")]
    assert (scene.pool.rules[-1], scene.pool.timeouts[-1]) == (ReplyRule.OPTIONAL, CLOSE_TIMEOUT)
    scene.send(b"after the end\r\n")
    scene.pool.reply("WRITE", b"not written")
    scene.lose()
    assert scene.transport.written == written
    assert len(scene.pool.events) == 3
    assert scene.over


@in_virtual_time
async def test_at_most_one_event_is_at_a_worker_and_the_order_is_kept() -> None:
    scene = Scene()
    scene.send(b"1\r\n", b"2\r\n")
    assert scene.pool.open == 1
    scene.pool.reply("CONTINUE")
    scene.send(b"3\r\n")
    assert scene.pool.open == 1
    scene.pool.reply("WRITE", b"x")
    assert scene.pool.events[1:] == [("DATA", b"1\r\n2\r\n"), ("DATA", b"3\r\n")]


@in_virtual_time
async def test_a_message_may_arrive_byte_by_byte() -> None:
    scene = Scene().connected()
    scene.send(*(bytes([byte]) for byte in b"slow\r\n"))
    assert scene.pool.events[1:] == [("DATA", b"slow\r\n")]


# -- the end of a connection -------------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_end_of_an_idle_client_gives_close_and_closes_the_socket() -> None:
    scene = Scene().connected()
    assert scene.connection.eof_received()
    assert scene.transport.actions == ["close"]
    assert scene.pool.events[1:] == [("CLOSE", b"")]
    scene.lose()
    assert not scene.over
    scene.pool.reply("CONTINUE")
    assert scene.over


@in_virtual_time
async def test_a_half_closed_client_gets_its_reply_first() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n")
    assert scene.connection.eof_received()
    assert (scene.connection.state, scene.transport.actions) == ("half-closed", [])
    scene.pool.reply("WRITE", b"answer")
    assert (scene.transport.written, scene.transport.actions) == (b"answer", ["close"])
    assert scene.pool.events[2:] == [("CLOSE", b"")]


@in_virtual_time
async def test_the_rest_without_a_delimiter_is_the_last_message() -> None:
    scene = Scene().connected()
    scene.send(b"rest")
    scene.connection.eof_received()
    assert scene.pool.events[1:] == [("DATA", b"rest")]
    scene.pool.reply("WRITE", b"answer")
    assert (scene.transport.written, scene.transport.actions) == (b"answer", ["close"])
    assert scene.pool.events[2:] == [("CLOSE", b"")]


@in_virtual_time
async def test_over_tls_the_end_closes_both_sides() -> None:
    scene = Scene(tls=True).connected()
    assert not scene.connection.eof_received()
    assert scene.transport.actions == ["close"]


@in_virtual_time
async def test_a_reset_in_mid_answer_gives_close_after_the_reply() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n", b"half")
    scene.lose(ConnectionResetError())
    assert scene.pool.open == 1
    scene.pool.reply("WRITE", b"nobody reads this")
    assert scene.transport.written == b""
    assert scene.pool.events[2:] == [("CLOSE", b"")]


@in_virtual_time
async def test_a_message_that_had_arrived_is_not_lost_with_the_connection() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n", b"b\r\n")
    scene.lose(ConnectionResetError())
    scene.pool.reply("CONTINUE")
    scene.pool.reply("CONTINUE")
    assert scene.pool.events[1:] == [("DATA", b"a\r\n"), ("DATA", b"b\r\n"), ("CLOSE", b"")]


@in_virtual_time
async def test_a_client_that_leaves_before_a_worker_has_heard_of_it_gives_no_event() -> None:
    scene = Scene()
    scene.pool.reply("CONTINUE")
    scene.pool.waiting = True
    connection, _ = scene.connect()
    connection.connection_lost(None)
    assert scene.pool.open == 0
    assert [event for event, _ in scene.pool.events] == ["CONNECTED", "CONNECTED"]
    assert scene.connections.find(connection.uuid) is None


@in_virtual_time
async def test_an_operator_closes_once() -> None:
    scene = Scene().connected()
    scene.connection.close()
    scene.connection.close()
    assert scene.transport.actions == ["eof"]
    assert scene.pool.events[1:] == [("CLOSE", b"")]


@in_virtual_time
async def test_closing_during_an_event_drops_its_reply() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n")
    scene.connection.close()
    assert scene.pool.open == 1
    scene.pool.reply("WRITE", b"late")
    assert scene.transport.written == b""
    assert scene.pool.events[2:] == [("CLOSE", b"")]


# -- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [WorkerFailed("PHP says no", 7), WorkerCrashed(7, "died", 1, "", "")], ids=["soft", "crash"]
)
@in_virtual_time
async def test_a_failed_event_closes_with_one_log_line_and_one_close(error: Exception) -> None:
    scene = Scene().connected()
    with logged("tcp") as log:
        scene.send(b"a\r\n")
        scene.pool.fail(error)
    [line] = log.of("execute")
    assert (line["event"], line["server"], line["pid"]) == ("DATA", "smtp", 7)
    assert (line["uuid"], line["remote_addr"]) == (scene.connection.uuid, "127.0.0.1:50412")
    assert scene.transport.actions == ["eof"]
    assert scene.pool.events[2:] == [("CLOSE", b"")]
    scene.pool.fail(error)
    scene.lose()
    assert scene.over
    assert scene.listener.errors == 2


@in_virtual_time
async def test_a_streamed_reply_is_stopped_and_closes() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n")
    stream = Stream()
    with logged("tcp") as log:
        scene.pool.reply("WRITE", b"first", stream)
    assert stream.dropped
    assert "streams" in log.of("execute")[0]["error"]
    assert (scene.transport.written, scene.transport.actions) == (b"", ["eof"])
    assert scene.pool.events[2:] == [("CLOSE", b"")]


@pytest.mark.parametrize("error", [NoFreeWorker("tcp", 60.0), PoolClosed("tcp")], ids=["no worker", "stopped"])
@in_virtual_time
async def test_a_connection_that_no_worker_has_heard_of_has_no_close(error: Exception) -> None:
    scene = Scene()
    scene.pool.fail(error)
    assert scene.transport.actions == ["eof"]
    assert scene.pool.events == [("CONNECTED", b"")]


@in_virtual_time
async def test_a_full_queue_closes_and_the_close_event_waits_for_room() -> None:
    scene = Scene().connected()
    scene.pool.full = True
    with logged("tcp") as log:
        scene.send(b"a\r\n")
        assert scene.transport.actions == ["eof"]
        scene.lose()
        scene.connections.tick(0.0)
        assert (len(scene.connections.postponed), scene.over) == (1, False)
    assert log.messages == ["execute: events are refused and their connections closed", "connection was closed"]
    scene.pool.full = False
    scene.connections.tick(1.0)
    assert scene.pool.events == [("CONNECTED", b""), ("CLOSE", b"")]
    scene.pool.reply("CLOSE")
    assert scene.over


@in_virtual_time
async def test_a_reply_makes_room_for_a_postponed_close() -> None:
    scene = Scene().connected()
    other, _ = scene.connect()
    scene.pool.full = True
    scene.send(b"a\r\n")
    scene.pool.full = False
    scene.pool.reply("CONTINUE")
    assert scene.pool.events[-1] == ("CLOSE", b"")
    assert scene.pool.given[-1][0]["uuid"] == scene.connection.uuid
    assert other.state == "open"


@in_virtual_time
async def test_a_connection_that_is_served_goes_before_a_postponed_close() -> None:
    scene = Scene().connected()
    other, transport = scene.connect()
    other.data_received(b"ahead\r\n")
    scene.pool.full = True
    scene.send(b"a\r\n")
    scene.pool.room = 1
    scene.pool.reply("CONTINUE")
    assert scene.pool.events[-1] == ("DATA", b"ahead\r\n")
    assert transport.actions == []
    assert len(scene.connections.postponed) == 1


@in_virtual_time
async def test_a_new_connection_that_a_full_queue_refuses_is_closed_without_an_event() -> None:
    scene = Scene().connected()
    scene.pool.full = True
    connection, transport = scene.connect()
    assert transport.actions == ["eof"]
    connection.connection_lost(None)
    assert scene.connections.find(connection.uuid) is None
    assert len(scene.pool.events) == 1


# -- back-pressure -----------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_bytes_are_read_ahead_up_to_the_limit() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n")
    scene.send(b"x" * (MB - 1))
    assert scene.transport.actions == []
    scene.send(b"x")
    scene.send(b"x\r\n")  # was under way
    assert scene.transport.actions == ["pause"]
    scene.pool.reply("CONTINUE")
    assert len(scene.pool.given[-1][1]) == MB + 3
    scene.pool.reply("CONTINUE")
    assert scene.transport.actions == ["pause", "resume"]


@in_virtual_time
async def test_a_client_that_does_not_read_gets_no_further_event_until_it_does() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n", b"b\r\n")
    scene.connection.pause_writing()
    scene.pool.reply("WRITE", b"large")
    assert scene.pool.open == 0  # no worker is held
    scene.send(b"x" * MB)
    assert scene.transport.actions == ["pause"]
    scene.send(b"\r\n")
    scene.connection.resume_writing()
    assert scene.pool.events[2:] == [("DATA", b"b\r\n" + b"x" * MB + b"\r\n")]


@in_virtual_time
async def test_a_message_that_is_too_large_closes_the_connection() -> None:
    scene = Scene(max_message_size=1).connected()
    with logged("tcp") as log:
        scene.send(b"x" * MB, b"x")
    assert "max_message_size" in log.of("execute")[0]["error"]
    assert scene.transport.actions == ["abort"]
    assert scene.pool.events[1:] == [("CLOSE", b"")]


@in_virtual_time
async def test_writes_of_others_are_refused_while_the_client_does_not_read() -> None:
    scene = Scene().connected()
    assert scene.connection.write(b"pushed")
    scene.connection.pause_writing()
    assert not scene.connection.write(b"more")
    scene.connection.resume_writing()
    scene.connection.close()
    assert not scene.connection.write(b"late")
    assert scene.transport.written == b"pushed"


# -- limits ------------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_connections_over_the_limit_are_closed_at_once() -> None:
    scene = Scene(max_connections=1)
    with logged("tcp") as log:
        for _ in range(3):
            connection, transport = scene.connect()
            assert transport.actions == ["abort"]
            connection.connection_lost(None)
    assert len(scene.pool.events) == 1
    [line] = log.of("connection limit reached; new connections are closed")
    assert line["limit"] == "tcp.servers.smtp.max_connections"
    assert scene.listener.refusals == {"max_connections": 3}
    scene.connected().lose()
    _, transport = scene.connect()
    assert transport.actions == []


@in_virtual_time
async def test_an_idle_connection_is_closed_after_its_time() -> None:
    scene = Scene(idle_timeout=10.0).connected()
    scene.connection.check(1009.0)
    scene.send(b"half a message")
    scene.connection.check(1010.0)
    scene.connection.check(1019.9)
    assert scene.transport.actions == []
    scene.connection.check(1020.0)
    assert scene.transport.actions == ["eof"]
    assert scene.pool.events[1:] == [("CLOSE", b"")]
    assert scene.listener.refusals == {"idle_timeout": 1}


@in_virtual_time
async def test_a_connection_with_an_event_at_a_worker_is_not_idle() -> None:
    scene = Scene(idle_timeout=10.0)
    scene.connection.check(2000.0)
    assert scene.transport.actions == []


@in_virtual_time
async def test_a_client_that_never_reads_is_reset_after_its_time() -> None:
    scene = Scene(write_timeout=10.0).connected()
    scene.send(b"a\r\n")
    scene.pool.reply("WRITE", b"x" * 100)
    scene.transport.unsent = 90
    scene.connection.check(1001.0)
    scene.transport.unsent = 80
    scene.connection.check(1010.0)
    scene.connection.check(1019.9)
    assert scene.transport.actions == []
    scene.connection.check(1020.0)
    assert scene.transport.actions == ["abort"]
    assert scene.pool.events[2:] == [("CLOSE", b"")]
    assert scene.listener.refusals == {"write_timeout": 1}


@in_virtual_time
async def test_a_client_has_a_second_to_close_its_side() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n")
    scene.pool.reply("WRITECLOSE", b"bye")
    scene.transport.unsent = 3
    scene.connection.check(1001.0)
    scene.connection.check(1003.0)
    scene.transport.unsent = 0
    scene.connection.check(1004.0)
    assert scene.transport.actions == ["eof"]
    scene.connection.check(1005.0)
    assert scene.transport.actions == ["eof", "abort"]


@in_virtual_time
async def test_reading_goes_on_after_the_close_to_see_the_clients_end() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n", b"x" * MB)
    scene.pool.reply("CLOSE")
    assert scene.transport.actions == ["pause", "eof", "resume"]
    scene.send(b"dropped")
    assert not scene.connection.eof_received()


# -- the stop ----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_stop_closes_idle_connections_and_waits_for_events() -> None:
    scene = Scene().connected()
    busy, transport = scene.connect()
    scene.listener.stopping = True
    scene.connection.wind_down()
    busy.wind_down()
    assert (scene.transport.actions, transport.actions) == (["close"], [])
    assert scene.pool.events[2:] == [("CLOSE", b"")]
    scene.pool.reply("WRITE", b"hello")
    assert (transport.written, transport.actions) == (b"hello", ["close"])
    assert [event for event, _ in scene.pool.events[3:]] == ["CLOSE"]


@in_virtual_time
async def test_a_stop_does_not_wait_for_a_client_that_does_not_read() -> None:
    scene = Scene(write_timeout=0.0).connected()
    scene.send(b"a\r\n")
    scene.pool.reply("WRITE", b"x" * 100)
    scene.transport.unsent = 90
    scene.connection.check(1001.0)
    scene.connection.check(9000.0)
    assert scene.transport.actions == []
    scene.listener.stopping = True
    scene.connection.wind_down()
    assert scene.transport.actions == ["close"]
    scene.connection.check(9001.0)
    assert scene.transport.actions == ["close", "abort"]


@in_virtual_time
async def test_after_the_grace_connections_are_cut_off() -> None:
    scene = Scene()
    scene.listener.stopping = True
    scene.connection.wind_down()
    scene.connection.give_up()
    assert scene.transport.actions == ["abort"]
    scene.lose()
    assert scene.over
    scene.pool.reply("WRITE", b"late")
    assert scene.transport.written == b""
    assert scene.pool.events == [("CONNECTED", b"")]


@in_virtual_time
async def test_a_connection_that_comes_during_the_stop_is_closed() -> None:
    scene = Scene().connected()
    scene.listener.stopping = True
    _, transport = scene.connect()
    assert transport.actions == ["abort"]
    assert len(scene.pool.events) == 1
