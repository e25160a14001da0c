"""The bound on calls in a pool, and its end."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.workers.admission import Admission
from pyroadrunner.workers.errors import EmptyPayload, PoolClosed, QueueFull
from pyroadrunner.workers.payload import Payload

SOME = Payload(b"context", b"")


def test_calls_above_the_limit_are_refused_until_one_has_left() -> None:
    admission = Admission("http", 2)
    admission.enter(SOME)
    admission.enter(SOME)
    with pytest.raises(QueueFull, match="max queue size reached"):
        admission.enter(SOME)
    admission.leave()
    admission.enter(SOME)
    assert admission.load == 2


def test_a_limit_of_zero_admits_any_number() -> None:
    admission = Admission("http", 0)
    for _ in range(5000):
        admission.enter(SOME)
    assert admission.load == 5000


def test_an_empty_payload_is_refused_and_not_counted() -> None:
    admission = Admission("http", 1)
    with pytest.raises(EmptyPayload):
        admission.enter(Payload(b"", b""))
    admission.enter(SOME)


def test_closing_refuses_new_calls_and_waits_for_the_others() -> None:
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


def test_closing_returns_whether_all_calls_have_left_in_time() -> None:
    async def main() -> tuple[bool, bool]:
        empty, busy = Admission("http", 0), Admission("http", 0)
        busy.enter(SOME)
        return await empty.close(60.0), await busy.close(0.0)

    assert asyncio.run(main()) == (True, False)
