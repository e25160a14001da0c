"""A body on its way: in pieces, with pressure passed back, and given up from either end."""

from __future__ import annotations

import asyncio

from pyroadrunner.plugins.http.protocols.body_queue import BodyQueue


def test_pieces_come_out_in_order_and_an_end_is_told() -> None:
    async def main() -> None:
        body_queue = BodyQueue()
        body_queue.put(b"a", end=False)
        body_queue.put(b"b", end=False)
        assert await body_queue.receive() == {"type": "http.request", "body": b"ab", "more_body": True}
        waiting = asyncio.create_task(body_queue.receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        body_queue.put(b"", end=True)
        assert await waiting == {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(main())


def test_the_connection_is_held_while_much_waits() -> None:
    held: list[bool] = []

    async def main() -> None:
        body_queue = BodyQueue(held.append)
        body_queue.put(bytes(300_000), end=False)
        body_queue.put(b"x", end=False)
        assert held == [True]
        await body_queue.receive()
        assert held == [True, False]
        body_queue.put(bytes(300_000), end=False)
        body_queue.close()
        body_queue.put(bytes(300_000), end=True)  # nobody wants it: nothing is kept
        assert held == [True, False, True, False]
        assert (await body_queue.receive())["type"] == "http.disconnect"

    asyncio.run(main())


def test_who_waits_is_told_that_the_other_end_has_left() -> None:
    async def main() -> None:
        body_queue = BodyQueue()
        waiting = asyncio.create_task(body_queue.receive())
        await asyncio.sleep(0)
        body_queue.abort()
        assert (await waiting)["type"] == "http.disconnect"

    asyncio.run(main())
