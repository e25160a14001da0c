"""The client of the TCP bench, run as a process of its own: ``python tcp_client.py PORT CONNECTIONS SECONDS``. Prints
JSON: echoes, seconds, p99 in microseconds, wrong answers. With 0 connections each echo has a connection of its own."""

from __future__ import annotations

import json
import select
import socket
import sys
import time

MESSAGE = b"hello from a client of the bench\r\n"
_ALONE = 8  # connections at a time, if each serves one echo


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def run(port: int, connections: int, seconds: float) -> dict[str, float]:
    """Echo on each connection, one message at a time."""
    alone = not connections
    poll = select.epoll()
    open_: dict[int, tuple[socket.socket, int]] = {}
    took: list[int] = []
    wrong = 0
    clock = time.monotonic_ns

    def begin() -> None:
        now = clock()
        sock = connect(port)
        poll.register(sock.fileno(), select.EPOLLIN)
        open_[sock.fileno()] = (sock, now)
        sock.send(MESSAGE)

    began = clock()
    for _ in range(connections or _ALONE):
        begin()
    end = began + int(seconds * 1e9)
    while (now := clock()) < end:
        for descriptor, _ in poll.poll(1):
            sock, since = open_[descriptor]
            wrong += sock.recv(4096) != MESSAGE
            now = clock()
            took.append(now - since)
            if alone:
                poll.unregister(descriptor)
                del open_[descriptor]
                sock.close()
                begin()
            else:
                open_[descriptor] = (sock, now)
                sock.send(MESSAGE)
    lasted = (clock() - began) / 1e9
    for sock, _ in open_.values():
        sock.close()
    took.sort()
    p99 = took[int(len(took) * 0.99)] / 1e3 if took else float("inf")
    return {"echoes": len(took), "seconds": lasted, "p99_us": p99, "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
