"""An HTTP/3 client based on aioquic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamReset

from support.http import PATIENCE

Headers = list[tuple[bytes, bytes]]


class Answer:
    """The response on one stream.

    Attributes:
        reset: the code with which the server reset the stream.
        gone: whether the connection closed before the end.
    """

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self.headers: Headers = []
        self.body = bytearray()
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        self.reset: int | None = None
        self.gone = False

    @property
    def status(self) -> int:
        return int(dict(self.headers)[b":status"])


class Http3Client(QuicConnectionProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._http = H3Connection(self._quic)
        self._answers: dict[int, Answer] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, StreamReset) and event.stream_id in self._answers:
            self._answers[event.stream_id].reset = event.error_code
            self._answers[event.stream_id].ended.set()
        if isinstance(event, ConnectionTerminated):
            for answer in self._answers.values():
                answer.gone = not answer.ended.is_set()
                answer.ended.set()
        for each in self._http.handle_event(event):
            if isinstance(each, HeadersReceived | DataReceived) and each.stream_id in self._answers:
                answer = self._answers[each.stream_id]
                if isinstance(each, HeadersReceived):
                    answer.headers = answer.headers or each.headers
                    answer.started.set()
                else:
                    answer.body += each.data
                if each.stream_ended:
                    answer.ended.set()

    def begin(
        self, method: str = "GET", target: str = "/", headers: Headers | None = None, *, end: bool = True
    ) -> Answer:
        """Send a head."""
        stream = self._quic.get_next_available_stream_id()
        pseudo = [
            (b":method", method.encode()),
            (b":scheme", b"https"),
            (b":authority", b"ex.com"),
            (b":path", target.encode()),
        ]
        answer = self._answers[stream] = Answer(stream)
        self._http.send_headers(stream, [*pseudo, *(headers or [])], end_stream=end)
        self.transmit()
        return answer

    def send(self, answer: Answer, data: bytes, *, end: bool = False) -> None:
        """Send a piece of a body."""
        self._http.send_data(answer.stream, data, end_stream=end)
        self.transmit()

    def leave(self, answer: Answer) -> None:
        """Stop receiving the response."""
        self._quic.stop_stream(answer.stream, 0x10C)
        self.transmit()

    async def ask(
        self, method: str = "GET", target: str = "/", headers: Headers | None = None, body: bytes = b""
    ) -> Answer:
        """Send a complete request and read the complete response."""
        answer = self.begin(method, target, headers, end=not body)
        if body:
            self.send(answer, body, end=True)
        await self.end(answer)
        return answer

    def stall(self) -> None:
        """Process no more packets, not even acknowledgements."""
        self.datagram_received = lambda data, addr: None  # type: ignore[method-assign]

    async def end(self, answer: Answer) -> None:
        async with asyncio.timeout(PATIENCE):
            await answer.ended.wait()


@asynccontextmanager
async def http3(port: int, root: Path, **options: Any) -> AsyncIterator[Http3Client]:
    """A connection to 127.0.0.1, which must present a certificate for localhost from this root."""
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, server_name="localhost", cafile=str(root), **options
    )
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Http3Client) as client:
        assert isinstance(client, Http3Client)
        yield client
