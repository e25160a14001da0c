"""One check of all deadlines, in virtual time."""

from __future__ import annotations

import asyncio

from pyroadrunner.workers.ticker import Ticker
from support.log import logged
from support.virtual_time import run_virtual


def test_it_ticks_until_the_check_returns_false() -> None:
    async def main() -> None:
        times: list[float] = []

        def check(now: float) -> bool:
            times.append(now)
            return len(times) < 3

        ticker = Ticker(0.5, check)
        ticker.arm()
        ticker.arm()
        await asyncio.sleep(10)
        assert [round(time - 1000, 1) for time in times] == [0.5, 1.0, 1.5]
        ticker.arm()
        await asyncio.sleep(1)
        assert len(times) == 4

    run_virtual(main())


def test_a_check_that_raises_is_logged_and_called_again() -> None:
    async def main() -> None:
        calls = 0

        def check(_now: float) -> bool:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise RuntimeError("an error")
            return False

        Ticker(0.5, check).arm()
        await asyncio.sleep(10)
        assert calls == 2

    with logged("server") as log:
        run_virtual(main())
    assert [fields["error"] for fields in log.of("checking deadlines failed; retrying")] == ["RuntimeError('an error')"]


def test_a_stopped_ticker_no_longer_ticks() -> None:
    async def main() -> None:
        ticks: list[float] = []
        ticker = Ticker(0.5, lambda now: not ticks.append(now))
        ticker.arm()
        await asyncio.sleep(1.1)
        ticker.stop()
        ticker.stop()
        await asyncio.sleep(5)
        assert len(ticks) == 2

    run_virtual(main())
