"""What bad clients send to the WebSocket server. Each loses its own connection, takes a bounded amount of memory and
leaves lines in the log that name it; other clients are served meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import ssl
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pusher
import pytest
from pusher.errors import PusherError
from test_websocket import PATIENCE, ask, on_the_loop
from test_websocket_operations import HANDSHAKE, WORKER, config
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from pyroadrunner.sdk.rpc import RpcClient
from support.mercure import HUB
from support.ports import free_port
from support.server import Server
from support.tls import Authority

MB = 1 << 20
LIMIT_MB = 64  # of the growth of the server's memory, whatever the clients send
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


@dataclass(frozen=True, slots=True)
class Site:
    """A server with a plain port and one with TLS."""

    server: Server
    port: int
    tls_port: int
    context: ssl.SSLContext

    def memory(self) -> int:
        """MB of the server's process."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.server.pid}/status").read_text())
        assert found is not None
        return int(found[1]) >> 10


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "worker.php").write_text(WORKER)
    authority, port, tls_port = Authority(folder), free_port(), free_port()
    identity = authority.server()
    limits = {"max_message_size": 1024, "messages_per_second": 200}
    given = config(limits=limits, topics=[{"match": "*", "public": True}])
    given["http"] |= {"address": f"127.0.0.1:{port}"}
    given["http"]["ssl"] = {
        "address": f"127.0.0.1:{tls_port}",
        "cert": str(identity.cert),
        "key": str(identity.key),
    }
    with Server(folder, given) as server:
        yield Site(server, port, tls_port, authority.context())
        assert server.stop() == 0


