"""Relays over real pipes and sockets, on asyncio and uvloop: complete and broken frames, ends, backpressure."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator

import pytest

from pyroadrunner.goridge.errors import HandshakeError, RelayClosed, RemoteFrameError
from pyroadrunner.goridge.frame import Frame, encode, encode_payload
from pyroadrunner.goridge.handshake import hello_request
from pyroadrunner.goridge.pipes import PipePair
from pyroadrunner.goridge.relay import MAX_GARBAGE
from support.relays import LOOPS, Heard, Kind, Run, eventually, joined, open_descriptors, settle

HELLO = encode(0x01, b'{"pid":77}')
ANSWER = encode_payload(b"{}", b"hello", 8)
ANSWERED = Frame(8, b"{}hello", (2,))


@pytest.fixture(params=LOOPS.values(), ids=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    loop_runner: Run = request.param
    return loop_runner


@pytest.fixture(params=["pipes", "socket"])
def kind(request: pytest.FixtureRequest) -> Kind:
    name: Kind = request.param
    return name


@pytest.fixture(scope="module", autouse=True)
def _both_loops_have_opened_what_they_keep() -> None:
    for loop_runner in LOOPS.values():
        loop_runner(settle())


@pytest.fixture(autouse=True)
def _no_descriptor_is_left_open() -> Iterator[None]:
    gc.collect()
    before = open_descriptors()
    yield
    gc.collect()
    assert open_descriptors() - before == set()


# -- frames ------------------------------------------------------------------------------------------------------------


def test_frames_go_both_ways_in_order(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            relay.send(ANSWER)
            relay.send(HELLO)
            assert await peer.read(len(ANSWER + HELLO)) == ANSWER + HELLO
            await peer.write(ANSWER + encode(0x40, b"boom"))
            assert await heard.until(2) == [ANSWERED, Frame(0x40, b"boom")]
            assert not heard.losses

    run(main())


def test_a_frame_received_byte_by_byte_is_delivered_once(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            for i in range(len(ANSWER)):
                assert heard.frames == []
                await peer.write(ANSWER[i : i + 1])
            await peer.write(ANSWER)
            assert await heard.until(2) == [ANSWERED, ANSWERED]

    run(main())


def test_a_frame_of_100_mb_is_delivered_complete(run: Run, kind: Kind) -> None:
    async def main() -> None:
        body = bytes(range(256)) * (400 << 10)
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            await peer.write(encode_payload(b"{}", body, 8) + ANSWER)
            large, small = await heard.until(2)
            assert large.payload[2:] == body
            assert small == ANSWERED

    run(main())


def test_a_request_of_100_mb_reaches_the_peer_complete_and_is_counted(run: Run, kind: Kind) -> None:
    async def main() -> None:
        body = bytes(range(256)) * (400 << 10)
        async with joined(kind) as (relay, peer):
            assert relay.unsent() == 0
            relay.send(ANSWER)
            relay.send(body)
            assert len(body) * 0.9 < relay.unsent() <= len(ANSWER + body)
            assert await peer.read(len(ANSWER + body)) == ANSWER + body
            await eventually(lambda: relay.unsent() == 0)

    run(main())


def test_frames_behind_a_large_body_arrive_after_it(run: Run, kind: Kind) -> None:
    body = bytearray(os.urandom(5 << 20))

    async def main() -> None:
        async with joined(kind) as (relay, peer):
            relay.send(HELLO)
            relay.send(body)
            relay.send(ANSWER)
            assert await peer.read(len(HELLO + body + ANSWER)) == HELLO + body + ANSWER
            relay.send(HELLO)
            assert await peer.read(len(HELLO)) == HELLO
            assert relay.unsent() == 0

    run(main())


def test_a_peer_that_closes_during_a_large_body_is_reported_once(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            relay.send(bytes(5 << 20))
            await peer.read(1 << 20)
            peer.close()
            assert isinstance(await heard.loss(), RelayClosed)
            await eventually(lambda: relay.unsent() == 0)
            relay.send(ANSWER)
            assert len(heard.losses) == 1

    run(main())


def test_unread_bytes_of_a_pipe_are_known_even_after_the_peer_has_exited(run: Run) -> None:
    async def main() -> None:
        async with joined("pipes") as (relay, peer):
            heard = Heard(relay)
            relay.send(ANSWER)
            await eventually(lambda: relay.unread() == len(ANSWER))
            await peer.read(5)
            assert relay.unread() == len(ANSWER) - 5
            peer.close()
            await heard.loss()
            assert relay.unread() == len(ANSWER) - 5
            relay.close()
            assert relay.unread() == 0

    run(main())


def test_unread_bytes_of_a_socket_are_unknown(run: Run) -> None:
    async def main() -> None:
        async with joined("socket") as (relay, peer):
            relay.send(ANSWER)
            await eventually(lambda: relay.unsent() == 0)
            assert relay.unread() == 0
            assert await peer.read(len(ANSWER)) == ANSWER

    run(main())


# -- ends --------------------------------------------------------------------------------------------------------------


def test_the_end_between_two_frames_is_an_eof(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            await peer.write(ANSWER)
            peer.close()
            error = await heard.loss()
            assert isinstance(error, RelayClosed)
            assert (str(error), error.mid_frame) == ("EOF", False)
            assert heard.frames == [ANSWERED]
            assert relay.lost

    run(main())


@pytest.mark.parametrize("size", [1, 11, 12, 15, 16, len(ANSWER) - 1])
def test_the_end_inside_a_frame_is_an_unexpected_eof(run: Run, kind: Kind, size: int) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            await peer.write(ANSWER[:size])
            peer.close()
            error = await heard.loss()
            assert isinstance(error, RelayClosed)
            assert (str(error), error.mid_frame) == ("unexpected EOF", True)

    run(main())


def test_writing_to_a_closed_peer_is_no_error_and_its_end_is_reported_once(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            peer.close()
            for _ in range(10):
                relay.send(ANSWER * 100)
                await asyncio.sleep(0)
            await heard.loss()
            relay.send(ANSWER)
            await settle()
            assert len(heard.losses) == 1
            assert relay.unsent() == 0

    run(main())


def test_after_close_nothing_is_reported_and_the_peer_sees_the_end(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            relay.close()
            relay.close()
            relay.send(ANSWER)
            relay.pause()
            relay.resume()
            await settle()
            assert await peer.read(1) == b""
            assert relay.lost
            assert (heard.frames, heard.losses) == ([], [])

    run(main())


def test_after_close_at_the_first_frame_the_second_is_not_delivered(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard: list[Frame] = []

            def close_at(frame: Frame) -> None:
                heard.append(frame)
                relay.close()

            relay.on_frame = close_at
            await peer.write(ANSWER + ANSWER)
            await eventually(lambda: bool(heard))
            await settle()
            assert heard == [ANSWERED]

    run(main())


# -- malformed frames --------------------------------------------------------------------------------------------------


def test_text_is_reported_immediately_and_the_rest_is_collected(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            await peer.write(b"P")
            assert isinstance(await heard.loss(), RemoteFrameError)
            assert relay.garbage == b"P"
            await peer.write(b"HP Warning: it rains\n" + ANSWER)
            peer.close()
            await eventually(lambda: relay.lost)
            assert relay.garbage == b"PHP Warning: it rains\n" + ANSWER
            assert len(heard.losses) == 1
            assert heard.frames == []

    run(main())


def test_the_message_of_php_about_a_missing_script_can_be_shown(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            await peer.write(b"Could not open input file: /x.php\n")
            peer.close()
            assert isinstance(await heard.loss(), RemoteFrameError)
            await eventually(lambda: relay.lost)
            assert relay.garbage == b"Could not open input file: /x.php\n"

    run(main())


def test_a_reply_followed_by_text_is_delivered_before_the_text(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            await peer.write(ANSWER + b"dump")
            await heard.loss()
            assert heard.frames == [ANSWERED]
            assert relay.garbage == b"dump"

    run(main())


def test_only_the_beginning_of_endless_text_is_kept(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            await peer.write(b"x" * 3_000_000)
            peer.close()
            await eventually(lambda: relay.lost)
            assert relay.garbage == b"x" * MAX_GARBAGE
            assert len(heard.losses) == 1

    run(main())


def test_a_frame_beyond_the_limit_is_refused_by_its_header_and_not_shown_as_text(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind, max_payload=1000) as (relay, peer):
            heard = Heard(relay)
            await peer.write(encode(8, bytes(1000)) + encode(8, bytes(1001)))
            error = await heard.loss()
            assert isinstance(error, RemoteFrameError)
            assert str(error) == "frame of 1001 bytes exceeds the limit of 1000"
            await peer.write(b"more of it")
            peer.close()
            await eventually(lambda: relay.lost)
            assert relay.garbage == b""
            assert heard.frames == [Frame(8, bytes(1000))]

    run(main())


# -- backpressure ------------------------------------------------------------------------------------------------------


def test_a_paused_relay_makes_the_peer_wait_and_loses_nothing(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            relay.pause()
            relay.pause()
            sent = peer.fill(ANSWER)
            await settle()
            assert heard.frames == []
            whole, cut = divmod(sent, len(ANSWER))
            assert whole > 100
            relay.resume()
            relay.resume()
            await heard.until(whole)
            await peer.write(ANSWER[cut:])
            assert await heard.until(whole + 1) == [ANSWERED] * (whole + 1)

    run(main())


def test_the_end_of_a_paused_peer_is_reported_after_its_data(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            heard = Heard(relay)
            relay.pause()
            await peer.write(ANSWER)
            peer.close()
            await settle()
            assert not relay.lost
            relay.resume()
            await heard.loss()
            assert heard.frames == [ANSWERED]
            relay.pause()
            relay.resume()

    run(main())


# -- between two owners ------------------------------------------------------------------------------------------------


def test_the_handshake_returns_the_pid_and_keeps_later_bytes(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            hello = relay.handshake(1234)
            assert await peer.read(len(hello_request(1234))) == hello_request(1234)
            await peer.write(HELLO + ANSWER + ANSWER)
            assert await hello == 77
            await peer.write(encode(0x40, b"late"))
            await settle()
            heard = Heard(relay)
            assert await heard.until(3) == [ANSWERED, ANSWERED, Frame(0x40, b"late")]

    run(main())


def test_an_unreported_end_is_reported_to_the_next_owner(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            hello = relay.handshake(1)
            await peer.write(HELLO)
            peer.close()
            await hello
            await eventually(lambda: relay.lost)
            heard = Heard(relay)
            assert str(await heard.loss()) == "EOF"

    run(main())


def test_without_an_owner_the_peer_has_to_wait(run: Run, kind: Kind) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            hello = relay.handshake(1)
            await peer.write(HELLO + ANSWER)
            await hello
            sent = peer.fill(ANSWER)
            heard = Heard(relay)
            assert await heard.until(1 + sent // len(ANSWER)) == [ANSWERED] * (1 + sent // len(ANSWER))

    run(main())


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (ANSWER, HandshakeError, "unexpected response, header is missing, no CONTROL flag"),
        (encode(0x01, b'{"pid":0}'), HandshakeError, "pid should be greater than 0"),
        (b"Warning", RemoteFrameError, "not a frame"),
        (b"", RelayClosed, "EOF"),
        (HELLO[:-1], RelayClosed, "unexpected EOF"),
    ],
)
def test_a_failed_handshake_has_a_reason(
    run: Run, kind: Kind, answer: bytes, error: type[Exception], text: str
) -> None:
    async def main() -> None:
        async with joined(kind) as (relay, peer):
            hello = relay.handshake(1)
            # Read first: a socket closed with unread data is reset, and data it sent before is lost.
            await peer.read(len(hello_request(1)))
            await peer.write(answer)
            peer.close()
            with pytest.raises(error) as raised:
                await hello
            assert str(raised.value) == text

    run(main())


# -- descriptors -------------------------------------------------------------------------------------------------------


def test_pipes_of_a_child_that_was_not_started_are_closed() -> None:
    PipePair().close()


def test_a_cancelled_connect_closes_only_its_own_descriptors(run: Run) -> None:
    async def main() -> None:
        for turns in range(1, 5):
            connecting = asyncio.ensure_future(PipePair().connect(1000))
            for _ in range(turns):
                await asyncio.sleep(0)
            connecting.cancel()
            await asyncio.wait([connecting])
            if not connecting.cancelled():
                connecting.result().close()
            await settle()
            others = [os.open(os.devnull, os.O_RDONLY) for _ in range(6)]
            gc.collect()
            await settle()
            for descriptor in others:
                os.close(descriptor)  # raises if another owner has closed it

    run(main())
