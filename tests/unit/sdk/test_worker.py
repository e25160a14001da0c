"""The worker's side of the exchange, over two real pipes; goridge encodes the server's bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pyroadrunner.goridge.errors import RelayClosed, RemoteFrameError
from pyroadrunner.goridge.frame import PONG, STOP_STREAM, STOP_WORKER, Flag, Frame, Stream, encode, encode_payload
from pyroadrunner.sdk.worker import NoRequest
from support.peer import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


@pytest.fixture
def socket_rig() -> Iterator[Rig]:
    rig = Rig(pings=False)
    yield rig
    rig.close()


def test_the_handshake_reply_has_the_workers_pid_and_no_codec(rig: Rig) -> None:
    rig.server.send(encode(Flag.CONTROL | Flag.JSON, b'{"pid":1234}'))
    rig.server.request(b"{}")
    rig.worker.receive()
    assert rig.server.receive() == Frame(Flag.CONTROL, b'{"pid":%d}' % os.getpid())


def test_the_option_separates_context_and_body(rig: Rig) -> None:
    rig.server.send(bytes.fromhex("14080c000000571523530000070000007b2261223a317d68656c6c6f"))  # vector V5
    payload = rig.worker.receive()
    assert payload is not None
    assert (payload.context, payload.body, payload.codec) == (b'{"a":1}', b"hello", Flag.JSON)


def test_two_requests_that_arrive_at_once_are_received_one_by_one(rig: Rig) -> None:
    rig.server.send(encode_payload(b"1", b"", Flag.JSON) + encode_payload(b"2", b"", Flag.JSON))
    first, second = rig.worker.receive(), rig.worker.receive()
    assert first is not None
    assert second is not None
    assert (first.context, second.context) == (b"1", b"2")


@pytest.mark.parametrize("codec", [0, Flag.RAW, Flag.JSON, Flag.PROTO])
def test_a_response_has_the_codec_of_its_request(rig: Rig, codec: int) -> None:
    rig.accept(codec)
    rig.worker.respond(b"hello", b'{"a":1}')
    assert rig.server.receive() == Frame(codec, b'{"a":1}hello', (7,))


def test_an_error_has_no_options(rig: Rig) -> None:
    rig.accept()
    rig.worker.error("boom")
    rig.server.receive()
    assert rig.server.received.hex() == "134004000000881e11e30000626f6f6d"  # vector V7


def test_stop_requests_a_replacement_in_the_exact_bytes_the_server_expects(rig: Rig) -> None:
    rig.accept(0)
    rig.worker.stop()
    rig.server.receive()
    assert rig.server.received.hex() == "14000d000000f339efdb00000d0000007b2273746f70223a747275657d"  # vector V8


def test_receive_returns_none_after_the_servers_stop_order(rig: Rig) -> None:
    rig.server.send(STOP_WORKER)
    assert rig.worker.receive() is None


def test_receive_returns_none_at_the_end_of_the_relay(rig: Rig) -> None:
    rig.server.hang_up()
    assert rig.worker.receive() is None


def test_the_end_of_the_relay_within_a_frame_is_an_error(rig: Rig) -> None:
    rig.server.send(encode_payload(b"{}", b"hello", Flag.JSON)[:-1])
    rig.server.hang_up()
    with pytest.raises(RelayClosed):
        rig.worker.receive()


@pytest.mark.parametrize("order", [b'{"dance":true}', b"not json", b'{"pid":0}', b'{"x":' + b"[" * 20_000])
def test_an_unknown_order_is_an_error_of_the_server(rig: Rig, order: bytes) -> None:
    rig.server.send(encode(Flag.CONTROL | Flag.JSON, order))
    with pytest.raises(RemoteFrameError):
        rig.worker.receive()


def test_a_context_longer_than_its_frame_is_an_error_of_the_server(rig: Rig) -> None:
    rig.server.send(encode(Flag.JSON, b"short", [6]))
    with pytest.raises(RemoteFrameError):
        rig.worker.receive()


def test_stop_and_pong_after_their_stream_are_ignored(rig: Rig) -> None:
    rig.server.send(STOP_STREAM + PONG)
    rig.accept()
    rig.worker.respond(b"ok")
    assert rig.server.receive() == Frame(Flag.JSON, b"ok", (0,))


def test_responding_twice_is_refused_and_nothing_is_sent(rig: Rig) -> None:
    rig.accept()
    rig.worker.respond(b"one")
    for again in (rig.worker.respond, rig.worker.stream):
        with pytest.raises(NoRequest):
            again(b"two")
    rig.accept()
    rig.worker.respond(b"three")
    assert rig.server.receive() == Frame(Flag.JSON, b"one", (0,))
    assert rig.server.receive() == Frame(Flag.JSON, b"three", (0,))


def test_an_error_after_the_response_goes_to_stderr(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    rig.accept()
    rig.worker.respond(b"one")
    rig.worker.error("too late")
    assert capsys.readouterr().err == "too late\n"


def test_over_pipes_the_sixth_chunk_requests_a_pong_and_the_eleventh_only_after_that_pong(rig: Rig) -> None:
    rig.accept()
    for _ in range(11):
        assert rig.worker.stream(b"x")
    rig.server.send(PONG)
    for _ in range(5):
        assert rig.worker.stream(b"x")
    rig.worker.end_stream()
    plain, ping = int(Stream.STREAM), int(Stream.STREAM | Stream.PING)
    assert rig.bits(17) == [plain] * 5 + [ping] + [plain] * 9 + [ping] + [0]


def test_sockets_are_never_pinged(socket_rig: Rig) -> None:
    socket_rig.accept()
    for _ in range(12):
        assert socket_rig.worker.stream(b"x")
    assert socket_rig.bits(12) == [Stream.STREAM] * 12


def test_a_stopped_stream_is_closed_with_an_empty_frame_and_nothing_follows(rig: Rig) -> None:
    rig.accept()
    assert rig.worker.stream(b"one")
    rig.server.send(STOP_STREAM)
    assert not rig.worker.stream(b"two")
    assert not rig.worker.stream(b"three")
    rig.worker.end_stream()
    rig.accept()
    rig.worker.respond(b"next")
    frames = [rig.server.receive() for _ in range(3)]
    assert frames == [
        Frame(Flag.JSON, b"one", (0,), Stream.STREAM),
        Frame(Flag.JSON, b"", (0,)),
        Frame(Flag.JSON, b"next", (0,)),
    ]


def test_a_stop_order_during_a_stream_takes_effect_after_it(rig: Rig) -> None:
    rig.accept()
    assert rig.worker.stream(b"one")
    rig.server.send(STOP_WORKER)
    assert rig.worker.stream(b"two")
    rig.worker.end_stream()
    assert rig.bits(3) == [Stream.STREAM, Stream.STREAM, 0]
    assert rig.worker.receive() is None


def test_a_stream_ends_when_the_server_exits(rig: Rig) -> None:
    rig.accept()
    assert rig.worker.stream(b"one")
    rig.server.hang_up()
    assert not rig.worker.stream(b"two")
    assert rig.worker.receive() is None


def test_a_response_to_an_exited_server_raises_relay_closed(rig: Rig) -> None:
    rig.accept()
    rig.server.close()
    with pytest.raises(RelayClosed):
        rig.worker.respond(b"anyone?")
