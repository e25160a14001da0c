"""A relay and its peer, connected by real pipes or a real socket, in one process."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

import uvloop

from pyroadrunner.goridge.errors import FrameError, RelayError
from pyroadrunner.goridge.frame import Frame
from pyroadrunner.goridge.pipes import PipePair
from pyroadrunner.goridge.relay import Relay
from pyroadrunner.goridge.sockets import SocketRelay

Kind = Literal["pipes", "socket"]
Run = Callable[[Coroutine[Any, Any, Any]], Any]
T = TypeVar("T")

LOOPS: dict[str, Run] = {"asyncio": asyncio.run, "uvloop": uvloop.run}


class Heard:
    """Records the events of a relay from its creation on."""

    def __init__(self, relay: Relay) -> None:
        self.frames: list[Frame] = []
        self.losses: list[FrameError | RelayError] = []
        self._more = asyncio.Event()
        relay.on_frame = self._on_frame
        relay.on_lost = self._on_lost

    def _on_frame(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._more.set()

    def _on_lost(self, error: FrameError | RelayError) -> None:
        self.losses.append(error)
        self._more.set()

    async def until(self, frames: int) -> list[Frame]:
        """All frames, when this many have arrived."""
        await self._wait(lambda: len(self.frames) >= frames)
        return self.frames

    async def loss(self) -> FrameError | RelayError:
        """The reason why no more frames will arrive."""
        await self._wait(lambda: bool(self.losses))
        return self.losses[0]

    async def _wait(self, enough: Callable[[], bool]) -> None:
        while not enough():
            self._more.clear()
            await self._more.wait()


class Peer:
    """The other end: plain blocking descriptors, used from threads so that the relay is not blocked."""

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink

    async def write(self, data: bytes) -> None:
        await asyncio.to_thread(self._write, data)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.sink, rest[: 1 << 16]) :]

    async def read(self, size: int) -> bytes:
        """Exactly this many bytes, or fewer at the end of the stream."""
        return await asyncio.to_thread(self._read, size)

    def _read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0 and (part := os.read(self.source, min(size, 1 << 16))):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def fill(self, data: bytes) -> int:
        """Write ``data`` repeatedly until the relay accepts no more; return how often it was written completely. The
        last write is incomplete."""
        os.set_blocking(self.sink, False)
        sent = 0
        stream = data * 64
        try:
            while True:
                sent += os.write(self.sink, stream[sent % len(data) :])
        except BlockingIOError:
            os.set_blocking(self.sink, True)
        return sent

    def close(self) -> None:
        """Close both directions. Idempotent."""
        for end in {self.source, self.sink} - {-1}:
            os.close(end)
        self.source = self.sink = -1


@asynccontextmanager
async def joined(kind: Kind, max_payload: int = 1 << 30) -> AsyncIterator[tuple[Relay, Peer]]:
    """A relay without callbacks, and its peer."""
    relay: Relay
    if kind == "pipes":
        pipes = PipePair()
        peer = Peer(os.dup(pipes.child_stdin), os.dup(pipes.child_stdout))
        relay = await pipes.connect(max_payload)
    else:
        ours, theirs = socket.socketpair()
        end = theirs.detach()
        peer = Peer(end, end)
        _, relay = await asyncio.get_running_loop().create_connection(lambda: SocketRelay(lambda _: None), sock=ours)
        relay.limit_payload(max_payload)
    try:
        yield relay, peer
    finally:
        peer.close()
        relay.close()
        await settle()


async def settle() -> None:
    """Let the loop run its pending callbacks: transports close in one of the next iterations."""
    for _ in range(5):
        await asyncio.sleep(0)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; the test's time limit ends an endless wait."""
    while not condition():  # noqa: ASYNC110 - the condition has no event
        await asyncio.sleep(0.002)


def open_descriptors() -> set[str]:
    """The open descriptors of this process, with their targets."""
    found = set()
    for number in os.listdir("/dev/fd"):
        try:
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except OSError:  # the descriptor of the listing itself, already closed; or no /proc
            continue
    return found
