"""Autobahn's cases against the WebSocket server of HTTP/1.1, which echoes."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from pyroadrunner.httpd.http1.listener import Http1Listener
from pyroadrunner.httpd.websocket.contract import Accepted, Handshake, Socket, SocketLimits
from pyroadrunner.httpd.websocket.endpoint import WebSocketEndpoint
from pyroadrunner.httpd.websocket.message import OutMessage
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.endpoint import parse_endpoint
from support.pools import run

_PATIENCE = 60.0


class Echo:
    """Sends each message back."""

    def opened(self, socket: Socket) -> None:
        self._socket = socket

    def received(self, data: bytes, *, text: bool) -> None:
        self._socket.send(OutMessage(data, text=text))

    def closed(self, code: int, reason: str) -> None: ...


class EchoApp:
    """Accepts every client."""

    async def accept(self, handshake: Handshake) -> Accepted:
        return Accepted(handler=Echo(), limits=SocketLimits(max_message=1 << 25, max_buffer=1 << 25))


async def behaviours(cases: str) -> dict[str, str]:
    """Start the server, and the runner as a process."""
    bound = BoundSockets(parse_endpoint("127.0.0.1:0"))
    listener = Http1Listener(WebSocketEndpoint(EchoApp()), bound)
    await listener.start()
    try:
        command = (sys.executable, "-m", "support.autobahn", f"ws://127.0.0.1:{bound.port}/", cases)
        runner = await asyncio.create_subprocess_exec(
            *command, cwd=Path(__file__).parents[1], stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(runner.communicate(), _PATIENCE)
        results: dict[str, str] = json.loads(output)
        return results
    finally:
        listener.refuse()
        await listener.finish(0)


@pytest.mark.parametrize(
    ("cases", "count"),
    [
        *[("1.*", 16), ("2.*", 11), ("3.*", 7), ("4.*", 10), ("5.*", 20), ("6.*", 145), ("7.*", 37), ("10.*", 1)],
        *[("9.1.*", 6), ("9.2.*", 6), ("9.5.*", 6), ("9.7.*", 6)],
        # Compression. The other cases have small messages, which this server does not compress; that is legal, but the
        # runner then fails.
        *[("12.1.4", 1), ("12.1.5", 1), ("12.3.5", 1), ("13.1.4", 1), ("13.4.5", 1), ("13.7.5", 1)],
    ],
)
def test_the_cases_of_autobahn_pass(cases: str, count: int) -> None:
    found = run(behaviours(cases))
    assert len(found) == count
    assert {case: one for case, one in found.items() if one != "OK"} == {}
