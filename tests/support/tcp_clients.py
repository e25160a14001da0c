"""Clients of a running tcp server, and the events that its PHP worker has seen."""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from support.php import require_php
from support.server import Server, free_port

WORKER = Path(__file__).parent / "workers" / "tcp.php"
LONG = 60.0  # seconds; a limit for failures only


class Seen(NamedTuple):
    """An event, as a worker has written it down."""

    uuid: str
    server: str
    event: str
    message: str


class TcpServer(Server):
    """``rr serve`` with tcp servers whose PHP worker does what the messages say.

    Args:
        servers: keys by name; each gets a free port.
        pool: keys of ``tcp.pool``.
        more: further sections.
    """

    def __init__(
        self,
        folder: Path,
        servers: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        pool: Mapping[str, Any] | None = None,
        worker: str = "",
        **more: Any,
    ) -> None:
        self.ports = {name: free_port() for name in servers or {"plain": {}}}
        self._events = folder / "events"
        self._events.write_bytes(b"")
        given = servers or {"plain": {}}
        tcp = {
            "servers": {name: {"addr": f"127.0.0.1:{self.ports[name]}", **keys} for name, keys in given.items()},
            "pool": {"num_workers": 1, **(pool or {})},
        }
        config = {
            "server": {"command": worker or f"{require_php()} {WORKER}", "env": {"EVENTS": str(self._events)}},
            "tcp": tcp,
            **more,
        }
        super().__init__(folder, config, timeout=LONG)

    def connect(self, server: str = "plain") -> Client:
        """A new client."""
        return Client(socket.create_connection(("127.0.0.1", self.ports[server]), timeout=LONG))

    @property
    def seen(self) -> list[Seen]:
        """All events so far."""
        lines = self._events.read_text("utf-8", "replace").splitlines()
        return [Seen(*line.split(" ", 3)) for line in lines if line.count(" ") >= 3]

    def wait_for_events(self, count: int, event: str = "") -> list[Seen]:
        """Wait until a worker has seen this many events (of this kind); return them."""
        deadline = time.monotonic() + LONG
        while len(found := [one for one in self.seen if event in ("", one.event)]) < count:
            assert time.monotonic() < deadline, f"{count} {event} wanted, but only {found}\n{self.stderr}"
            time.sleep(0.01)
        return found

    def __enter__(self) -> TcpServer:
        super().__enter__()
        return self


class Client:
    """A blocking client."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._ahead = bytearray()
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> bytes:
        """The next line; less at the end of the connection."""
        while (end := self._ahead.find(b"\n")) < 0 and (chunk := self.sock.recv(1 << 20)):
            self._ahead += chunk
        size = end + 1 if end >= 0 else len(self._ahead)
        line = bytes(self._ahead[:size])
        del self._ahead[:size]
        return line

    def ask(self, message: bytes) -> bytes:
        """Send a message and read a line."""
        self.send(message + b"\r\n")
        return self.line()

    def rest(self) -> bytes:
        """Everything up to the end of the connection; a reset is an end, too."""
        data, self._ahead = self._ahead, bytearray()
        try:
            while chunk := self.sock.recv(1 << 20):
                data += chunk
        except ConnectionResetError:
            pass
        return bytes(data)

    def end(self) -> None:
        """Close the sending side."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()


def memory(pid: int) -> int:
    """Resident bytes of a process; Linux."""
    assert sys.platform == "linux"
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError(f"process {pid} has no memory")
