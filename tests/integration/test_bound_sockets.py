"""Addresses that can and can't be listened on, in words."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from pyroadrunner.net.address import TcpAddress, UnixAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.errors import ListenError
from support.server import free_port


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ListenError) as caught:
            BoundSockets(TcpAddress("127.0.0.1", port))
    assert str(caught.value) == (
        f"http.address: cannot listen on 127.0.0.1:{port}: the address is in use; stop the process that listens there,"
        " or set another port"
    )


def test_a_port_is_free_again_right_after_it_was_closed() -> None:
    port = free_port()
    for _ in range(2):
        bound = BoundSockets(TcpAddress("127.0.0.1", port))
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = bound.sockets[0].accept()
        accepted.close()
        client.close()
        bound.close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "300.300.300.300"])
def test_a_host_that_is_none_is_named(host: str) -> None:
    with pytest.raises(ListenError, match=rf"http.address: cannot listen on {host}:80: the host can't be resolved"):
        BoundSockets(TcpAddress(host, 80))


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ListenError, match=r"http.address: cannot listen on 192.0.2.1:0: cannot assign"):
        BoundSockets(TcpAddress("192.0.2.1", 0))


def test_no_host_is_every_ipv4_address() -> None:
    bound = BoundSockets(TcpAddress("", 0))
    try:
        assert [one.getsockname()[0] for one in bound.sockets] == ["0.0.0.0"]
        assert bound.port > 0
    finally:
        bound.close()


def test_localhost_is_every_address_of_that_name_with_one_port() -> None:
    bound = BoundSockets(TcpAddress("localhost", 0))
    try:
        assert {one.getsockname()[1] for one in bound.sockets} == {bound.port}
        socket.create_connection(("127.0.0.1", bound.port)).close()
    finally:
        bound.close()


@pytest.mark.parametrize("umask", [0, 0o22, 0o77])
def test_owner_and_group_can_connect_whatever_the_umask_is(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "rr.sock"
    before = os.umask(umask)
    try:
        bound = BoundSockets(UnixAddress(str(path)))
    finally:
        os.umask(before)
    try:
        assert path.stat().st_mode & 0o777 == 0o660
    finally:
        bound.close()


def test_a_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "rr.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.is_socket()
    bound = BoundSockets(UnixAddress(str(path)))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    bound.close()
    assert not path.exists()


def test_a_socket_that_nobody_listens_on_and_that_can_not_be_removed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rr.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    def refuse(_: object) -> None:  # as in a folder of root's: /run, after a socket unit was stopped
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(ListenError, match=r"a stale socket file .* can't be removed: read-only file system"):
        BoundSockets(UnixAddress(str(path)))


def test_a_socket_of_somebody_else_is_not_called_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rr.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))

        def refuse(*_: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(socket.socket, "connect", refuse)
        with pytest.raises(ListenError, match=r"cannot listen on .*: permission denied"):
            BoundSockets(UnixAddress(str(path)))
    assert path.is_socket()


def test_a_socket_that_somebody_listens_on_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rr.sock"
    first = BoundSockets(UnixAddress(str(path)))
    with pytest.raises(ListenError, match=r"http.address: .* unix://.*: the address is in use; .* another path"):
        BoundSockets(UnixAddress(str(path)))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    first.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rr.sock"
    path.write_text("precious")
    with pytest.raises(ListenError, match="is not a socket"):
        BoundSockets(UnixAddress(str(path)))
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match=r"cannot listen on .*: no such file"):
        BoundSockets(UnixAddress(str(tmp_path / "none" / "rr.sock")))


def test_a_path_that_another_server_has_taken_over_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "rr.sock"
    first = BoundSockets(UnixAddress(str(path)))
    path.unlink()
    second = BoundSockets(UnixAddress(str(path)))
    first.close()
    assert path.is_socket()
    second.close()
