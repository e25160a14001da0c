"""A worker's relay: frames over two file descriptors, blocking. Independent of requests and responses.

Over pipes, stdin and stdout carry the frames, so the application must not use them. This module uses duplicates:
descriptor 0 becomes ``/dev/null`` and descriptor 1 becomes stderr. Output of ``print``, a C library or child processes
then goes to the server's log and does not break the stream.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections import deque
from io import TextIOWrapper

from pyroadrunner.goridge.errors import RelayClosed, RelayError
from pyroadrunner.goridge.frame import Frame
from pyroadrunner.goridge.reader import FrameReader

_READ_BYTES = 1 << 16


class Relay:
    """Frames to and from the server.

    Args:
        source: descriptor to read from.
        sink: descriptor to write to; for a socket the same as ``source``.
        pings: whether a long stream sends a PING every few chunks (over pipes, not over sockets).
    """

    def __init__(self, source: int, sink: int, *, pings: bool) -> None:
        self.pings = pings
        self._source = source
        self._sink = sink
        self._reader = FrameReader()
        self._frames: deque[Frame] = deque()
        self._poll = select.poll()
        self._poll.register(source, select.POLLIN)

    def __repr__(self) -> str:
        return f"Relay(source={self._source}, sink={self._sink}, waiting={len(self._frames)} frames)"

    def send(self, frame: bytes) -> None:
        """Write one whole encoded frame.

        Raises:
            RelayClosed: the server has exited.
        """
        try:
            sent = os.write(self._sink, frame)
            if sent < len(frame):
                rest = memoryview(frame)[sent:]
                while rest:
                    rest = rest[os.write(self._sink, rest) :]
        except (BrokenPipeError, ConnectionError) as error:
            raise RelayClosed(mid_frame=False) from error

    def receive(self) -> Frame | None:
        """Wait for the next frame; ``None`` if the server closed the relay between two frames.

        Raises:
            RemoteFrameError: the data is not a frame.
            RelayClosed: the server closed the relay within a frame.
        """
        while not self._frames:
            try:
                data = os.read(self._source, _READ_BYTES)
            except ConnectionResetError:
                data = b""
            if not data:
                if self._reader.buffered:
                    raise RelayClosed(mid_frame=True)
                return None
            self._frames.extend(self._reader.feed(data))
        return self._frames.popleft()

    def readable(self) -> bool:
        """Whether data has arrived. Never blocks."""
        return bool(self._frames) or bool(self._poll.poll(0))

    def close(self) -> None:
        """Close both directions; call it only once."""
        os.close(self._source)
        if self._sink != self._source:
            os.close(self._sink)


def open_relay(address: str) -> Relay:
    """Open the relay that ``RR_RELAY`` names: ``pipes`` (or empty), ``tcp://host:port``, ``unix://path``.

    Raises:
        RelayError: an unknown kind of relay, or the connect failed.
    """
    scheme, _, rest = address.partition("://")
    if address in ("", "pipes"):
        return _take_pipes()
    if scheme not in ("tcp", "unix") or not rest:
        raise RelayError(f'invalid relay "{address}" (pipes, tcp://:6001, unix://file.sock)')
    try:
        connection = _connect(scheme, rest)
    except (OSError, ValueError) as error:
        raise RelayError(f"cannot connect to {address}: {error}") from error
    descriptor = connection.detach()
    return Relay(descriptor, descriptor, pings=False)


def _connect(scheme: str, rest: str) -> socket.socket:
    if scheme == "tcp":
        host, _, port = rest.rpartition(":")
        connection = socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(rest)
    except OSError:
        connection.close()
        raise
    return connection


def _take_pipes() -> Relay:
    relay = Relay(os.dup(0), os.dup(1), pings=True)  # children do not inherit the duplicates
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # it goes to a log now: write line by line, not in 8 KiB
    return relay
