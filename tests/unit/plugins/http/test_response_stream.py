"""Streamed responses: what the client gets from the frames, and when the worker is stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pyroadrunner.asgi import Message
from pyroadrunner.plugins.http.errors import BadReply
from pyroadrunner.plugins.http.response_stream import Forwarder
from pyroadrunner.workers.errors import WorkerCrashed
from pyroadrunner.workers.payload import Chunk, Reply
from support.asgi import JSON, ScriptedStream, head, streamed
from support.log import logged

CRASH = WorkerCrashed(7, "EOF", None, "", "")
END = (b"", b"")


class Client:
    """Collects the messages; can disconnect or stall at one of them."""

    def __init__(self, leave_at: int | None = None, stall_at: int | None = None) -> None:
        self.messages: list[Message] = []
        self.whole: bool | None = None
        self._leave_at = leave_at
        self._stall_at = stall_at

    async def send(self, message: Message) -> None:
        if len(self.messages) == self._leave_at:
            raise asyncio.CancelledError
        if len(self.messages) == self._stall_at:
            await asyncio.Event().wait()
        self.messages.append(message)

    def take(self, reply: Reply, **options: Any) -> Client:
        stream = reply.stream
        assert stream is not None

        async def main() -> None:
            forwarder = Forwarder(
                self.send,
                JSON,
                **{"head_only": False, "trailers": False, "interim": False, "stall_timeout": 60.0, **options},
            )
            self.whole = await forwarder.forward(reply, stream)

        asyncio.run(main())
        return self

    @property
    def head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        return self.messages[0]["status"], self.messages[0]["headers"]

    @property
    def bodies(self) -> list[tuple[bytes, bool]]:
        return [(message["body"], message["more_body"]) for message in self.messages[1:]]


def dropped(reply: Reply) -> bool:
    assert isinstance(reply.stream, ScriptedStream)
    return reply.stream.dropped


def test_every_chunk_is_sent_separately_and_the_end_ends_the_response() -> None:
    reply = streamed((head(200, x="1"), b"a"), (b"", b"b"), END)
    client = Client().take(reply)
    assert client.head == (200, [(b"x", b"1")])
    assert client.bodies == [(b"a", True), (b"b", True), (b"", False)]
    assert client.whole
    assert not dropped(reply)


def test_the_last_frame_may_carry_bytes() -> None:
    client = Client().take(streamed((head(), b""), (b"", b"z")))
    assert client.bodies == [(b"z", True), (b"", False)]


def test_heads_of_later_chunks_are_ignored() -> None:
    client = Client().take(streamed((head(201, x="1"), b"a"), (head(500, y="2"), b"b"), (b"{not json", b"c")))
    assert client.head == (201, [(b"x", b"1")])
    assert client.bodies == [(b"a", True), (b"b", True), (b"c", True), (b"", False)]


def test_a_body_without_a_head_is_200() -> None:
    client = Client().take(streamed(END, (b"", b"a"), END))
    assert client.head == (200, [])
    assert client.bodies == [(b"a", True), (b"", False)]


def informational(status: int, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.informational", "status": status, "headers": list(headers)}


def test_each_interim_response_is_sent_when_it_comes_with_all_headers_so_far() -> None:
    client = Client()

    class Watching(ScriptedStream):
        """Notes how many messages the client has got before each frame."""

        def __init__(self, frames: list[Chunk | Exception]) -> None:
            super().__init__(frames)
            self.before: list[int] = []

        async def _read(self) -> AsyncIterator[Chunk]:
            async for chunk in super()._read():
                self.before.append(len(client.messages))
                yield chunk

    frames: list[Chunk | Exception] = [
        Chunk(head(102, x_more="2"), b"", JSON),
        Chunk(head(404, x="1"), b"no", JSON),
        Chunk(b"", b"", JSON),
    ]
    stream = Watching(frames)
    client.take(Reply(head(103, link="</a>"), b"", JSON, stream), interim=True)
    link, more = (b"link", b"</a>"), (b"x-more", b"2")
    assert client.messages[:2] == [informational(103, link), informational(102, link, more)]
    assert client.messages[2] == {"type": "http.response.start", "status": 404, "headers": [link, more, (b"x", b"1")]}
    assert [message.get("body") for message in client.messages[3:]] == [b"no", b""]
    assert stream.before == [1, 2, 4]
    assert client.whole


def test_an_interim_response_has_no_headers_of_a_body_or_connection_and_none_that_are_invalid() -> None:
    context = json.dumps(
        {
            "status": 103,
            "headers": {
                "Link": ["</a>\r\nX: y", "</b>"],
                "Content-Length": ["5"],
                "Connection": ["close"],
                "transfer-encoding": ["chunked"],
                "Keep-Alive": ["timeout=5"],
                "Upgrade": ["websocket"],
                "Trailer": ["Link"],
                "X Y": ["1"],
            },
        }
    ).encode()
    client = Client().take(streamed((context, b""), (head(), b"final"), END), interim=True)
    assert client.messages[0] == informational(103, (b"link", b"</a>  X: y"), (b"link", b"</b>"))


@pytest.mark.parametrize("interim", [False, True])
def test_100_is_left_to_the_server_and_its_headers_come_with_the_final_response(interim: bool) -> None:
    client = Client().take(streamed((head(100, x="1"), b""), (head(201), b"a"), END), interim=interim)
    assert client.head == (201, [(b"x", b"1")])


def test_101_is_no_interim_response() -> None:
    client = Client().take(streamed((head(101), b""), END), interim=True)
    assert client.head[0] == 500


def test_a_body_of_an_interim_response_starts_the_final_one() -> None:
    client = Client().take(streamed((head(103, link="</a>"), b"a"), (head(404), b"b"), END), interim=True)
    assert client.messages[0] == informational(103, (b"link", b"</a>"))
    assert client.messages[1]["status"] == 200
    assert [message["body"] for message in client.messages[2:]] == [b"a", b"b", b""]


def test_a_worker_that_fails_after_an_interim_response_has_not_started_the_final_one() -> None:
    client = Client()
    reply = streamed((head(103), b""), CRASH)
    assert reply.stream is not None
    forwarder = Forwarder(client.send, JSON, head_only=False, trailers=False, interim=True)
    with pytest.raises(WorkerCrashed):
        asyncio.run(forwarder.forward(reply, reply.stream))
    assert client.messages == [informational(103)]
    assert not forwarder.started


def test_a_client_that_does_not_read_an_interim_response_is_disconnected() -> None:
    reply = streamed((head(103), b""), (head(), b"a"), END)
    with pytest.raises(TimeoutError):
        Client(stall_at=0).take(reply, interim=True, stall_timeout=0.001)
    assert dropped(reply)


def test_if_the_server_sends_none_headers_of_interim_responses_come_with_the_final_one_alone() -> None:
    client = Client().take(
        streamed((head(103, link="</a>"), b""), (head(103, link="</b>"), b""), (head(404, x="1"), b"no"))
    )
    assert client.head == (404, [(b"link", b"</a>"), (b"link", b"</b>"), (b"x", b"1")])
    assert client.bodies == [(b"no", True), (b"", False)]


def test_a_final_frame_without_a_body_ends_interim_responses() -> None:
    client = Client().take(streamed((head(103, link="</a>"), b""), (head(204), b"")))
    assert client.head == (204, [(b"link", b"</a>")])
    assert client.bodies == [(b"", False)]


def test_interim_responses_without_a_final_one_are_200() -> None:
    assert Client().take(streamed((head(103, link="</a>"), b""), END)).head == (200, [(b"link", b"</a>")])


def test_an_empty_stream_is_an_error() -> None:
    client = Client()
    with pytest.raises(BadReply, match="before it started"):
        client.take(streamed(END, END))
    assert client.messages == []


def test_a_malformed_head_is_an_error_and_stops_the_worker() -> None:
    reply = streamed((b"{not json", b"a"), (b"", b"b"))
    client = Client()
    with pytest.raises(BadReply):
        client.take(reply)
    assert client.messages == []
    assert dropped(reply)


@pytest.mark.parametrize(
    ("frames", "sent"), [([(head(), b"a"), CRASH], [(b"a", True)]), ([(head(103), b""), CRASH], [])]
)
def test_a_worker_that_fails_leaves_the_response_incomplete(frames: list[Any], sent: list[tuple[bytes, bool]]) -> None:
    client = Client()
    with pytest.raises(WorkerCrashed):
        client.take(streamed(*frames))
    assert client.bodies == sent


def test_an_invalid_status_gives_500_and_stops_the_worker() -> None:
    reply = streamed((head(99), b"a"), (b"", b"b"))
    client = Client().take(reply)
    assert client.head[0] == 500
    assert client.bodies == [(b"unknown status code from worker: 99\n", True), (b"", False)]
    assert dropped(reply)


@pytest.mark.parametrize(("status", "options"), [(200, {"head_only": True}), (204, {}), (304, {})])
def test_if_no_body_is_needed_the_worker_is_stopped(status: int, options: dict[str, Any]) -> None:
    reply = streamed((head(status), b"a"), (b"", b"b"))
    client = Client().take(reply, **options)
    assert client.head == (status, [])
    assert client.bodies == [(b"", False)]
    assert dropped(reply)


def test_a_head_without_a_body_keeps_the_workers_length() -> None:
    client = Client().take(streamed((head(200, content_length="9"), b"")), head_only=True)
    assert client.head == (200, [(b"content-length", b"9")])


@pytest.mark.parametrize("leave_at", [0, 1, 2])
def test_a_client_that_disconnects_stops_the_worker(leave_at: int) -> None:
    reply = streamed((head(), b"a"), (b"", b"b"), (b"", b"c"))
    with pytest.raises(asyncio.CancelledError):
        Client(leave_at).take(reply)
    assert dropped(reply)


def test_a_client_that_stops_reading_is_disconnected() -> None:
    reply = streamed((head(), b"a"), (b"", b"b"), (b"", b"c"))
    with pytest.raises(TimeoutError):
        Client(stall_at=2).take(reply, stall_timeout=0.001)
    assert dropped(reply)


def test_an_announced_length_is_sent_and_enforced() -> None:
    client = Client().take(streamed((head(200, content_length="2"), b"a"), (b"", b"b"), END))
    assert client.head == (200, [(b"content-length", b"2")])
    assert client.whole


def test_a_body_longer_than_announced_is_truncated_and_logged() -> None:
    reply = streamed((head(200, content_length="3"), b"ab"), (b"", b"cd"), (b"", b"e"))
    with logged("http") as log:
        client = Client().take(reply)
    assert client.bodies == [(b"ab", True), (b"c", True), (b"", False)]
    assert client.whole
    assert dropped(reply)
    assert "longer" in log.of("write response (chunk) error")[0]["error"]


def test_a_body_shorter_than_announced_is_incomplete() -> None:
    with logged("http") as log:
        client = Client().take(streamed((head(200, content_length="3"), b"a"), END))
    assert client.bodies == [(b"a", True)]
    assert client.whole is False
    assert "shorter" in log.of("write response (chunk) error")[0]["error"]


def test_trailers_follow_the_body_and_replace_a_length() -> None:
    context = b'{"status":200,"headers":{"Trailer":["X-T"],"X-T":["1"],"Content-Length":["1"]}}'
    client = Client().take(streamed((context, b"a"), END), trailers=True)
    assert client.messages[0] == {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
    assert client.messages[-1] == {"type": "http.response.trailers", "headers": [(b"x-t", b"1")]}


def test_invalid_headers_are_named_in_the_log() -> None:
    with logged("http") as log:
        Client().take(streamed((b'{"status":200,"headers":{"X Y":["1"]}}', b"a"), END))
    assert log.of("dropped invalid headers of the worker's response") == [{"headers": ["X Y"]}]
