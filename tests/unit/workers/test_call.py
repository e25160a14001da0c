"""A call: its frame, and the reply for its caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pyroadrunner.goridge.frame import Frame
from pyroadrunner.goridge.reader import FrameReader
from pyroadrunner.workers.call import Call
from pyroadrunner.workers.payload import Codec, Payload, Reply


def made(body: bytes = b"", describe: Callable[[], str] | None = None) -> Call:
    answer: asyncio.Future[Reply] = asyncio.Future(loop=asyncio.new_event_loop())
    try:
        return Call(Payload(b"context", body, Codec.JSON), answer, 1.0, describe=describe)
    finally:
        answer.get_loop().close()


@pytest.mark.parametrize("size", [0, 10, 65_535, 65_536, 1_000_000])
def test_head_and_body_make_one_frame_whatever_the_size(size: int) -> None:
    body = b"x" * size
    call = made(body)
    assert call.size == len(call.frame + call.body)
    assert FrameReader().feed(call.frame + call.body) == [Frame(Codec.JSON, b"context" + body, (7,))]


def test_a_large_body_is_not_copied() -> None:
    body = b"x" * 1_000_000
    assert made(body).body is body


def test_a_call_has_the_description_of_its_caller() -> None:
    assert made(describe=lambda: "GET /slow").describe() == "GET /slow"
    assert made().describe() == ""


def test_only_the_first_outcome_counts() -> None:
    reply = Reply(b"", b"first", 0)
    call = made()
    assert call.succeed(reply)
    assert not call.succeed(Reply(b"", b"second", 0))
    call.fail(RuntimeError("too late"))
    assert call.answer.result() is reply


def test_a_cancelled_call_takes_no_reply() -> None:
    call = made()
    call.answer.cancel()
    assert not call.succeed(Reply(b"", b"", 0))
