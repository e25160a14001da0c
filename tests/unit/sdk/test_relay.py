"""Frames over descriptors, and the addresses of relays."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from pyroadrunner.goridge.errors import RelayError
from pyroadrunner.goridge.frame import Flag, Frame, encode
from pyroadrunner.sdk.relay import Relay, open_relay


def test_a_frame_larger_than_the_kernels_buffer_is_sent_completely() -> None:
    ours, theirs = socket.socketpair()
    relay = Relay(ours.fileno(), ours.fileno(), pings=False)
    frame = encode(Flag.JSON, bytes(5_000_000))
    received = bytearray()

    def read() -> None:
        while len(received) < len(frame):
            received.extend(theirs.recv(1 << 16))

    with ours, theirs:
        reader = threading.Thread(target=read)
        reader.start()
        relay.send(frame)
        reader.join()
    assert bytes(received) == frame


def test_a_frame_that_arrives_byte_by_byte_is_received_completely() -> None:
    ours, theirs = socket.socketpair()
    relay = Relay(ours.fileno(), ours.fileno(), pings=False)
    with ours, theirs:
        assert not relay.readable()
        for byte in encode(Flag.JSON, b"hello", [5]):
            theirs.send(bytes([byte]))
        assert relay.readable()
        assert relay.receive() == Frame(Flag.JSON, b"hello", (5,))


def test_a_unix_socket_is_connected_without_pings(tmp_path: Path) -> None:
    path = str(tmp_path / "relay.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        relay = open_relay(f"unix://{path}")
        server, _ = listener.accept()
        with server:
            server.sendall(encode(Flag.JSON, b"hello"))
            assert relay.receive() == Frame(Flag.JSON, b"hello")
    assert not relay.pings
    relay.close()


@pytest.mark.parametrize("address", ["udp://127.0.0.1:1", "tcp://", "tcp://127.0.0.1:port", "/just/a/path"])
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(RelayError, match=r"invalid relay|cannot connect"):
        open_relay(address)


def test_the_error_names_a_socket_without_a_listener(tmp_path: Path) -> None:
    with pytest.raises(RelayError, match=r"nobody\.sock"):
        open_relay(f"unix://{tmp_path}/nobody.sock")
