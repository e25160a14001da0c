"""What a relay writes to its transport, and when."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.goridge.relay import Relay

SLICE = 1 << 18
BODY = bytes(range(256)) * 5000  # almost five slices
HEAD, STOP = b"head", b"stop"


class FakeSink(asyncio.WriteTransport):
    """A pipe that holds ``room`` bytes until it is emptied."""

    def __init__(self, relay: Relay, room: int) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self._relay = relay
        self._room = room
        self._held = 0
        self._closing = False
        relay.attach_sink(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._closing
        self.written.append(bytes(data))
        self._held += len(data)
        if self._held > self._room:
            self._relay.pause_writing()

    def empty(self) -> None:
        """The peer has read everything."""
        self._held = 0
        self._relay.resume_writing()

    def get_write_buffer_size(self) -> int:
        return self._held

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self._closing = True


@pytest.fixture
def relay() -> Relay:
    return Relay(1 << 30)


def test_a_large_body_is_written_slice_by_slice_as_the_peer_reads_it(relay: Relay) -> None:
    sink = FakeSink(relay, SLICE)
    relay.send(HEAD)
    relay.send(BODY)
    rounds = 0
    while relay.unsent():
        assert sink.get_write_buffer_size() <= 2 * SLICE
        assert relay.unsent() == len(HEAD + BODY) - len(b"".join(sink.written)) + sink.get_write_buffer_size()
        sink.empty()
        rounds += 1
    assert rounds > 2
    assert b"".join(sink.written) == HEAD + BODY


def test_later_data_waits_behind_a_large_body(relay: Relay) -> None:
    sink = FakeSink(relay, 0)
    for frame in (HEAD, BODY, STOP, bytearray(BODY), STOP):
        relay.send(frame)
    while relay.unsent():
        sink.empty()
    assert b"".join(sink.written) == HEAD + BODY + STOP + BODY + STOP
    relay.send(STOP)
    assert sink.written[-1] == STOP


def test_small_frames_are_written_immediately_even_to_a_full_pipe(relay: Relay) -> None:
    sink = FakeSink(relay, 0)
    relay.send(HEAD)
    relay.send(STOP)
    assert sink.written == [HEAD, STOP]


def test_the_rest_of_a_body_is_dropped_when_the_peer_closes(relay: Relay) -> None:
    body = bytearray(BODY)
    sink = FakeSink(relay, 0)
    relay.send(body)
    sink.abort()
    sink.empty()
    assert relay.unsent() == 0
    body.clear()  # fails while a memoryview of it exists


def test_a_closed_relay_drops_the_body(relay: Relay) -> None:
    body = bytearray(BODY)
    FakeSink(relay, 0)
    relay.send(body)
    relay.close()
    assert relay.unsent() == 0
    body.clear()
    relay.send(HEAD)
