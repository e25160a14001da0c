"""Pages that browsers look at live: each is computed once for all of them, and only while one looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

Look = Callable[[], Awaitable[bytes]]

HEARTBEAT = 15.0  # seconds without news after which a comment shows that the connection lives


class Broadcast:
    """A live page.

    Args:
        look: computes it; never raises.
        interval: seconds between two looks.
    """

    def __init__(self, look: Look, interval: float) -> None:
        self._look = look
        self._interval = interval
        self._latest = b""
        self._viewers: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._poked = asyncio.Event()

    def __repr__(self) -> str:
        return f"Broadcast({len(self._viewers)} viewers, every {self._interval:g} s)"

    @property
    def watched(self) -> bool:
        """Whether a browser looks."""
        return bool(self._viewers)

    def poke(self) -> None:
        """Look now: something has been done."""
        self._poked.set()

    async def follow(self) -> AsyncIterator[bytes]:
        """The page, and again when it has changed; empty = nothing new for a while. A slow reader misses versions in
        between."""
        news = asyncio.Event()
        self._viewers.add(news)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="dashboard page")
        else:
            self.poke()
            if self._latest:
                news.set()
        try:
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await news.wait()
                except TimeoutError:
                    yield b""
                    continue
                news.clear()
                yield self._latest
        finally:
            self._viewers.discard(news)
            if not self._viewers and self._task is not None:
                self._task.cancel()
                self._task = None
                self._latest = b""

    async def _run(self) -> None:
        while True:
            self._poked.clear()
            page = await self._look()
            if page != self._latest:
                self._latest = page
                for news in self._viewers:
                    news.set()
            try:
                async with asyncio.timeout(self._interval):
                    await self._poked.wait()
            except TimeoutError:
                pass


def event(data: bytes, name: str = "page") -> bytes:
    """A server-sent event; ``data`` is JSON, so it has no line breaks."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data) if data else b": alive\n\n"
