"""The frames after the first: order, back-pressure, errors, abort."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.workers.call import Call
from pyroadrunner.workers.payload import Chunk, Payload
from pyroadrunner.workers.reply_stream import MAX_UNREAD, WorkerStream


class Source:
    """Records what the stream asks of its worker."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pause_stream(self) -> None:
        self.asked.append("pause")

    def resume_stream(self) -> None:
        self.asked.append("resume")

    def abort_stream(self) -> None:
        self.asked.append("abort")


def stream_of(source: Source) -> WorkerStream:
    return WorkerStream(source, Call(Payload(b"context"), asyncio.get_running_loop().create_future(), 0.0))


def chunk(text: str) -> Chunk:
    return Chunk(b"", text.encode(), 0)


async def rest(stream: WorkerStream) -> list[str]:
    return [part.body.decode() async for part in stream]


def test_chunks_come_in_order_up_to_the_last() -> None:
    async def main() -> list[str]:
        stream = stream_of(Source())
        reading = asyncio.create_task(rest(stream))
        await asyncio.sleep(0)
        for text in "abc":
            stream.push(chunk(text))
        stream.end()
        return await reading

    assert asyncio.run(main()) == ["a", "b", "c"]


def test_too_many_unread_bytes_pause_the_worker_and_reading_half_of_them_resumes_it() -> None:
    async def main() -> list[str]:
        source = Source()
        stream = stream_of(source)
        for _ in range(4):
            stream.push(chunk("x" * (MAX_UNREAD // 4 - 1000)))
            assert source.asked == []
        stream.push(chunk("x" * 4000))
        assert source.asked == ["pause"]
        stream.push(chunk("f"))  # sent before the pause took effect
        await anext(stream)
        await anext(stream)
        assert source.asked == ["pause"]
        await anext(stream)
        return source.asked

    assert asyncio.run(main()) == ["pause", "resume"]


def test_many_small_chunks_pause_the_worker_too() -> None:
    async def main() -> list[str]:
        source = Source()
        stream = stream_of(source)
        for _ in range(2000):
            stream.push(chunk("x"))
        return source.asked

    assert asyncio.run(main()) == ["pause"]


def test_an_error_comes_after_the_chunks_before_it() -> None:
    async def main() -> None:
        stream = stream_of(Source())
        stream.push(chunk("a"))
        stream.end(RuntimeError("broke"))
        assert (await anext(stream)).body == b"a"
        with pytest.raises(RuntimeError, match="broke"):
            await anext(stream)

    asyncio.run(main())


def test_abort_is_sent_once_and_resumes_a_paused_worker() -> None:
    async def main() -> list[str]:
        source = Source()
        stream = stream_of(source)
        stream.push(chunk("x" * MAX_UNREAD))
        await stream.abort()
        await stream.abort()
        stream.push(chunk("late"))
        assert await rest(stream) == []
        return source.asked

    assert asyncio.run(main()) == ["pause", "resume", "abort"]


def test_the_abort_of_an_ended_stream_sends_nothing() -> None:
    async def main() -> list[str]:
        source = Source()
        stream = stream_of(source)
        stream.end()
        await stream.abort()
        return source.asked

    assert asyncio.run(main()) == []
