"""A message is serialised once per window size, and only larger ones are compressed."""

from __future__ import annotations

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from pyroadrunner.httpd.websocket.message import OutMessage


def decoded(data: bytes, window_bits: int = 0) -> Frame:
    """The frame as a client reads it."""
    client = Protocol(Side.CLIENT, max_size=None)
    if window_bits:
        client.extensions = [PerMessageDeflate(True, True, window_bits, 15)]
    client.receive_data(data)
    (frame,) = client.events_received()
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
@pytest.mark.parametrize("window_bits", [0, 9, 15])
def test_a_client_reads_what_was_sent(size: int, window_bits: int) -> None:
    data = (b"0123456789" * (size // 10 + 1))[:size]
    frame = decoded(OutMessage(data, text=False).frame(window_bits), window_bits)
    assert (frame.opcode, bytes(frame.data), frame.fin) == (Opcode.BINARY, data, True)


def test_text_and_binary_have_their_opcodes() -> None:
    assert decoded(OutMessage(b"a", text=True).frame()).opcode is Opcode.TEXT
    assert decoded(OutMessage(b"a", text=False).frame()).opcode is Opcode.BINARY


def test_all_clients_share_one_frame() -> None:
    message = OutMessage(b"a" * 1000, text=True)
    assert message.frame(15) is message.frame(15)
    assert message.frame() is message.frame()
    assert message.frame(15) != message.frame()


def test_small_messages_and_those_that_would_grow_are_not_compressed() -> None:
    small, random = OutMessage(b"a" * 255, text=True), OutMessage(bytes(range(256)), text=False)
    assert small.frame(15) is small.frame()
    assert random.frame(15) == random.frame()
    assert len(OutMessage(b"a" * 1000, text=True).frame(15)) < 100
