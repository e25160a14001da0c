"""A WebSocket of another ASGI server (h2corn: TLS and HTTP/2), whose ``send`` may block."""

from __future__ import annotations

import asyncio
from collections import deque

from pyroadrunner.asgi import Message, Receive, Send
from pyroadrunner.httpd.websocket.contract import SocketHandler, SocketLimits
from pyroadrunner.httpd.websocket.message import OutMessage

_OPEN, _CLOSING, _CLOSED = range(3)
_ABNORMAL = 1006


class AsgiSocket:
    """One socket. A task of its own sends, so that a slow client delays no publisher."""

    def __init__(self, handler: SocketHandler, limits: SocketLimits, receive: Receive, send: Send) -> None:
        self._handler = handler
        self._limits = limits
        self._receive = receive
        self._send = send
        self._queue: deque[OutMessage] = deque()
        self._wake = asyncio.Event()
        self._readable = asyncio.Event()
        self._readable.set()
        self._state = _OPEN
        self._close: tuple[int, str] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._deadline = 0.0
        self.buffered = 0
        self.dropped = 0

    def __repr__(self) -> str:
        return f"AsgiSocket({('open', 'closing', 'closed')[self._state]}, buffered={self.buffered})"

    async def run(self) -> None:
        """Serve the socket to its end. The handshake has been accepted."""
        self._handler.opened(self)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            # The server does not wake a pending receive() when the client answers a close, so the writer ends both.
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._state = _CLOSED
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            code, reason = self._close or (_ABNORMAL, "")
            self._handler.closed(code, reason)

    # -- Socket ------------------------------------------------------------------------------------------------------

    def send(self, message: OutMessage) -> bool:
        if self._state != _OPEN:
            return False
        self._queue.append(message)
        self.buffered += len(message.data)
        self._wake.set()
        if self.buffered > self._limits.max_buffer and len(self._queue) > 1:
            if self._limits.drop_oldest:
                while self.buffered > self._limits.max_buffer and len(self._queue) > 1:
                    self.buffered -= len(self._queue.popleft().data)
                    self.dropped += 1
            else:
                self._queue.clear()
                self.buffered = 0
                self.dropped += 1
                self.close(1008, "the client reads too slowly")
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self._state == _OPEN:
            self._state = _CLOSING
            self._close = code, reason
            self._deadline = asyncio.get_running_loop().time() + self._limits.close_timeout
            self._wake.set()

    def abort(self) -> None:
        for task in self._tasks:
            task.cancel()

    def pause(self) -> None:
        self._readable.clear()

    def resume(self) -> None:
        self._readable.set()

    def tick(self, now: float) -> None:
        if self._deadline and now >= self._deadline:  # pings are the server's
            self.abort()

    # -- private -----------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            await self._readable.wait()
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                if self._close is None:
                    self._close = message.get("code", 1005), message.get("reason") or ""
                return
            if self._state == _OPEN:
                self._take(message)

    def _take(self, message: Message) -> None:
        text, data = message.get("text"), message.get("bytes")
        payload = text.encode() if text is not None else data or b""
        if len(payload) > self._limits.max_message:
            self.close(1009, "the message is too large")
        else:
            self._handler.received(payload, text=text is not None)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                message = self._queue.popleft()
                self.buffered -= len(message.data)
                if message.text:
                    await self._send({"type": "websocket.send", "text": message.data.decode()})
                else:
                    await self._send({"type": "websocket.send", "bytes": message.data})
            if self._state == _CLOSING:
                code, reason = self._close or (1000, "")
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
                return
