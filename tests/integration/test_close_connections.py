"""Connections of this process are closed from outside of their owners, on real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pyroadrunner.net.peers import close_accepted, close_peers


class Pair:
    """A listening socket, and a connection to it that nothing reads."""

    def __init__(self, stack: ExitStack, family: int, name: object) -> None:
        self.listening = stack.enter_context(socket.socket(family))
        self.listening.bind(name)
        self.listening.listen()
        self.client = stack.enter_context(socket.socket(family))
        self.client.settimeout(20)
        self.client.connect(self.listening.getsockname())
        self.server = stack.enter_context(self.listening.accept()[0])

    @property
    def closed(self) -> bool:
        """Whether the server's side is closed. It never waits: the server has not sent anything."""
        self.server.setblocking(False)
        try:
            return self.server.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("kind", ["IPv4", "IPv6", "all interfaces", "unix"])
def test_the_connections_of_a_listener_are_closed(tmp_path: Path, stack: ExitStack, kind: str) -> None:
    names: dict[str, tuple[int, object, object]] = {
        "IPv4": (socket.AF_INET, ("127.0.0.1", 0), ("127.0.0.1", 0)),
        "IPv6": (socket.AF_INET6, ("::1", 0), ("::1", 0)),
        "all interfaces": (socket.AF_INET, ("0.0.0.0", 0), ("127.0.0.1", 0)),
        "unix": (socket.AF_UNIX, str(tmp_path / "a"), str(tmp_path / "b")),
    }
    family, name, other_name = names[kind]
    pair, other = Pair(stack, family, name), Pair(stack, family, other_name)
    assert close_accepted([pair.listening]) == 1
    assert pair.closed
    assert not other.closed
    assert not other.client.sendall(b"x")
    assert other.server.recv(1) == b"x"


def test_another_listener_on_the_same_port_keeps_its_connections(stack: ExitStack) -> None:
    pair = Pair(stack, socket.AF_INET, ("127.0.0.1", 0))
    other = Pair(stack, socket.AF_INET, ("127.0.0.2", pair.listening.getsockname()[1]))
    assert close_accepted([pair.listening]) == 1
    assert pair.closed
    assert not other.closed


def test_the_listener_itself_stays_open(stack: ExitStack) -> None:
    pair = Pair(stack, socket.AF_INET, ("127.0.0.1", 0))
    close_accepted([pair.listening])
    with socket.create_connection(pair.listening.getsockname(), 20):
        pair.listening.accept()[0].close()


def test_a_client_is_found_by_its_address(stack: ExitStack) -> None:
    pair, other = (Pair(stack, socket.AF_INET, ("127.0.0.1", 0)) for _ in range(2))
    assert close_peers({pair.client.getsockname()}) == 1
    assert pair.closed
    assert not other.closed


def test_an_ipv4_client_of_an_ipv6_socket_is_found(stack: ExitStack) -> None:
    listening = stack.enter_context(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True))
    client = stack.enter_context(socket.create_connection(("127.0.0.1", listening.getsockname()[1]), 20))
    stack.enter_context(listening.accept()[0])
    assert close_peers({client.getsockname()}) == 1
