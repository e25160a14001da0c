"""Request bodies: in pieces, with backpressure, and aborted from either side."""

from __future__ import annotations

import asyncio

from pyroadrunner.plugins.http.protocols.request_body import BodyQueue


def test_pieces_come_out_in_order_and_the_end_is_marked() -> None:
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


def test_reading_is_paused_while_much_data_waits() -> None:
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
        body_queue.put(bytes(300_000), end=True)  # the body is not needed: nothing is kept
        assert held == [True, False, True, False]
        assert (await body_queue.receive())["type"] == "http.disconnect"

    asyncio.run(main())


def test_a_waiting_application_is_notified_of_a_disconnect() -> None:
    async def main() -> None:
        body_queue = BodyQueue()
        waiting = asyncio.create_task(body_queue.receive())
        await asyncio.sleep(0)
        body_queue.abort()
        assert (await waiting)["type"] == "http.disconnect"

    asyncio.run(main())
