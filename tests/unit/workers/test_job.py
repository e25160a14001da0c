"""A request on its way: its frame, and who gets the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pyroadrunner.goridge.frame import Frame
from pyroadrunner.goridge.reader import FrameReader
from pyroadrunner.workers.job import Job
from pyroadrunner.workers.payload import Codec, Payload, Reply


def made(body: bytes = b"", describe: Callable[[], str] | None = None) -> Job:
    answer: asyncio.Future[Reply] = asyncio.Future(loop=asyncio.new_event_loop())
    try:
        return Job(Payload(b"context", body, Codec.JSON), answer, 1.0, describe=describe)
    finally:
        answer.get_loop().close()


@pytest.mark.parametrize("size", [0, 10, 65_535, 65_536, 1_000_000])
def test_head_and_body_make_one_frame_whatever_the_size(size: int) -> None:
    body = b"x" * size
    job = made(body)
    assert job.size == len(job.frame + job.body)
    assert FrameReader().feed(job.frame + job.body) == [Frame(Codec.JSON, b"context" + body, (7,))]


def test_a_large_body_is_not_copied() -> None:
    body = b"x" * 1_000_000
    assert made(body).body is body


def test_its_caller_describes_it_when_asked() -> None:
    assert made(describe=lambda: "GET /slow").describe() == "GET /slow"
    assert made().describe() == ""


def test_the_first_word_counts() -> None:
    reply = Reply(b"", b"first", 0)
    job = made()
    assert job.succeed(reply)
    assert not job.succeed(Reply(b"", b"second", 0))
    job.fail(RuntimeError("too late"))
    assert job.answer.result() is reply


def test_a_job_nobody_waits_for_takes_no_answer() -> None:
    job = made()
    job.answer.cancel()
    assert not job.succeed(Reply(b"", b"", 0))
