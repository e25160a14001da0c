"""Live pages: computed only while a browser looks, once for all of them."""

from __future__ import annotations

import asyncio

from pyroadrunner.plugins.dashboard.streams import HEARTBEAT, Broadcast, event
from support.virtual_time import run_virtual


class Source:
    def __init__(self) -> None:
        self.looks = 0
        self.page = b"1"

    async def look(self) -> bytes:
        self.looks += 1
        return self.page


def test_a_page_is_looked_at_once_for_all_viewers_and_not_without_one() -> None:
    async def main() -> None:
        source = Source()
        live = Broadcast(source.look, 2.0)
        await asyncio.sleep(10)
        assert source.looks == 0
        one, two = live.follow(), live.follow()
        assert [await anext(one), await anext(two)] == [b"1", b"1"]
        first = source.looks
        await asyncio.sleep(10)
        assert source.looks - first == 5
        source.page = b"2"
        assert [await anext(one), await anext(two)] == [b"2", b"2"]
        await one.aclose()  # type: ignore[attr-defined]
        assert live.watched
        await two.aclose()  # type: ignore[attr-defined]
        assert not live.watched
        looks = source.looks
        await asyncio.sleep(10)
        assert source.looks == looks

    run_virtual(main())


def test_a_silent_page_has_a_heartbeat_and_a_poke_looks_at_once() -> None:
    async def main() -> None:
        source = Source()
        live = Broadcast(source.look, 1000.0)
        viewer = live.follow()
        loop = asyncio.get_running_loop()
        assert await anext(viewer) == b"1"
        began = loop.time()
        assert await anext(viewer) == b""
        assert loop.time() - began == HEARTBEAT
        source.page = b"2"
        live.poke()
        assert await anext(viewer) == b"2"
        await viewer.aclose()  # type: ignore[attr-defined]

    run_virtual(main())


def test_events_have_the_form_of_the_standard() -> None:
    assert event(b'{"a":1}', "first") == b'event: first\ndata: {"a":1}\n\n'
    assert event(b"") == b": alive\n\n"
