"""An engine that is replaced (a new certificate) keeps its WebSockets."""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.asyncio.client import connect

from pyroadrunner.asgi import Receive, Scope, Send
from pyroadrunner.httpd.renewable_listener import RenewableListener
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets

PATIENCE = 60.0


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def until(done: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not done():  # noqa: ASYNC110 - the listener sends no event
            await asyncio.sleep(0.02)


def test_sockets_of_a_replaced_engine_stay_and_it_stops_after_the_last() -> None:
    async def main() -> None:
        bound = BoundSockets(TcpAddress("127.0.0.1", 0))
        listener = RenewableListener(echo, bound, streams=10, tick=0.05, retirement=0.1, max_age=600.0)
        await listener.start()
        first = listener._current
        url = f"ws://127.0.0.1:{bound.port}/"
        async with connect(url, open_timeout=PATIENCE) as old:
            listener._renew_at = 0.0  # the age of the engine is over
            await until(lambda: listener._current is not first)
            retired = next(one for one in listener._retired if one.listener is first)
            await until(lambda: asyncio.get_running_loop().time() > retired.until + 0.5)
            async with connect(url, open_timeout=PATIENCE) as new:
                for one in (new, old):
                    await one.send("hello")
                    assert await one.recv() == "hello"
            assert (first.sockets, first.done) == (1, False)
        await until(lambda: not listener._retired)
        assert first.done
        listener.refuse()
        await listener.finish(1.0)

    asyncio.run(main())
