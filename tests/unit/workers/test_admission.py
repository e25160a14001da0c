"""Who may enter a pool."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.workers.admission import Admission
from pyroadrunner.workers.errors import EmptyPayload, PoolClosed, QueueFull
from pyroadrunner.workers.payload import Payload

SOME = Payload(b"context", b"")


def test_it_lets_in_as_many_as_its_limit_and_again_when_one_has_left() -> None:
    admission = Admission("http", 2)
    admission.enter(SOME)
    admission.enter(SOME)
    with pytest.raises(QueueFull, match="max queue size reached"):
        admission.enter(SOME)
    admission.leave()
    admission.enter(SOME)
    assert admission.load == 2


def test_zero_lets_in_any_number() -> None:
    admission = Admission("http", 0)
    for _ in range(5000):
        admission.enter(SOME)
    assert admission.load == 5000


def test_an_empty_payload_is_refused_and_not_counted() -> None:
    admission = Admission("http", 1)
    with pytest.raises(EmptyPayload):
        admission.enter(Payload(b"", b""))
    admission.enter(SOME)


def test_closing_waits_for_those_inside_and_keeps_others_out() -> None:
    async def main() -> bool:
        admission = Admission("http", 0)
        admission.enter(SOME)
        closing = asyncio.create_task(admission.close(60.0))
        await asyncio.sleep(0)
        with pytest.raises(PoolClosed):
            admission.enter(SOME)
        assert not closing.done()
        admission.leave()
        return await closing

    assert asyncio.run(main()) is True


def test_closing_an_empty_gate_is_done_at_once_and_a_grace_that_ends_says_so() -> None:
    async def main() -> tuple[bool, bool]:
        empty, busy = Admission("http", 0), Admission("http", 0)
        busy.enter(SOME)
        return await empty.close(60.0), await busy.close(0.0)

    assert asyncio.run(main()) == (True, False)
