"""A body on its way: in pieces, with pressure passed back, and given up from either end."""

from __future__ import annotations

import asyncio

from pyroadrunner.plugins.http.protocols.body_queue import Inbox


def test_pieces_come_out_in_order_and_an_end_is_told() -> None:
    async def main() -> None:
        inbox = Inbox()
        inbox.take(b"a", end=False)
        inbox.take(b"b", end=False)
        assert await inbox.receive() == {"type": "http.request", "body": b"ab", "more_body": True}
        waiting = asyncio.create_task(inbox.receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        inbox.take(b"", end=True)
        assert await waiting == {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(main())


def test_the_connection_is_held_while_much_waits() -> None:
    held: list[bool] = []

    async def main() -> None:
        inbox = Inbox(held.append)
        inbox.take(bytes(300_000), end=False)
        inbox.take(b"x", end=False)
        assert held == [True]
        await inbox.receive()
        assert held == [True, False]
        inbox.take(bytes(300_000), end=False)
        inbox.close()
        inbox.take(bytes(300_000), end=True)  # nobody wants it: nothing is kept
        assert held == [True, False, True, False]
        assert (await inbox.receive())["type"] == "http.disconnect"

    asyncio.run(main())


def test_who_waits_is_told_that_the_other_end_has_left() -> None:
    async def main() -> None:
        inbox = Inbox()
        waiting = asyncio.create_task(inbox.receive())
        await asyncio.sleep(0)
        inbox.abort()
        assert (await waiting)["type"] == "http.disconnect"

    asyncio.run(main())
