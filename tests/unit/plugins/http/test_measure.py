"""What plugins that watch requests are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pyroadrunner.asgi import Message, Send
from pyroadrunner.contracts import WatchesRequests
from pyroadrunner.plugins.http.measure import ended_of, measured


class Watcher(WatchesRequests):
    def __init__(self) -> None:
        self.seen: list[int] = []

    def request_watcher(self) -> Callable[[int, float], None]:
        return self.ended

    def ended(self, status: int, seconds: float) -> None:
        assert seconds >= 0
        self.seen.append(status)


def test_without_a_watcher_nothing_is_measured() -> None:
    assert ended_of([]) is None


@pytest.mark.parametrize("watchers", [[Watcher()], [Watcher(), Watcher()]])
def test_each_watcher_is_told_of_each_request(watchers: list[Watcher]) -> None:
    ended = ended_of(watchers)
    assert ended is not None
    ended(200, 0.1)
    assert [watcher.seen for watcher in watchers] == [[200]] * len(watchers)


async def _sent(_: Message) -> None:
    """A client that reads."""


def measure(*statuses: int, fails: type[BaseException] | None = None) -> list[int]:
    watcher = Watcher()

    async def serve(send: Send) -> None:
        for status in statuses:
            await send({"type": "http.response.start", "status": status})
        if fails is not None:
            raise fails

    async def main() -> None:
        work: Any = measured(watcher.ended, 0.0, _sent, serve)
        if fails is None:
            await work
        else:
            with pytest.raises(fails):
                await work

    asyncio.run(main())
    return watcher.seen


def test_the_status_is_that_of_the_response() -> None:
    assert measure(503) == [503]


def test_a_client_that_has_left_is_told_of() -> None:
    assert measure() == [499]
    assert measure(fails=asyncio.CancelledError) == [499]


def test_a_response_that_breaks_off_keeps_its_status() -> None:
    assert measure(200, fails=OSError) == [200]
