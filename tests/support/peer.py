"""The server's side of a relay, for tests of workers: blocking, over two file descriptors."""

from __future__ import annotations

import os
from collections import deque
from types import TracebackType

from pyroadrunner.goridge.frame import Flag, Frame, encode_payload
from pyroadrunner.goridge.reader import FrameReader
from pyroadrunner.sdk.relay import Relay
from pyroadrunner.sdk.worker import Worker


class ServerPeer:
    """Sends frames to a worker and reads its replies. Closes both descriptors at the end.

    ``received`` holds every byte from the worker, in order.
    """

    def __init__(self, source: int, sink: int) -> None:
        self.received = b""
        self._source = source
        self._sink = sink
        self._frames: deque[Frame] = deque()
        self._reader = FrameReader()

    def __enter__(self) -> ServerPeer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, frame: bytes) -> None:
        """Write the bytes of one or more frames."""
        rest = memoryview(frame)
        while rest:
            rest = rest[os.write(self._sink, rest) :]

    def request(self, context: bytes, body: bytes = b"", flags: int = Flag.JSON) -> None:
        """Send one request."""
        self.send(encode_payload(context, body, flags))

    def receive(self) -> Frame | None:
        """The worker's next frame; ``None`` if it has closed its side."""
        while not self._frames:
            data = os.read(self._source, 1 << 16)
            if not data:
                return None
            self.received += data
            self._frames.extend(self._reader.feed(data))
        return self._frames.popleft()

    def ask(self, context: bytes, body: bytes = b"", flags: int = Flag.JSON) -> Frame:
        """Send one request and wait for the first frame of its response."""
        self.request(context, body, flags)
        frame = self.receive()
        if frame is None:
            raise AssertionError("the worker closed its relay instead of replying")
        return frame

    def hang_up(self) -> None:
        """Close the direction to the worker: it reads the end of the stream. Idempotent."""
        if self._sink >= 0 and self._sink != self._source:
            os.close(self._sink)
        self._sink = -1

    def close(self) -> None:
        """Close both directions. Idempotent."""
        self.hang_up()
        if self._source >= 0:
            os.close(self._source)
        self._source = -1


class Rig:
    """A worker of the ``sdk`` and its server, connected by two pipes, in one process.

    With ``pings=False`` the relay behaves like a socket.
    """

    def __init__(self, *, pings: bool = True) -> None:
        to_worker, from_server = os.pipe()
        to_server, from_worker = os.pipe()
        self.relay = Relay(to_worker, from_worker, pings=pings)
        self.worker = Worker(self.relay)
        self.server = ServerPeer(to_server, from_server)

    def close(self) -> None:
        """Close every end; call it only once."""
        self.relay.close()
        self.server.close()

    def accept(self, flags: int = Flag.JSON) -> None:
        """Send one request to the worker and receive it there."""
        self.server.request(b'{"a":1}', b"hello", flags)
        assert self.worker.receive() is not None

    def bits(self, count: int) -> list[int]:
        """The stream bits of the worker's next frames."""
        frames = [self.server.receive() for _ in range(count)]
        return [frame.stream for frame in frames if frame is not None]
