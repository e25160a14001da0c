"""Frames are encoded to the same bytes as in Go and PHP."""

from __future__ import annotations

import pytest

from pyroadrunner.goridge import frame as frames
from pyroadrunner.goridge.errors import LocalFrameError
from pyroadrunner.goridge.frame import (
    MAX_OPTIONS,
    PONG,
    STOP_STREAM,
    STOP_WORKER,
    Flag,
    Frame,
    Stream,
    encode,
    encode_head,
    encode_payload,
)
from support.frames import VECTORS, Vector

BY_NAME = {vector.name: vector for vector in VECTORS}
WORKER_FRAMES = [vector for vector in VECTORS if len(vector.frame.options) == 1]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_a_frame_is_encoded_as_in_go_and_php(vector: Vector) -> None:
    frame = vector.frame
    assert encode(frame.flags, frame.payload, frame.options, frame.stream) == vector.wire


@pytest.mark.parametrize("vector", WORKER_FRAMES, ids=lambda vector: vector.name)
def test_a_payload_is_encoded_as_a_frame_with_the_length_of_its_context(vector: Vector) -> None:
    frame = vector.frame
    (size,) = frame.options
    context, body = frame.payload[:size], frame.payload[size:]
    assert encode_payload(context, body, frame.flags, frame.stream) == vector.wire


@pytest.mark.parametrize("vector", [v for v in WORKER_FRAMES if not v.frame.stream], ids=lambda vector: vector.name)
def test_the_head_of_a_payload_followed_by_its_body_is_the_whole_frame(vector: Vector) -> None:
    frame = vector.frame
    (size,) = frame.options
    context, body = frame.payload[:size], frame.payload[size:]
    assert encode_head(context, len(body), frame.flags) + body == vector.wire


def test_the_constant_frames_are_those_of_the_protocol() -> None:
    assert BY_NAME["stop control"].wire == STOP_WORKER
    assert BY_NAME["stream stop"].wire == STOP_STREAM
    assert BY_NAME["pong"].wire == PONG


def test_ten_options_are_encoded_and_eleven_are_refused() -> None:
    wire = encode(0, b"x", range(MAX_OPTIONS))
    assert wire[0] == 0x1D
    assert len(wire) == 12 + 40 + 1
    with pytest.raises(LocalFrameError, match="at most 10 options, not 11"):
        encode(0, b"", range(11))


@pytest.mark.parametrize("option", [-1, 1 << 32])
def test_an_option_that_does_not_fit_into_32_bits_is_refused(option: int) -> None:
    with pytest.raises(LocalFrameError, match=f"option {option} does not fit"):
        encode(0, b"", [option])


def test_the_largest_option_is_encoded() -> None:
    assert encode(0, b"", [0xFFFF_FFFF])[12:] == b"\xff\xff\xff\xff"


def test_a_payload_longer_than_its_length_field_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test lowers the limit instead of allocating 4 GB."""
    monkeypatch.setattr(frames, "MAX_PAYLOAD", 10)
    assert len(encode(0, bytes(10))) == 22
    for too_long in (
        lambda: encode(0, bytes(11)),
        lambda: encode_payload(bytes(5), bytes(6), 0),
        lambda: encode_head(bytes(5), 6, 0),
    ):
        with pytest.raises(LocalFrameError, match="at most 10 bytes, not 11"):
            too_long()


def test_frames_are_compared_by_value() -> None:
    assert Frame(Flag.JSON, b"x", (1,)) == Frame(8, b"x", (1,), 0)
    for other in (Frame(0, b"x", (1,)), Frame(8, b"y", (1,)), Frame(8, b"x"), Frame(8, b"x", (1,), Stream.PING)):
        assert other != Frame(8, b"x", (1,))


def test_a_frame_shows_its_kind_and_size_but_not_its_payload() -> None:
    assert repr(Frame(Flag.JSON | Flag.ERROR, b"secret", (1, 2))) == "Frame(JSON|ERROR, options=(1, 2), payload=6 B)"
    assert repr(Frame(0)) == "Frame(0x0, options=(), payload=0 B)"
    assert repr(Frame(Flag.PROTO, b"", (0,), 5)) == "Frame(PROTO, options=(0,), payload=0 B, stream=STREAM|PING)"
