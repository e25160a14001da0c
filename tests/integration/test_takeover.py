"""Addresses are taken over when they should, and returned when the successor fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pyroadrunner.admin.app import AdminRequest
from pyroadrunner.admin.response import AdminResponse
from pyroadrunner.admin.server import AdminServer
from pyroadrunner.log import Log
from pyroadrunner.net import takeover
from pyroadrunner.net.address import Address, TcpAddress, UnixAddress
from pyroadrunner.net.bound_sockets import listen
from pyroadrunner.net.errors import ListenError
from support.admin import browser_of
from support.pools import run
from support.server import free_port


@pytest.fixture(autouse=True)
def leave_nothing() -> Iterator[None]:
    """Reset the module's state: it belongs to the process, which runs other tests too."""
    yield
    run(takeover.complete())


def admin(name: str, address: Address) -> AdminServer:
    async def answer(_request: AdminRequest) -> AdminResponse:
        return AdminResponse(200, name.encode())

    return AdminServer(address, "metrics.address", answer, Log("metrics"))


async def who(address: Address) -> str:
    async with browser_of(address) as browser:
        return (await browser.get("/", "Connection: close")).text


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_readiness_endpoints_are_taken_over_after_everything_has_started(tmp_path: Path, kind: str) -> None:
    address = TcpAddress("127.0.0.1", free_port()) if kind == "tcp" else UnixAddress(f"{tmp_path}/admin.sock")

    async def main() -> None:
        old, new = admin("old", address), admin("new", address)
        await old.start()
        takeover.allow_takeover()
        takeover.begin()
        await new.start()
        assert [await who(address) for _ in range(8)] == ["old"] * 8
        await takeover.complete()
        assert [await who(address) for _ in range(8)] == ["new"] * 8
        await old.stop(1)
        assert await who(address) == "new"
        await new.stop(1)

    run(main())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_if_the_new_process_fails_the_old_one_gets_all_connections_again(tmp_path: Path, kind: str) -> None:
    address = TcpAddress("127.0.0.1", free_port()) if kind == "tcp" else UnixAddress(f"{tmp_path}/admin.sock")

    async def main() -> None:
        old, new = admin("old", address), admin("new", address)
        await old.start()
        takeover.allow_takeover()
        takeover.begin()
        await new.start()
        await new.stop(0)
        takeover.allow_takeover(on=False)
        assert [await who(address) for _ in range(8)] == ["old"] * 8
        await old.stop(1)

    run(main())
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_not_offered_is_refused(tmp_path: Path) -> None:
    first = listen(TcpAddress("127.0.0.1", 0), "rpc.listen")
    try:
        takeover.begin()
        with pytest.raises(ListenError, match=r"rpc.listen: cannot listen on .*: the address is in use"):
            listen(first.address, "rpc.listen")
        run(takeover.complete())
        takeover.allow_takeover()
        with pytest.raises(ListenError, match=r"the address is in use"):
            listen(first.address, "rpc.listen")
    finally:
        first.close()
