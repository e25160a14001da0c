"""What a relay does with what its peer writes: frames, text, the end; before it has an owner and after."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.goridge.errors import FrameError, HandshakeError, RelayClosed, RelayError, RemoteFrameError
from pyroadrunner.goridge.frame import Flag, Frame, encode
from pyroadrunner.goridge.relay import MAX_GARBAGE, Relay
from support.virtual_time import in_virtual_time, turns

ONE, TWO = encode(Flag.RAW, b"one"), encode(Flag.RAW, b"two")
HELLO = encode(Flag.CONTROL, b'{"pid":4321}')
TEXT = b"PHP Warning: no\n"


class FakeSource(asyncio.ReadTransport):
    """Whether it is read at the moment."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = False
        self.closed = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Owner:
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.losses: list[FrameError | RelayError] = []

    def own(self, relay: Relay) -> None:
        relay.on_frame, relay.on_lost = self.on_frame, self.losses.append

    def on_frame(self, frame: Frame) -> None:
        self.frames.append(frame.payload)


class Case:
    """A relay over a fake source."""

    def __init__(self) -> None:
        self.relay, self.source, self.owner = Relay(1 << 20), FakeSource(), Owner()
        self.relay.connection_made(self.source)

    def owned(self) -> Case:
        self.owner.own(self.relay)
        return self


# -- frames ------------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_frames_reach_the_owner_in_order_however_their_bytes_arrive() -> None:
    case = Case().owned()
    for byte in ONE + TWO:
        case.relay.data_received(bytes([byte]))
    case.relay.data_received(ONE + TWO)
    assert case.owner.frames == [b"one", b"two", b"one", b"two"]


@in_virtual_time
async def test_frames_without_an_owner_are_kept_and_the_source_is_paused() -> None:
    case = Case()
    case.relay.data_received(ONE + TWO)
    assert case.source.paused
    case.owned()
    assert case.owner.frames == []  # not before the loop's next turn
    await turns()
    assert case.owner.frames == [b"one", b"two"]
    assert not case.source.paused


@in_virtual_time
async def test_a_loss_without_an_owner_comes_after_the_frames_before_it() -> None:
    case = Case()
    case.relay.data_received(ONE)
    case.relay.connection_lost(None)
    case.owned()
    await turns()
    assert case.owner.frames == [b"one"]
    assert [str(loss) for loss in case.owner.losses] == ["EOF"]


@in_virtual_time
async def test_pause_and_resume_may_be_repeated() -> None:
    case = Case().owned()
    for _ in range(2):
        case.relay.pause()
    assert case.source.paused
    for _ in range(2):
        case.relay.resume()
    assert not case.source.paused


@in_virtual_time
async def test_a_closing_source_is_neither_paused_nor_resumed() -> None:
    case = Case().owned()
    case.source.closed = True
    case.relay.pause()
    assert not case.source.paused


# -- the end -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "mid_frame"), [(b"", False), (ONE, False), (ONE[:-1], True)])
@in_virtual_time
async def test_the_end_says_whether_it_came_inside_a_frame(data: bytes, mid_frame: bool) -> None:
    case = Case().owned()
    case.relay.data_received(data)
    case.relay.connection_lost(None)
    case.relay.connection_lost(None)
    [loss] = case.owner.losses
    assert isinstance(loss, RelayClosed)
    assert loss.mid_frame is mid_frame
    assert case.relay.lost


@in_virtual_time
async def test_after_close_the_owner_hears_nothing_more() -> None:
    case = Case().owned()
    case.relay.close()
    case.relay.close()
    case.relay.data_received(ONE)
    case.relay.connection_lost(None)
    await turns()
    assert (case.owner.frames, case.owner.losses, case.source.closed) == ([], [], True)


# -- text in place of frames -------------------------------------------------------------------------------------------


@in_virtual_time
async def test_text_is_a_loss_once_and_the_rest_of_it_is_collected() -> None:
    case = Case().owned()
    case.relay.data_received(ONE + TEXT)
    case.relay.data_received(b"more")
    case.relay.connection_lost(None)
    [loss] = case.owner.losses
    assert isinstance(loss, RemoteFrameError)
    assert case.owner.frames == [b"one"]
    assert case.relay.garbage == TEXT + b"more"


@in_virtual_time
async def test_collected_text_is_bounded() -> None:
    case = Case().owned()
    for _ in range(10):
        case.relay.data_received(b"x" * (MAX_GARBAGE // 3))
    assert len(case.relay.garbage) == MAX_GARBAGE


@in_virtual_time
async def test_a_frame_above_the_limit_is_a_loss_and_leaves_no_text() -> None:
    case = Case().owned()
    case.relay.limit_payload(2)
    case.relay.data_received(ONE)
    case.relay.data_received(b"rest")
    assert "exceeds the limit" in str(case.owner.losses[0])
    assert case.relay.garbage == b""


# -- the handshake -----------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_hello_brings_the_pid_and_the_relay_keeps_what_follows() -> None:
    case = Case()
    hello = case.relay.handshake(1)
    case.relay.data_received(HELLO + ONE)
    assert await hello == 4321
    case.owned()
    await turns()
    assert case.owner.frames == [b"one"]


@in_virtual_time
async def test_a_frame_that_is_no_hello_fails_the_handshake() -> None:
    case = Case()
    hello = case.relay.handshake(1)
    case.relay.data_received(ONE)
    with pytest.raises(HandshakeError):
        await hello


@pytest.mark.parametrize(("data", "error"), [(TEXT, RemoteFrameError), (HELLO[:-1], RelayClosed)])
@in_virtual_time
async def test_text_or_the_end_in_place_of_a_hello_fails_the_handshake(data: bytes, error: type[Exception]) -> None:
    case = Case()
    hello = case.relay.handshake(1)
    case.relay.data_received(data)
    case.relay.connection_lost(None)
    with pytest.raises(error):
        await hello


@in_virtual_time
async def test_a_hello_after_the_wait_was_cancelled_is_dropped() -> None:
    case = Case()
    hello = case.relay.handshake(1)
    hello.cancel()
    case.relay.data_received(HELLO)
    assert hello.cancelled()
