"""The clients of the WebSocket bench, run as a process of its own that reads orders, a line of JSON each, and answers
with a line: ``{"open": 1000}``, ``{"publish": 20}``, ``{"echo": 2.0, "connections": 32}``.

The sockets are plain ones and the frames short, so that the clients take as little of the machine as they can.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from pyroadrunner.sdk.rpc import RpcClient

TOPIC = "bench"
PAYLOAD = "x" * 100
MESSAGE = "hello from a client of the bench, x"
_AT_ONCE = 200  # handshakes
_PATIENCE = 30.0  # seconds without a byte
_MASK = bytes(4)  # a mask of zeros is valid, and leaves the payload as it is
_FRAME_BYTES = 2 + len(PAYLOAD)


class Sockets:
    """Open connections to one server.

    Args:
        port: of the server on this machine.
        target: of the handshake, with a query.
        publish: sends :data:`PAYLOAD` to all connections.
    """

    def __init__(self, port: int, target: str, publish: Callable[[], None]) -> None:
        self._port = port
        self._publish = publish
        self._poll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._handshake = (
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()

    def open(self, count: int) -> dict[str, float]:
        """Open connections until there are so many."""
        began = time.monotonic()
        while len(self._open) < count:
            self._open_some(min(_AT_ONCE, count - len(self._open)))
        return {"connections": len(self._open), "seconds": time.monotonic() - began}

    def _open_some(self, count: int) -> None:
        waiting: dict[int, socket.socket] = {}
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.send(self._handshake)
            waiting[sock.fileno()] = sock
        for descriptor, sock in waiting.items():
            head = b""
            while b"\r\n\r\n" not in head:
                head += (more := sock.recv(4096))
                if not more:
                    raise ConnectionError(f"the handshake ended: {head!r}")
            if not head.startswith(b"HTTP/1.1 101 "):
                raise ConnectionError(f"the server did not switch: {head!r}")
            sock.setblocking(False)
            self._poll.register(descriptor, select.EPOLLIN)
            self._open[descriptor] = sock

    def publish(self, times: int) -> dict[str, Any]:
        """Publish messages, each when all clients have the one before it.

        Returns:
            ``last_ms``: for each message the time until the last client had it.
        """
        took = []
        for _ in range(times):
            began = time.monotonic()
            publisher = threading.Thread(target=self._publish)
            publisher.start()
            self._receive(len(self._open) * _FRAME_BYTES)
            took.append((time.monotonic() - began) * 1e3)
            publisher.join()
        return {"last_ms": took}

    def _receive(self, missing: int) -> None:
        open_ = self._open
        while missing:
            ready = self._poll.poll(_PATIENCE, len(open_))
            if not ready:
                raise TimeoutError(f"{missing} bytes of a publication did not arrive")
            for descriptor, _ in ready:
                data = open_[descriptor].recv(65536)
                if not data:
                    raise ConnectionError("the server closed a connection")
                missing -= len(data)

    def echo(self, connections: int, seconds: float) -> dict[str, float]:
        """Send a message on each of these connections, and the next one when the answer is there."""
        text = MESSAGE.encode()
        frame = bytes([0x81, 0x80 | len(text)]) + _MASK + text
        answer = bytes([0x81, len(text)]) + text
        poll, clock = select.epoll(), time.monotonic_ns
        sent: dict[int, int] = {}
        took: list[int] = []
        wrong = 0
        began = clock()
        for descriptor in list(self._open)[:connections]:
            poll.register(descriptor, select.EPOLLIN)
            sent[descriptor] = clock()
            self._open[descriptor].send(frame)
        end = began + int(seconds * 1e9)
        while sent:
            ready = poll.poll(_PATIENCE)
            if not ready:
                raise TimeoutError(f"{len(sent)} messages were not answered")
            for descriptor, _ in ready:
                sock = self._open[descriptor]
                wrong += sock.recv(65536) != answer
                now = clock()
                took.append(now - sent.pop(descriptor))
                if now < end:
                    sent[descriptor] = now
                    sock.send(frame)
        lasted = (clock() - began) / 1e9
        took.sort()
        p99 = took[int(len(took) * 0.99)] / 1e3
        return {"echoes": len(took), "seconds": lasted, "p99_us": p99, "wrong": wrong}


def by_rpc(address: str) -> Callable[[], None]:
    """Publish by our RPC."""
    rpc = RpcClient(address)
    return lambda: rpc.call("websocket.Publish", {"topics": [TOPIC], "data": PAYLOAD})


def by_post(port: int) -> Callable[[], None]:
    """Publish by an HTTP request."""

    def publish() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", PAYLOAD.encode(), timeout=_PATIENCE) as response:
            response.read()

    return publish


def main(port: int, target: str, rpc: str) -> None:
    """Carry out the orders."""
    sockets = Sockets(port, target, by_rpc(rpc) if rpc else by_post(port))
    for line in sys.stdin:
        order = json.loads(line)
        if "open" in order:
            answer = sockets.open(order["open"])
        elif "publish" in order:
            answer = sockets.publish(order["publish"])
        else:
            answer = sockets.echo(order["connections"], order["echo"])
        print(json.dumps(answer), flush=True)
    os._exit(0)  # closing thousands of sockets one by one helps no measurement


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
