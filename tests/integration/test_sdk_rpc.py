"""The SDK's clients call a real ``rpc`` plugin: in every codec, concurrently, and after a server restart."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pyroadrunner.sdk.rpc import AsyncRpcClient, CallFailed, RpcClient, Unreachable
from support.messages import Order
from support.rpc import Lab, running_rpc
from support.server import Server

T = TypeVar("T")


@asynccontextmanager
async def called(listen: str = "tcp://127.0.0.1:0") -> AsyncIterator[tuple[Lab, AsyncRpcClient]]:
    lab = Lab()
    async with running_rpc(lab, listen=listen) as rpc, AsyncRpcClient(rpc.address) as client:
        yield lab, client


async def blocking(client: AsyncRpcClient, use: Callable[[RpcClient], T]) -> T:
    """Run ``use`` in a thread with a blocking client of the same server."""

    def run() -> T:
        with RpcClient(client.address) as server:
            return use(server)

    return await asyncio.to_thread(run)


def every_codec(server: RpcClient) -> list[Any]:
    return [
        server.call("lab.Echo", "ä"),
        server.call("lab.Later", "x"),
        server.call_message("lab.Order", Order(process_num=4), Order).process_num,
        json.loads(server.call_bytes("rpc.Config"))["version"],
        server.call_bytes("lab.Bytes", b"abc"),
    ]


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_both_clients_support_every_codec(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        listen = "tcp://127.0.0.1:0" if kind == "tcp" else f"unix://{tmp_path / 'rpc.sock'}"
        async with called(listen) as (_, client):
            assert await blocking(client, every_codec) == ["ä", "x", 5, "3", b"cba"]
            assert await client.call("lab.Echo", "ä") == "ä"
            assert (await client.call_message("lab.Order", Order(process_num=4), Order)).process_num == 5
            assert await client.call_bytes("lab.Bytes", b"abc") == b"cba"

    asyncio.run(scene())


def test_an_error_has_the_servers_text_and_the_connection_stays_open() -> None:
    def use(server: RpcClient) -> list[str]:
        texts = []
        for method, argument in (("lab.Refuse", "no, thanks"), ("lab.Nope", True), ("nobody.X", True)):
            with pytest.raises(CallFailed) as failed:
                server.call(method, argument)
            texts.append(str(failed.value))
        return [*texts, server.call("lab.Echo", "on")]

    async def scene() -> None:
        expected = ["no, thanks", "rpc: can't find method lab.Nope", "rpc: can't find service nobody.X", "on"]
        async with called() as (_, client):
            assert await blocking(client, use) == expected
            with pytest.raises(CallFailed, match=r"^no, thanks$"):
                await client.call("lab.Refuse", "no, thanks")
            assert await client.call("lab.Echo", "on") == "on"

    asyncio.run(scene())


def test_many_async_calls_share_a_connection_and_finish_in_any_order() -> None:
    async def scene() -> None:
        async with called() as (_, client):
            waiting = [asyncio.create_task(client.call("lab.Wait", str(n))) for n in range(50)]
            assert await client.call("lab.Echo", "first") == "first"
            for n in reversed(range(50)):
                await client.call("lab.Open", str(n))
                assert await waiting[n] == str(n)

    asyncio.run(scene())


def test_late_and_cancelled_calls_leave_the_connection_usable() -> None:
    async def scene() -> None:
        async with called() as (lab, client):
            with pytest.raises(Unreachable, match=r"did not answer within 0\.01 s"):
                await client.call("lab.Wait", "late", timeout=0.01)
            cancelled = asyncio.create_task(client.call("lab.Wait", "cancelled"))
            await asyncio.sleep(0)
            await client.call("lab.Echo", "after it")
            assert lab.started == ["late", "cancelled"]
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            await client.call("lab.Open", "late")
            await client.call("lab.Open", "cancelled")
            assert await client.call("lab.Echo", "mine") == "mine"
            assert "waiting=0" in repr(client)

    asyncio.run(scene())


def test_both_reconnect_to_a_restarted_server(tmp_path: Path) -> None:
    listen = f"unix://{tmp_path / 'rpc.sock'}"

    async def scene() -> None:
        blocking_client, client = RpcClient(listen), AsyncRpcClient(listen)
        for _ in range(2):
            async with running_rpc(Lab(), listen=listen):
                assert await client.call("lab.Echo", "async") == "async"
                assert await asyncio.to_thread(blocking_client.call, "lab.Echo", "blocking") == "blocking"
                answers = client._answers
            assert answers is not None
            await answers.closed
        with pytest.raises(Unreachable, match=r"^dial unix "):
            await client.call("lab.Echo", "gone")
        with pytest.raises(Unreachable, match=r"^dial unix "):
            await asyncio.to_thread(blocking_client.call, "lab.Echo", "gone")
        blocking_client.close()
        await client.close()

    asyncio.run(scene())


@contextmanager
def stranger(says: bytes) -> Iterator[str]:
    """A foreign server at the address: sends some bytes to each client and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        from threading import Thread

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(says)

        thread = Thread(target=serve)
        thread.start()
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("says", "text"), [(b"HTTP/1.1 400\r\n\r\n", "is not the RPC"), (b"", "closed the connection")]
)
def test_a_foreign_server_at_the_address_is_an_error(says: bytes, text: str) -> None:
    async def scene(address: str) -> None:
        async with AsyncRpcClient(address) as client:
            with pytest.raises(Unreachable, match=text.replace("closed", "c(losed|ut)")):
                await client.call("rpc.Version")

    with stranger(says) as address, RpcClient(address) as client, pytest.raises(Unreachable, match=text):
        client.call("rpc.Version")
    with stranger(says) as address:
        asyncio.run(scene(address))


def test_the_address_is_that_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(tmp_path, {}) as server:
        monkeypatch.setenv("RR_RPC", server.rpc)
        with RpcClient() as client:
            assert "rpc" not in client.call("informer.List")
    monkeypatch.delenv("RR_RPC")
    assert str(RpcClient().address) == "tcp://127.0.0.1:6001"
