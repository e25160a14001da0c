"""A TCP proxy whose connections a test cuts, or holds up."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

from support.ports import free_port


class TcpProxy:
    """Forwards connections to the port of a server.

    Attributes:
        port: where it listens: at ``at``, otherwise at a free port.
    """

    def __init__(self, port: int, at: int | None = None) -> None:
        self.port = at or free_port()
        self._target = port
        self._open = threading.Event()  # bytes flow
        self._open.set()
        self._refuses = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> TcpProxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.set()
        self._listener.close()
        self.cut(refuse=True)

    def cut(self, *, refuse: bool = False) -> None:
        """Close all connections; with ``refuse``, new ones too."""
        with self._lock:
            self._refuses = refuse
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def accept(self) -> None:
        """Accept connections again."""
        self._refuses = False

    def hold(self) -> None:
        """Let no bytes through; connections stay open."""
        self._open.clear()

    def flow(self) -> None:
        """Let bytes through again."""
        self._open.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._refuses:
                    raise OSError
                server = socket.create_connection(("127.0.0.1", self._target), 5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            with self._lock:
                refuses = self._refuses  # it may have begun meanwhile
                if not refuses:
                    self._pairs.append((client, server))
            if refuses:
                client.close()
                server.close()
                continue
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, target), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._open.wait()
                target.sendall(data)
        except OSError:
            pass
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
