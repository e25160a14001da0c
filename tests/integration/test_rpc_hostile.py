"""RPC and malformed input: the sender loses its own connection, and other clients are not affected."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
import zlib

import pytest

from pyroadrunner.goridge.frame import Flag, encode
from pyroadrunner.goridge.rpc import encode_call
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.plugins.rpc import connection
from pyroadrunner.plugins.rpc.methods import Methods
from pyroadrunner.plugins.rpc.plugin import RpcPlugin
from pyroadrunner.plugins.rpc.server import RpcServer
from support.relays import LOOPS, Run, eventually, open_descriptors
from support.rpc import Lab, RpcPeer, peer_of, running_rpc


@pytest.fixture(params=LOOPS.values(), ids=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    loop_runner: Run = request.param
    return loop_runner


GOOD = encode_call(1, b"lab.Echo", b'"x"', Flag.JSON)


def headed(first: int, length: int) -> bytes:
    """A header with any values and a valid checksum."""
    head = struct.pack("<BBI", first, Flag.JSON, length)
    return head + struct.pack("<IH", zlib.crc32(head), 0)


FATAL = {
    "garbage": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": b"\0" * 64,
    "bad checksum": GOOD[:6] + b"\xff\xff\xff\xff" + GOOD[10:],
    "4 GB without a name": headed(0x15, 0xFFFF_FFFF) + struct.pack("<II", 1, 0xFFFF_FFFF) + b"\0" * 1024,
    "4 GB without options": headed(0x13, 0xFFFF_FFFF) + b"\0" * 1024,
    "header of 14 words": headed(0x1E, 0) + b"\0" * 64,
    "header of 15 words": headed(0x1F, 0) + b"\0" * 64,
    "header of 2 words": headed(0x12, 0) + b"\0" * 64,
    "another version": headed(0x25, 0) + b"\0" * 64,
    "no options": encode(Flag.JSON, b"lab.Echo"),
    "one option": encode(Flag.JSON, b"lab.Echo", [1]),
    "three options": encode(Flag.JSON, b"lab.Echo", [1, 8, 0]),
    "name longer than the payload": encode(Flag.JSON, b"lab.Echo", [1, 9]),
    "name of 4 GB": encode(Flag.JSON, b"lab.Echo", [1, 0xFFFF_FFFF]),
}


@pytest.mark.parametrize("data", FATAL.values(), ids=FATAL)
def test_a_malformed_call_closes_its_connection_without_a_reply(run: Run, data: bytes) -> None:
    async def main() -> None:
        async with running_rpc(Lab()) as rpc, peer_of(rpc) as peer, peer_of(rpc) as bystander:
            peer.writer.write(data)
            assert await peer.frame() is None
            assert await bystander.call("lab.Echo", "fine") == "fine"

    run(main())


@pytest.mark.parametrize("data", [FATAL["garbage"], FATAL["bad checksum"], FATAL["no options"]])
def test_calls_before_a_malformed_one_get_replies_and_calls_after_it_do_not_run(run: Run, data: bytes) -> None:
    async def main() -> None:
        lab = Lab()
        async with running_rpc(lab) as rpc, peer_of(rpc) as peer, peer_of(rpc) as other:
            peer.send("lab.Wait", b'"before"', sequence=1)
            peer.writer.write(GOOD + data)
            peer.send("lab.Wait", b'"after"', sequence=3)
            assert (await peer.answer()).body == b'"x"'
            await other.call("lab.Open", "before")
            assert (await peer.answer()).body == b'"before"'
            assert await peer.frame() is None
            assert lab.started == ["before"]

    run(main())


def test_a_call_that_is_too_large_is_refused_with_a_message_and_the_connection_stays_open(run: Run) -> None:
    """The reply arrives before the rest of the call, which is dropped."""

    async def main() -> None:
        size = connection.MAX_REQUEST + 1
        async with running_rpc(Lab()) as rpc, peer_of(rpc) as peer, peer_of(rpc) as bystander:
            for sequence in (5, 6):
                frame = headed(0x15, size) + struct.pack("<II", sequence, 8) + b"lab.Echo"
                peer.writer.write(frame + bytes(1016))
                answer = await peer.answer()
                assert (answer.sequence, answer.failed) == (sequence, True)
                assert answer.body == b"lab.Echo: a call of 67108865 bytes exceeds the limit of 67108864"
                assert await bystander.call("lab.Echo", "fine") == "fine"
                left = size - 8 - 1016
                while left:
                    peer.writer.write(bytes(min(left, 1 << 20)))
                    await peer.writer.drain()
                    left -= min(left, 1 << 20)
            assert await peer.call("lab.Echo", "still here") == "still here"

    run(main())


@pytest.mark.parametrize("size", [1, 11, 12, 19, 25, len(GOOD) - 1])
def test_half_a_frame_does_not_block_other_clients(run: Run, size: int) -> None:
    async def main() -> None:
        async with running_rpc(Lab()) as rpc, peer_of(rpc) as slow, peer_of(rpc) as bystander:
            slow.writer.write(GOOD[:size])
            assert await bystander.call("lab.Echo", "fine") == "fine"
            slow.writer.write(GOOD[size:])
            assert (await slow.answer()).body == b'"x"'
            slow.writer.write(GOOD[:size])
            slow.writer.write_eof()
            assert await slow.frame() is None

    run(main())


def test_an_invalid_body_fails_only_its_call(run: Run) -> None:
    async def main() -> None:
        async with running_rpc(Lab()) as rpc, peer_of(rpc) as peer:
            for body in (b"[" * 100_000, b"\xff\xfe", b'"\\ud800"', b"1" * 10_000, b"{" * 10):
                for codec in (Flag.JSON, Flag.MSGPACK, Flag.PROTO):
                    for method in ("lab.Echo", "lab.Metric", "lab.Order"):
                        await peer.ask(method, body, codec=codec)
            assert await peer.call("lab.Echo", "fine") == "fine"

    run(main())


def test_random_bytes_never_affect_other_clients(run: Run) -> None:
    async def main() -> None:
        chance = random.Random(7)
        async with running_rpc(Lab()) as rpc, peer_of(rpc) as bystander:
            for _ in range(200):
                peer = await RpcPeer.connect(rpc.address)
                frame = bytearray(GOOD * 2)
                for _ in range(chance.randrange(1, 6)):
                    frame[chance.randrange(len(frame))] = chance.randrange(256)
                peer.writer.write(bytes(frame))
                peer.writer.write_eof()
                while await peer.frame() is not None:
                    pass
                peer.close()
            assert await bystander.call("lab.Echo", "fine") == "fine"

    run(main())


def test_the_connection_of_a_client_that_never_reads_is_closed_and_others_are_served(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_UNREAD", 1 << 20)

    async def main() -> None:
        async with running_rpc(Lab()) as rpc, peer_of(rpc) as bystander:
            silent = socket.create_connection(("127.0.0.1", port_of(rpc)))
            for sequence in range(100):
                silent.sendall(encode_call(sequence, b"lab.Big", b"1000000", Flag.JSON))
            for _ in range(100):
                assert await bystander.call("lab.Echo", "fine") == "fine"
            assert await asyncio.to_thread(drained, silent) < 100 * 1_300_000
            silent.close()
            assert await bystander.call("lab.Echo", "fine") == "fine"

    run(main())


def port_of(rpc: RpcPlugin) -> int:
    assert isinstance(rpc.address, TcpAddress)
    return rpc.address.port


def drained(client: socket.socket) -> int:
    """The bytes received until the server closes the connection."""
    received = 0
    try:
        while data := client.recv(1 << 20):
            received += len(data)
    except ConnectionError:
        pass
    return received


def test_a_single_reply_larger_than_the_limit_arrives(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_UNREAD", 1 << 10)

    async def main() -> None:
        async with running_rpc(Lab()) as rpc, peer_of(rpc) as peer:
            assert len((await peer.ask("lab.Big", b"3000000")).body) == 4_000_002

    run(main())


def test_clients_beyond_the_limit_are_refused_until_others_disconnect(run: Run) -> None:
    async def main() -> None:
        server = RpcServer(TcpAddress("127.0.0.1", 0), Methods({"lab": Lab().rpc_methods}), max_connections=5)
        await server.start()
        peers = [await RpcPeer.connect(server.address) for _ in range(5)]
        for peer in peers:
            assert await peer.call("lab.Echo", "in") == "in"
        late = await RpcPeer.connect(server.address)
        assert await late.frame() is None
        peers[0].close()
        await eventually(lambda: "connections=4" in repr(server))
        again = await RpcPeer.connect(server.address)
        assert await again.call("lab.Echo", "in") == "in"
        for peer in [*peers, late, again]:
            peer.close()
        await server.stop(1)

    run(main())


def test_thousands_of_connects_leave_nothing_behind(run: Run) -> None:
    async def main() -> None:
        async with running_rpc(Lab()) as rpc, peer_of(rpc) as bystander:
            await bystander.call("lab.Echo", "fine")
            before = len(open_descriptors())
            for _ in range(20):
                peers = await asyncio.gather(*(RpcPeer.connect(rpc.address) for _ in range(100)))
                for peer in peers:
                    peer.writer.write(os.urandom(3))
                    peer.close()
            await eventually(lambda: len(open_descriptors()) <= before)
            assert await bystander.call("lab.Echo", "fine") == "fine"

    run(main())
