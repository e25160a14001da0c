"""A call of a built-in gRPC service without a transport."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class FakeStream:
    """Implements :class:`pyroadrunner.grpcd.Stream`. The client sends its messages and closes its direction.

    Attributes:
        sent: messages for the client.
    """

    def __init__(self, messages: Iterable[bytes]) -> None:
        self._messages = iter(messages)
        self.sent: list[bytes] = []
        self._news = asyncio.Event()

    async def receive(self) -> bytes | None:
        return next(self._messages, None)

    async def send(self, message: bytes) -> None:
        self.sent.append(message)
        self._news.set()

    async def wait_for(self, count: int) -> None:
        """Wait until ``count`` messages were sent."""
        while len(self.sent) < count:
            self._news.clear()
            await self._news.wait()
