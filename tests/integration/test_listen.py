"""Listening sockets: what may be taken, what must not be, and how it is said."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from pyroadrunner.net.address import Address, TcpAddress, UnixAddress, parse_address
from pyroadrunner.net.bound_sockets import listen
from pyroadrunner.net.errors import ListenError


def connect(address: Address) -> None:
    if isinstance(address, TcpAddress):
        where = address.to_connect()
        socket.create_connection((where.host, where.port), 5).close()
    else:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(address.path)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_clients_on_this_machine_reach_it(host: str) -> None:
    listening = listen(TcpAddress(host, 0), "rpc.listen")
    try:
        connect(listening.address)
    finally:
        listening.close()
    with pytest.raises(ConnectionRefusedError):
        connect(listening.address)


def test_no_host_means_all_interfaces() -> None:
    listening = listen(parse_address("tcp://:0"), "rpc.listen")
    assert {sock.getsockname()[0] for sock in listening.sockets} <= {"0.0.0.0", "::"}
    assert "0.0.0.0" in {sock.getsockname()[0] for sock in listening.sockets}
    assert len({sock.getsockname()[1] for sock in listening.sockets}) == 1
    listening.close()


def test_a_port_in_use_is_named_with_its_key() -> None:
    first = listen(TcpAddress("127.0.0.1", 0), "rpc.listen")
    with pytest.raises(ListenError) as refused:
        listen(first.address, "rpc.listen")
    assert str(refused.value).startswith(f"rpc.listen: cannot listen on {first.address.short}: the address is in use")
    first.close()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ListenError, match=r"rpc\.listen: cannot listen on 192\.0\.2\.1:6001: "):
        listen(TcpAddress("192.0.2.1", 6001), "rpc.listen")


def test_a_socket_file_is_for_its_owner_alone_and_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "rr.sock"
    listening = listen(UnixAddress(str(path)), "rpc.listen")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    connect(listening.address)
    listening.close()
    assert not path.exists()
    listening.close()


def test_a_socket_file_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "rr.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listening = listen(UnixAddress(str(path)), "rpc.listen")
    connect(listening.address)
    listening.close()


def test_a_socket_file_of_a_living_server_is_left_alone(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "rr.sock"))
    first = listen(address, "rpc.listen")
    with pytest.raises(ListenError, match="in use"):
        listen(address, "rpc.listen")
    connect(address)
    first.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious.txt"
    path.write_text("mine")
    with pytest.raises(ListenError, match="is not a socket"):
        listen(UnixAddress(str(path)), "rpc.listen")
    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="no such file or directory"):
        listen(UnixAddress(str(tmp_path / "nope" / "rr.sock")), "rpc.listen")


def test_a_path_longer_than_the_system_takes_is_said(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="too long"):
        listen(UnixAddress(str(tmp_path / ("x" * 200))), "rpc.listen")


def test_the_socket_file_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "rr.sock"
    first = listen(UnixAddress(str(path)), "rpc.listen")
    os.unlink(path)
    second = listen(UnixAddress(str(path)), "rpc.listen")
    first.close()
    connect(second.address)
    second.close()