class Raw:
    """A client that sends any bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def end(self) -> int:
        """Read to the close of the server; its code, 1006 without one."""
        try:
            while True:
                first, size = await self.reader.readexactly(2)
                if size == 126:
                    size = int.from_bytes(await self.reader.readexactly(2), "big")
                payload = await self.reader.readexactly(size)
                if first == 0x88:
                    return int.from_bytes(payload[:2], "big")
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return 1006


async def raw(site: Site, *, tls: bool, headers: bytes = b"", target: bytes = b"/ws") -> Raw:
    options = {"ssl": site.context, "server_hostname": "localhost"} if tls else {}
    port = site.tls_port if tls else site.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
    writer.write(
        b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + headers + b"\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head
    return Raw(reader, writer)


def masked(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def head(size: int, *, first: int = 0x82) -> bytes:
    """The head of a masked frame of so many bytes."""
    return bytes([first, 0xFF]) + size.to_bytes(8, "big") + b"\0\0\0\0"


async def flood(client: Raw, piece: bytes, count: int) -> None:
    """Send a piece again and again, until the server closes."""
    try:
        for _ in range(count):
            await client.send(piece)
    except (ConnectionError, ssl.SSLError):
        pass


Attack = Callable[[Raw], Awaitable[None]]


async def _large(client: Raw) -> None:
    await client.send(head(100 * MB))
    await flood(client, b"x" * MB, 100)


async def _large_in_fragments(client: Raw) -> None:
    await client.send(masked(Opcode.BINARY, b"x" * 100_000, fin=False))
    await flood(client, masked(Opcode.CONT, b"x" * 100_000, fin=False), 1000)


async def _bomb(client: Raw) -> None:
    compressor = zlib.compressobj(9, wbits=-15)
    packed = b"".join(compressor.compress(bytes(MB)) for _ in range(100)) + compressor.flush(zlib.Z_SYNC_FLUSH)
    await client.send(head(len(packed) - 4, first=0xC2) + packed[:-4])


async def _too_many(client: Raw) -> None:
    await flood(client, masked(Opcode.TEXT, b"again"), 2000)


def sending(data: bytes) -> Attack:
    return lambda client: client.send(data)


# Name: what is sent, and the codes with which the server closes. Its close may be lost if the client still sends: a
# reset overtakes it (1006).
ATTACKS: dict[str, tuple[Attack, bytes, set[int]]] = {
    "a frame without a mask": (sending(b"\x81\x01x"), b"", {1002}),
    "a reserved opcode": (sending(b"\x83\x80\0\0\0\0"), b"", {1002}),
    "a reserved bit": (sending(b"\xc1\x80\0\0\0\0"), b"", {1002}),
    "a fragmented ping": (sending(b"\x09\x80\0\0\0\0"), b"", {1002}),
    "a ping of 126 bytes": (sending(b"\x89\xfe\0\x7e\0\0\0\0" + b"x" * 126), b"", {1002}),
    "a continuation of nothing": (sending(b"\x80\x80\0\0\0\0"), b"", {1002}),
    "a close with one byte": (sending(masked(Opcode.CLOSE, b"x")), b"", {1002}),
    "a length of 2**63": (sending(b"\x82\xff" + b"\xff" * 8 + b"\0" * 4), b"", {1002, 1009}),
    "invalid UTF-8": (sending(masked(Opcode.TEXT, b"\xff\xfe")), b"", {1007}),
    "100 MB": (_large, b"", {1009, 1006}),
    "100 MB in fragments": (_large_in_fragments, b"", {1009, 1006}),
    "100 MB of compressed zeros": (_bomb, DEFLATE, {1009}),
    "too many messages": (_too_many, b"", {1008, 1006}),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_bad_client_loses_its_connection_and_others_are_served(site: Site, name: str, tls: bool) -> None:
    attack, headers, codes = ATTACKS[name]

    @on_the_loop
    async def scene() -> None:
        before = site.memory()
        async with connect(f"ws://127.0.0.1:{site.port}/ws", open_timeout=PATIENCE) as good:
            await good.recv()
            client = await raw(site, tls=tls, headers=headers)
            attacking = asyncio.ensure_future(attack(client))
            ending = asyncio.ensure_future(client.end())
            served = 0
            while not ending.done():
                assert await ask(good, str(served)) == str(served)
                served += 1
                await asyncio.sleep(0.02)  # its own limit is 200 messages a second
            client.writer.close()
            await attacking
            assert ending.result() in codes
            assert await ask(good, "still here") == "still here"
        assert site.memory() - before < LIMIT_MB

    scene()
    if not tls:
        site.server.wait_for("a client broke a rule")


def test_a_slow_client_loses_its_oldest_messages_and_is_logged_once(tmp_path: Path) -> None:
    topics = [{"match": "all", "public": True}]
    given = config(limits={"max_buffer_size": 256, "slow_clients": "drop_oldest"}, topics=topics)
    (tmp_path / "worker.php").write_text(WORKER)
    with Server(tmp_path, given) as server:

        @on_the_loop
        async def scene() -> None:
            host, port = server.address
            async with connect(f"ws://{host}:{port}/ws?topic=all", open_timeout=PATIENCE, compression=None) as good:
                await good.recv()
                slow = await asyncio.open_connection(host, port, limit=4096)
                slow[1].write(HANDSHAKE)
                await slow[0].readuntil(b"\r\n\r\n")
                slow[1].transport.pause_reading()  # type: ignore[attr-defined]  # it is a ReadTransport, too
                with RpcClient(server.rpc) as rpc:
                    while rpc.call("websocket.Topics").get("all") != 2:  # noqa: ASYNC110 - the server sends no event
                        await asyncio.sleep(0.02)
                    count, dropped = 0, 0
                    while not dropped:
                        message = f"{count} ".ljust(100_000, "x")
                        rpc.call("websocket.Publish", {"topics": ["all"], "data": message})
                        assert await good.recv() == message
                        count += 1
                        dropped = sum(one["dropped"] for one in rpc.call("websocket.List", {}))
                    await asyncio.to_thread(server.wait_for, "messages of a client are dropped: it reads too slowly")
                    rpc.call("websocket.Publish", {"topics": ["all"], "data": "the last one"})
                slow[1].transport.resume_reading()  # type: ignore[attr-defined]
                while b"the last one" not in (got := await slow[0].read(1 << 16)):
                    assert got, "the slow client was disconnected"
                slow[1].close()

        scene()
        assert (server.stdout + server.stderr).count("messages of a client are dropped") == 1


def test_a_worker_that_hangs_holds_up_its_own_client_alone(tmp_path: Path) -> None:
    pool = {"num_workers": 2, "supervisor": {"exec_ttl": "5s"}}
    (tmp_path / "worker.php").write_text(WORKER)
    with Server(tmp_path, config(pool=pool)) as server:

        @on_the_loop
        async def scene() -> None:
            url = f"{server.url.replace('http', 'ws')}/ws"
            async with connect(url, open_timeout=PATIENCE) as bad, connect(url, open_timeout=PATIENCE) as good:
                await asyncio.gather(bad.recv(), good.recv())
                await bad.send("hang")
                ended = asyncio.ensure_future(bad.wait_closed())
                served = 0
                while not ended.done():
                    assert await ask(good, str(served)) == str(served)
                    served += 1
                    await asyncio.sleep(0.01)
                assert bad.close_code == 1011
                assert served > 3

        scene()
        server.wait_for("event failed")
        assert (server.stdout + server.stderr).count("event failed") == 1


def test_nothing_secret_is_logged(tmp_path: Path) -> None:
    """At level debug: secrets of the config, signatures and tokens, those that are valid and those that are not."""
    app = {"id": "3", "key": "key", "secret": "secret-of-the-app-5e1f"}
    given = config(apps=[app], driver="redis", config={"addrs": [f"127.0.0.1:{free_port()}"], "password": "redis-5e1f"})
    given["mercure"] = {"publisher_jwt": {"key": "mercure-5e1f, a key that is long enough"}, "anonymous": True}
    (tmp_path / "worker.php").write_text(WORKER)
    with Server(tmp_path, given | {"logs": {"level": "debug"}}) as server:
        backend = pusher.Pusher(
            "3", "key", "secret-of-the-app-5e1f", host="127.0.0.1", port=server.address[1], ssl=False
        )
        wrong = pusher.Pusher("3", "key", "wrong-5e1f", host="127.0.0.1", port=server.address[1], ssl=False)
        signed: list[str] = []

        @on_the_loop
        async def scene() -> None:
            base = server.url.replace("http", "ws")
            async with connect(f"{base}/app/key?protocol=7", open_timeout=PATIENCE) as one:
                socket_id = json.loads(json.loads(await one.recv())["data"])["socket_id"]
                for signer in (backend, wrong):
                    data = {"channel": "presence-a", **signer.authenticate("presence-a", socket_id, {"user_id": "1"})}
                    signed.append(data["auth"].partition(":")[2])
                    await one.send(json.dumps({"event": "pusher:subscribe", "data": data}))
                    await one.recv()
                user = {"user_data": '{"id": "1"}', "auth": f"key:{signed[-1]}"}
                await one.send(json.dumps({"event": "pusher:signin", "data": user}))
                await one.wait_closed()
                assert one.close_code == 4009
            headers = {"Authorization": "Bearer token-5e1f", "Cookie": "session=cookie-5e1f"}
            for query in ("access_token=query-5e1f", "access_token=query-5e1f&refuse=1"):
                try:
                    async with connect(f"{base}/ws?{query}", open_timeout=PATIENCE, additional_headers=headers) as one:
                        await ask(one, "hello")
                except InvalidStatus:
                    pass

        scene()
        for signer in (backend, wrong):
            with pytest.raises(PusherError):
                signer.trigger("news", "event", {})
            for part in (signer._pusher_client, signer._authentication_client):
                part.http.session.close()
        with pytest.raises(HTTPError):
            urlopen(
                Request(f"{server.url}{HUB}", b"topic=a", {"Authorization": "Bearer a.b.token-5e1f"}), timeout=PATIENCE
            )
        assert server.stop() == 0
        log = server.stdout + server.stderr
    assert "access_token=***" in log
    assert "event failed" in log
    for secret in ("5e1f", *signed):
        assert secret not in log


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_client_that_never_reads_is_closed_and_delays_no_publisher(site: Site, tls: bool) -> None:
    @on_the_loop
    async def scene() -> None:
        url = f"ws://127.0.0.1:{site.port}/ws?topic=never"
        async with connect(url, open_timeout=PATIENCE, compression=None) as good:
            await good.recv()
            slow = await raw(site, tls=tls, target=b"/ws?topic=never")
            slow.writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a ReadTransport, too
            with RpcClient(site.server.rpc) as rpc:
                while rpc.call("websocket.Topics").get("never") != 2:  # noqa: ASYNC110 - the server sends no event
                    await asyncio.sleep(0.02)
                number = 0
                while rpc.call("websocket.Topics")["never"] == 2:
                    message = f"{number} ".ljust(100_000, "x")
                    rpc.call("websocket.Publish", {"topics": ["never"], "data": message})
                    assert await good.recv() == message
                    number += 1
            slow.writer.transport.abort()

    scene()
    site.server.wait_for("the client reads too slowly")


def test_waves_fit_into_the_grace_period(tmp_path: Path) -> None:
    """Over 600 s, ten of these clients would be closed per second."""
    (tmp_path / "worker.php").write_text(WORKER)
    given = config(drain_timeout="600s") | {"endure": {"grace_period": "8s"}}
    with Server(tmp_path, given) as server:

        @on_the_loop
        async def scene() -> None:
            url = f"{server.url.replace('http', 'ws')}/ws"
            # One at a time, as a wave of 600 s would close so few, they would need 10 s.
            clients = [await connect(url, open_timeout=PATIENCE) for _ in range(100)]
            server.send(signal.SIGTERM)
            for one in clients:
                await one.wait_closed()
            assert {one.close_code for one in clients} == {1012}

        scene()
        assert server.wait() == 0
    assert "grace period over" not in server.stderr
