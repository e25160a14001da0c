"""Workers over TCP and unix sockets: matched by pid, whoever else connects; the socket file; real PHP."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pyroadrunner.goridge import sockets
from pyroadrunner.goridge.errors import RelayError
from pyroadrunner.goridge.frame import STOP_WORKER, Frame, encode, encode_payload
from pyroadrunner.goridge.handshake import MAX_HELLO, hello_request
from pyroadrunner.goridge.sockets import SocketListener
from support.contexts import context
from support.php import require_php
from support.relays import LOOPS, Heard, Run, eventually, open_descriptors, settle

ANSWER = encode_payload(b"{}", b"hello", 8)
ANSWERED = Frame(8, b"{}hello", (2,))
HELLO_REQUEST = hello_request(os.getpid())


@pytest.fixture(params=LOOPS.values(), ids=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    loop_runner: Run = request.param
    return loop_runner


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "tcp://127.0.0.1:0" if request.param == "tcp" else f"unix://{tmp_path}/rr.sock"


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


class Client:
    """A process that connects to the relay."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, listener: SocketListener) -> Client:
        scheme, where = listener.address.split("://")
        if scheme == "unix":
            return cls(*await asyncio.open_unix_connection(where))
        host, port = where.rsplit(":", 1)
        return cls(*await asyncio.open_connection(host, int(port)))

    async def asked(self) -> None:
        assert await self._reader.readexactly(len(HELLO_REQUEST)) == HELLO_REQUEST

    async def say(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def hello(self, pid: int, more: bytes = b"") -> None:
        await self.asked()
        await self.say(encode(0x01, b'{"pid":%d}' % pid) + more)

    async def read(self, size: int) -> bytes:
        return await self._reader.readexactly(size)

    async def cut(self) -> bool:
        """Wait until the server closes the connection."""
        try:
            while await self._reader.read(1 << 16):
                pass
        except ConnectionResetError:
            pass
        return True

    async def close(self) -> None:
        self._writer.transport.abort()
        await settle()


@asynccontextmanager
async def listening(address: str, **options: float) -> AsyncIterator[SocketListener]:
    listener = SocketListener(address, 1 << 30, **options)  # type: ignore[arg-type]
    await listener.start()
    try:
        yield listener
    finally:
        await listener.close()
        await settle()


@asynccontextmanager
async def clients(listener: SocketListener, count: int) -> AsyncIterator[list[Client]]:
    made = [await Client.connect(listener) for _ in range(count)]
    try:
        yield made
    finally:
        for client in made:
            await client.close()


async def works(listener: SocketListener, pid: int = 4711) -> bool:
    """Whether a worker can connect, say hello, get a request and answer it."""
    async with clients(listener, 1) as (worker,):
        expected = listener.expect(pid)
        await worker.hello(pid)
        relay = await expected
        heard = Heard(relay)
        relay.send(ANSWER)
        await worker.read(len(ANSWER))
        await worker.say(ANSWER)
        answered = await heard.until(1) == [ANSWERED]
        relay.close()
        return answered


# -- who is who --------------------------------------------------------------------------------------------------------


def test_a_worker_that_is_expected_gets_its_relay(run: Run, address: str) -> None:
    async def main() -> None:
        async with listening(address) as listener:
            assert await works(listener)

    run(main())


def test_a_worker_may_say_hello_before_it_is_expected_and_nothing_it_says_is_lost(run: Run, address: str) -> None:
    async def main() -> None:
        async with listening(address) as listener, clients(listener, 1) as (worker,):
            await worker.hello(77, ANSWER)
            await worker.say(ANSWER)
            await eventually(lambda: "unclaimed=1" in repr(listener))
            relay = await listener.expect(77)
            await worker.say(ANSWER)
            assert await Heard(relay).until(3) == [ANSWERED] * 3
            relay.close()

    run(main())


def test_many_workers_at_once_each_get_their_own_relay(run: Run, address: str) -> None:
    async def main() -> None:
        async with listening(address) as listener, clients(listener, 200) as workers:
            pids = list(range(1, 201))
            early = {pid: listener.expect(pid) for pid in pids[:100]}
            order = list(zip(pids, workers, strict=True))
            random.Random(7).shuffle(order)
            await asyncio.gather(*(worker.hello(pid) for pid, worker in order))
            relays = {pid: await (early.get(pid) or listener.expect(pid)) for pid in pids}
            for pid, worker in order:
                relays[pid].send(encode(0, b"%d" % pid))
                assert await worker.read(12 + len(str(pid))) == encode(0, b"%d" % pid)
            for relay in relays.values():
                relay.close()

    run(main())


def test_only_a_claimed_relay_takes_frames_of_full_size(run: Run, address: str) -> None:
    async def main() -> None:
        large = encode(8, bytes(MAX_HELLO + 1))
        async with listening(address) as listener, clients(listener, 2) as (worker, stranger):
            expected = listener.expect(1)
            await worker.hello(1)
            heard = Heard(await expected)
            await worker.say(large)
            assert await heard.until(1) == [Frame(8, bytes(MAX_HELLO + 1))]
            await stranger.hello(2)
            await stranger.say(large)
            kept = Heard(await listener.expect(2))
            assert "exceeds the limit of 4096" in str(await kept.loss())

    run(main())


def test_a_second_client_with_the_pid_of_a_waiting_worker_is_cut(run: Run, address: str) -> None:
    async def main() -> None:
        async with listening(address) as listener, clients(listener, 2) as (first, second):
            await first.hello(77)
            await eventually(lambda: "unclaimed=1" in repr(listener))
            await second.hello(77)
            assert await second.cut()
            relay = await listener.expect(77)
            relay.send(ANSWER)
            assert await first.read(len(ANSWER)) == ANSWER
            relay.close()

    run(main())


def test_the_relay_of_a_worker_that_has_gone_is_not_given_to_a_later_one_with_its_pid(run: Run, address: str) -> None:
    async def main() -> None:
        async with listening(address) as listener, clients(listener, 1) as (worker,):
            await worker.hello(4711)
            await eventually(lambda: "unclaimed=1" in repr(listener))
            await worker.close()
            await settle()
            assert await works(listener, pid=4711)

    run(main())


def test_a_forgotten_worker_is_cut_and_its_future_cancelled(run: Run, address: str) -> None:
    async def main() -> None:
        async with listening(address) as listener, clients(listener, 1) as (worker,):
            expected = listener.expect(5)
            listener.forget(5)
            listener.forget(5)
            assert expected.cancelled()
            await worker.hello(6)
            await eventually(lambda: "unclaimed=1" in repr(listener))
            listener.forget(6)
            assert await worker.cut()

    run(main())


def test_relays_nobody_claims_are_closed_after_a_while(run: Run, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_UNCLAIMED_FOR", 0.01)

    async def main() -> None:
        async with listening(address) as listener, clients(listener, 1) as (stranger,):
            await stranger.hello(77)
            assert await stranger.cut()
            assert "unclaimed=0" in repr(listener)

    run(main())


def test_of_too_many_unclaimed_relays_the_oldest_is_closed(
    run: Run, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_MAX_UNCLAIMED", 2)

    async def main() -> None:
        async with listening(address) as listener, clients(listener, 3) as (first, *others):
            await first.hello(1)
            await eventually(lambda: "unclaimed=1" in repr(listener))
            for pid, other in enumerate(others, 2):
                await other.hello(pid)
            assert await first.cut()
            assert "unclaimed=2" in repr(listener)
            assert await works(listener)

    run(main())


# -- who is no worker --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 100,
        encode_payload(b"{}", b"hello", 8),
        encode(0x01, b'{"pid":0}'),
        encode(0x01, b'{"pid":-1}'),
        encode(0x01, b"{"),
        encode(0x01, b'{"pid":' + b"9" * 4000 + b"}"),
        encode(0x01, bytes(MAX_HELLO + 1))[:12],
        encode(0x01, b'{"pid":77}')[:2] + b"\xff\xff\xff\xff" + bytes(6),
    ],
    ids=["http", "zeros", "answer", "pid-0", "negative", "half-json", "huge-pid", "large", "4-gb"],
)
def test_a_client_that_says_anything_else_loses_its_own_connection_only(run: Run, address: str, said: bytes) -> None:
    async def main() -> None:
        async with listening(address) as listener, clients(listener, 2) as (stranger, silent):
            await stranger.asked()
            await stranger.say(said)
            assert await stranger.cut()
            assert "unidentified=1" in repr(listener), "the silent one is still there"
            assert await works(listener)
            await silent.asked()

    run(main())


def test_a_client_that_hangs_up_in_the_middle_of_its_hello_is_forgotten(run: Run, address: str) -> None:
    async def main() -> None:
        async with listening(address) as listener, clients(listener, 1) as (client,):
            await client.asked()
            await client.say(encode(0x01, b'{"pid":77}')[:14])
            await client.close()
            await eventually(lambda: "unidentified=0" in repr(listener))
            assert await works(listener)

    run(main())


def test_silent_clients_do_not_keep_a_worker_waiting_and_are_cut_in_the_end(run: Run, address: str) -> None:
    async def main() -> None:
        async with listening(address, hello_timeout=0.3) as listener, clients(listener, 20) as silent:
            assert await works(listener)
            for client in silent:
                assert await client.cut()

    run(main())


def test_a_worker_that_boots_for_longer_than_the_silence_allowed_is_not_cut_while_it_is_expected(
    run: Run, address: str
) -> None:
    async def main() -> None:
        async with listening(address, hello_timeout=0.01) as listener:
            expected = listener.expect(77)
            async with clients(listener, 1) as (worker,):
                await asyncio.sleep(0.1)  # the application boots
                await worker.hello(77)
                (await expected).close()

    run(main())


def test_of_too_many_silent_clients_the_oldest_is_cut(run: Run, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_MAX_UNIDENTIFIED", 3)

    async def main() -> None:
        async with listening(address) as listener, clients(listener, 3) as (first, *_):
            await eventually(lambda: "unidentified=3" in repr(listener))
            assert await works(listener)
            assert await first.cut()

    run(main())


# -- listening ---------------------------------------------------------------------------------------------------------


def test_close_ends_everything_that_was_not_claimed_and_leaves_what_was(run: Run, address: str) -> None:
    async def main() -> None:
        async with listening(address) as listener, clients(listener, 3) as (worker, unclaimed, silent):
            expected = listener.expect(1)
            never = listener.expect(2)
            await worker.hello(1)
            relay = await expected
            await unclaimed.hello(3)
            await eventually(lambda: "unclaimed=1, unidentified=1" in repr(listener))
            await listener.close()
            await listener.close()
            with pytest.raises(RelayError, match="the relay's listener was closed"):
                await never
            assert await unclaimed.cut()
            assert await silent.cut()
            relay.send(ANSWER)
            assert await worker.read(len(ANSWER)) == ANSWER
            relay.close()
            with pytest.raises(OSError):
                await Client.connect(listener)

    run(main())


def test_connections_do_not_wait_for_more_bytes_to_send(run: Run) -> None:
    async def main() -> None:
        async with listening("tcp://127.0.0.1:0") as listener, clients(listener, 1) as (worker,):
            await worker.hello(1)
            relay = await listener.expect(1)
            assert relay._sink is not None
            ours = relay._sink.get_extra_info("socket")
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            relay.close()

    run(main())


def test_without_a_host_it_listens_on_all_interfaces_and_says_how_to_reach_it_here(run: Run) -> None:
    async def main() -> None:
        async with listening("tcp://:0") as listener:
            assert listener.address.startswith("tcp://127.0.0.1:")
            assert not listener.address.endswith(":0")
            assert await works(listener)

    run(main())


@pytest.mark.parametrize(
    "wrong",
    ["", "pipe", "tcp:", "http://x:1", "tcp://", "tcp://x", "tcp://x:y", "tcp://x:70000", "unix://", "tcp://a://b:1"],
)
def test_an_address_that_is_none_is_refused_in_roadrunners_words(wrong: str) -> None:
    with pytest.raises(RelayError) as error:
        SocketListener(wrong, 1)
    assert str(error.value) == "invalid DSN (tcp://:6001, unix://file.sock)"


def test_a_port_in_use_is_named(run: Run) -> None:
    async def main() -> None:
        async with listening("tcp://127.0.0.1:0") as first:
            second = SocketListener(first.address, 1)
            with pytest.raises(
                RelayError, match=f"server.relay: cannot listen on {first.address.removeprefix('tcp://')}: .*in use"
            ):
                await second.start()
            await second.close()
            assert await works(first)

    run(main())


def test_the_socket_file_is_for_its_owner_only_and_goes_with_the_listener(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "rr.sock"
        async with listening(f"unix://{path}"):
            assert stat.S_ISSOCK(path.stat().st_mode)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not path.exists()

    run(main())


def test_the_socket_file_of_a_server_that_was_killed_is_replaced(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "rr.sock"
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(path))
            killed.listen()
        async with listening(f"unix://{path}") as listener:
            assert await works(listener)

    run(main())


def test_the_socket_of_a_living_server_is_left_to_it(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        address = f"unix://{tmp_path}/rr.sock"
        async with listening(address) as first:
            second = SocketListener(address, 1)
            with pytest.raises(RelayError, match="in use"):
                await second.start()
            await second.close()
            assert await works(first)

    run(main())


def test_a_file_or_folder_in_the_way_is_left_alone(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        file = tmp_path / "precious.txt"
        file.write_text("data")
        folder = tmp_path / "folder"
        folder.mkdir()
        for path in (file, folder):
            with pytest.raises(RelayError, match="is not a socket"):
                await SocketListener(f"unix://{path}", 1).start()
        assert file.read_text() == "data"
        assert folder.is_dir()

    run(main())


def test_a_socket_file_somebody_else_has_put_there_meanwhile_is_not_removed(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "rr.sock"
        async with listening(f"unix://{path}"):
            path.rename(tmp_path / "old.sock")
            with socket.socket(socket.AF_UNIX) as newer:
                newer.bind(str(path))
        assert path.exists()

    run(main())


def test_a_folder_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(
            RelayError, match=f"server.relay: cannot listen on unix://{tmp_path}/no/rr.sock: no such file"
        ):
            await SocketListener(f"unix://{tmp_path}/no/rr.sock", 1).start()

    run(main())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_socket_file_can_be_given_to_the_user_of_the_workers(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "rr.sock"
        async with listening(f"unix://{path}", uid=65534, gid=65534):
            assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)

    run(main())


# -- real workers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["php", "python"])
def test_a_real_worker_connects_serves_and_leaves(run: Run, address: str, program: str, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    if program == "php":
        command = [require_php(), str(root / "php" / "examples" / "hello.php")]
    else:
        script = tmp_path / "worker.py"
        script.write_text("from pyroadrunner.sdk.http import serve\nserve(lambda request: 'Hello, world!\\n')\n")
        command = [sys.executable, str(script)]

    async def main() -> None:
        async with listening(address) as listener:
            env = {**os.environ, "RR_RELAY": listener.address, "RR_PHP_LIBRARY": str(root / "php")}
            child = await asyncio.create_subprocess_exec(*command, env=env, stdin=asyncio.subprocess.DEVNULL)
            relay = await listener.expect(child.pid)
            heard = Heard(relay)
            relay.send(encode_payload(context("/"), b"", 8))
            (answer,) = await heard.until(1)
            assert answer.payload[answer.options[0] :] == b"Hello, world!\n"
            relay.send(STOP_WORKER)
            assert str(await heard.loss()) == "EOF"
            assert await child.wait() == 0
            relay.close()

    run(main())
