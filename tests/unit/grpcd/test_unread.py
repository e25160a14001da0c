"""Streams that their client does not read."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.grpcd.unread import TIMEOUT, UNREAD, Connections, Sender
from support.virtual_time import in_virtual_time

HERE, ELSEWHERE = ("1.2.3.4", 1), ("1.2.3.4", 2)


def waiting(connections: Connections, connection: tuple[str, int], *, stream: bool = True) -> Sender:
    """A sender whose ``send`` has just begun."""
    task = asyncio.ensure_future(asyncio.sleep(3600)) if stream else None
    sender = Sender(task)  # type: ignore[arg-type]
    sender.waits_since = connections.now()
    connections.add(connection, sender)
    return sender


@in_virtual_time
async def test_the_stream_that_waits_longest_is_ended_when_another_call_waits() -> None:
    connections = Connections()
    first = waiting(connections, HERE)
    await asyncio.sleep(1)
    second = waiting(connections, HERE)
    waiting(connections, HERE, stream=False)
    await asyncio.sleep(TIMEOUT + 1.5)
    assert first.stream is not None
    with pytest.raises(asyncio.CancelledError, match=UNREAD):
        await first.stream
    assert second.stream is not None
    assert not second.stream.cancelled()


@in_virtual_time
async def test_a_stream_may_wait_as_long_as_it_holds_up_no_other_call() -> None:
    connections = Connections()
    alone = waiting(connections, HERE)
    waiting(connections, ELSEWHERE)
    reads = waiting(connections, HERE)
    for _ in range(100):
        reads.waits_since = connections.now()
        await asyncio.sleep(1)
    assert alone.stream is not None
    assert not alone.stream.done()


@in_virtual_time
async def test_calls_without_a_stream_are_never_ended() -> None:
    connections = Connections()
    waiting(connections, HERE, stream=False)
    waiting(connections, HERE, stream=False)
    await asyncio.sleep(TIMEOUT * 2)
    assert HERE in connections


@in_virtual_time
async def test_a_connection_without_calls_is_forgotten() -> None:
    connections = Connections()
    assert HERE not in connections
    sender = waiting(connections, HERE)
    assert HERE in connections
    connections.discard(HERE, sender)
    connections.discard(HERE, sender)
    assert HERE not in connections
