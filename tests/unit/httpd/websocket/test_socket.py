"""One socket on a transport without a network: the test is the client, the clock is virtual."""

from __future__ import annotations

import asyncio

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side

from pyroadrunner.httpd.websocket.contract import Socket, SocketLimits
from pyroadrunner.httpd.websocket.message import OutMessage
from pyroadrunner.httpd.websocket.socket import TransportSocket
from support.http1 import FakeTransport
from support.virtual_time import in_virtual_time, run_virtual


class Recorder:
    """A handler that notes what it is told."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bool]] = []
        self.ends: list[tuple[int, str]] = []
        self.echo = False

    def opened(self, socket: Socket) -> None:
        self.socket = socket

    def received(self, data: bytes, *, text: bool) -> None:
        self.messages.append((data, text))
        if self.echo:
            self.socket.send(OutMessage(data, text=text))

    def closed(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))


class Scene:
    """A socket and its client."""

    def __init__(self, limits: SocketLimits | None = None, *, compressed: bool = False) -> None:
        self.handler = Recorder()
        extensions = [PerMessageDeflate(True, True, 15, 15)] if compressed else []
        self.socket = TransportSocket(self.handler, limits or SocketLimits(), [*extensions])
        self.transport = FakeTransport(self.socket)
        self.socket.connection_made(self.transport)
        self.client = Protocol(Side.CLIENT, max_size=None)
        self.client.extensions = [PerMessageDeflate(True, True, 15, 15)] if compressed else []
        self._read = 0

    def send(self, *frames: Frame) -> None:
        """All frames in one piece."""
        self.socket.data_received(
            b"".join(one.serialize(mask=True, extensions=self.client.extensions) for one in frames)
        )

    def read(self) -> list[Frame]:
        """What the client has received since the last call."""
        data = bytes(self.transport.received[self._read :])
        self._read = len(self.transport.received)
        self.client.receive_data(data)
        return [one for one in self.client.events_received() if isinstance(one, Frame)]

    def closing(self) -> tuple[int, str]:
        """The close frame that the client has received."""
        frame = self.read()[-1]
        assert frame.opcode is Opcode.CLOSE
        close = Close.parse(frame.data)
        return int(close.code), close.reason


def text(data: bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.TEXT, data, fin=fin)


def more(data: bytes, *, fin: bool = False) -> Frame:
    return Frame(Opcode.CONT, data, fin=fin)


@in_virtual_time
async def test_messages_of_any_number_of_fragments_arrive_whole() -> None:
    it = Scene()
    it.send(text(b"one"), text(b"t", fin=False), more(b"w"), more(b"o", fin=True), Frame(Opcode.BINARY, b"\xff"))
    assert it.handler.messages == [(b"one", True), (b"two", True), (b"\xff", False)]


@in_virtual_time
async def test_a_ping_in_a_message_is_answered_before_the_message() -> None:
    it = Scene()
    it.handler.echo = True
    it.send(text(b"a", fin=False), Frame(Opcode.PING, b"p"), more(b"b", fin=True))
    assert [(one.opcode, bytes(one.data)) for one in it.read()] == [(Opcode.PONG, b"p"), (Opcode.TEXT, b"ab")]


@in_virtual_time
async def test_invalid_text_ends_the_connection_at_once() -> None:
    it = Scene()
    it.send(text(b"ok"), text(b"\xff\xfe"), text(b"late"))
    assert it.handler.messages == [(b"ok", True)]
    assert it.closing()[0] == CloseCode.INVALID_DATA


@in_virtual_time
async def test_invalid_text_in_a_fragment_does_not_wait_for_the_rest() -> None:
    it = Scene()
    it.send(text("é".encode()[:1], fin=False), more("é".encode()[1:]), more(b"\xff"))
    assert it.handler.messages == []
    assert it.closing()[0] == CloseCode.INVALID_DATA


@in_virtual_time
async def test_a_message_above_the_limit_is_refused_before_it_arrives() -> None:
    it = Scene(SocketLimits(max_message=100))
    it.socket.data_received(text(b"x" * 101).serialize(mask=True)[:14])
    assert it.closing()[0] == CloseCode.MESSAGE_TOO_BIG


@in_virtual_time
async def test_fragments_above_the_limit_are_refused() -> None:
    it = Scene(SocketLimits(max_message=100))
    it.send(text(b"x" * 60, fin=False), more(b"x" * 60))
    assert it.closing()[0] == CloseCode.MESSAGE_TOO_BIG


@in_virtual_time
async def test_a_compressed_message_above_the_limit_is_refused() -> None:
    it = Scene(SocketLimits(max_message=1 << 16), compressed=True)
    it.send(text(b"x" * (1 << 24)))
    assert it.handler.messages == []
    assert it.closing()[0] == CloseCode.MESSAGE_TOO_BIG


@in_virtual_time
async def test_compressed_messages_go_both_ways() -> None:
    it = Scene(compressed=True)
    it.handler.echo = True
    it.send(text(b"x" * 1000), text(b"short"))
    assert len(it.transport.received) < 200
    assert [bytes(one.data) for one in it.read()] == [b"x" * 1000, b"short"]


@in_virtual_time
async def test_the_close_of_a_client_is_answered_with_its_code() -> None:
    it = Scene()
    it.send(text(b"last"), Frame(Opcode.CLOSE, Close(4000, "bye").serialize()))
    assert it.handler.messages == [(b"last", True)]
    assert it.handler.ends == [(4000, "bye")]
    assert it.closing() == (4000, "bye")
    assert it.transport.is_closing()


@in_virtual_time
async def test_a_close_in_the_middle_of_a_message_is_a_close() -> None:
    it = Scene()
    it.send(text(b"a", fin=False), Frame(Opcode.CLOSE, Close(1000, "").serialize()), more(b"b", fin=True))
    assert it.handler.ends == [(1000, "")]
    assert it.closing() == (1000, "")


@in_virtual_time
async def test_a_broken_connection_ends_with_1006() -> None:
    it = Scene()
    it.socket.connection_lost(ConnectionResetError())
    it.socket.connection_lost(None)
    assert it.handler.ends == [(1006, "")]
    assert not it.socket.send(OutMessage(b"a", text=True))


@in_virtual_time
async def test_a_client_that_does_not_answer_a_close_is_cut() -> None:
    it = Scene(SocketLimits(close_timeout=5))
    it.socket.close(1012, "restart")
    assert it.closing() == (1012, "restart")
    now = asyncio.get_running_loop().time()
    it.socket.tick(now + 4.9)
    assert not it.transport.aborted
    it.socket.tick(now + 5)
    assert it.transport.aborted


@in_virtual_time
async def test_a_silent_client_gets_a_ping_and_is_cut_without_an_answer() -> None:
    it = Scene(SocketLimits(ping_interval=30, ping_timeout=10))
    now = asyncio.get_running_loop().time()
    it.socket.tick(now + 29)
    assert it.read() == []
    it.socket.tick(now + 30)
    assert [one.opcode for one in it.read()] == [Opcode.PING]
    it.send(Frame(Opcode.PONG, b""))
    it.socket.tick(now + 41)
    assert not it.transport.aborted
    it.socket.tick(now + 60)
    it.socket.tick(now + 71)
    assert it.transport.aborted


@pytest.mark.parametrize("drop_oldest", [False, True])
def test_a_client_that_does_not_read_costs_a_bounded_buffer(drop_oldest: bool) -> None:
    async def test() -> None:
        it = Scene(SocketLimits(max_buffer=10_000, drop_oldest=drop_oldest))
        it.transport.stalled = True
        for number in range(300):
            it.socket.send(OutMessage(b"%03d" % number + b"x" * 997, text=True))
            assert it.socket.buffered <= 10_000
        assert it.socket.dropped
        it.transport.stalled = False
        it.transport.read()
        frames = it.read()
        if drop_oldest:
            assert frames[-1].data[:3] == b"299"
            assert it.handler.ends == []
        else:
            assert Close.parse(frames[-1].data).code == CloseCode.POLICY_VIOLATION
            assert it.handler.ends == [(1008, "the client reads too slowly")]

    run_virtual(test())


@in_virtual_time
async def test_what_waits_is_sent_in_order_when_the_client_reads_again() -> None:
    it = Scene()
    it.transport.stalled = True
    for number in range(100):
        it.socket.send(OutMessage(b"%05d" % number * 300, text=True))
    it.socket.close(1000, "")
    it.transport.stalled = False
    it.transport.read()
    frames = it.read()
    assert [int(one.data[:5]) for one in frames[:-1]] == list(range(100))
    assert frames[-1].opcode is Opcode.CLOSE
