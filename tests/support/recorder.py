"""A forwarder in front of a server: it counts the connections and keeps what both sides have sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from support.ports import free_port
from support.programs import PATIENCE


class Recorded:
    """The bytes of one connection: the client's and the server's."""

    def __init__(self) -> None:
        self.requests = bytearray()
        self.responses = bytearray()


class Recorder:
    """Listens on a loopback port and forwards each connection to the server, in both directions, with the end of each.

    Attributes:
        port: its port on 127.0.0.1.
        connections: all that were accepted, in their order.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self.port = free_port()
        self.connections: list[Recorded] = []
        self._server = server
        self._clients: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", self.port))

    def __enter__(self) -> Recorder:
        self._run(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in (self._listener, *self._clients):
            _shut_down(sock)  # close() alone would not end what a thread does with it
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self, target: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            recorded = Recorded()
            self.connections.append(recorded)
            self._run(self._serve, client, recorded)

    def _serve(self, client: socket.socket, recorded: Recorded) -> None:
        with client, socket.create_connection(self._server) as server:
            requests = self._run(_forward, client, server, recorded.requests)
            _forward(server, client, recorded.responses)
            requests.join()


def _forward(source: socket.socket, target: socket.socket, record: bytearray) -> None:
    try:
        while data := source.recv(65536):
            record += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # one side has reset the connection, or has closed it for both directions
        _shut_down(source)
        _shut_down(target)


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
