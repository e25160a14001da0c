"""Acts like systemd for a service with a socket unit: opens sockets and runs a command with them.

    python activate.py NAME=127.0.0.1:8080 NAME=/run/rr.sock -- COMMAND...

The sockets are opened in this process, so a test can only examine them by connecting.
"""

from __future__ import annotations

import os
import socket
import sys

FIRST = 3


def main() -> None:
    split = sys.argv.index("--")
    names, opened = [], []
    for one in sys.argv[1:split]:
        name, _, where = one.partition("=")
        names.append(name)
        opened.append(_listen(where))
    # First to high numbers, since the new sockets may use the numbers from 3 on.
    far = [os.dup2(sock.fileno(), 100 + place) for place, sock in enumerate(opened)]
    for place, fd in enumerate(far):
        os.dup2(fd, FIRST + place)
    env = {
        **os.environ,
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": str(len(far)),
        "LISTEN_FDNAMES": ":".join(names),
    }
    command = sys.argv[split + 1 :]
    os.closerange(FIRST + len(far), 100)
    os.execve(command[0], command, env)


def _listen(where: str) -> socket.socket:
    if where.startswith("/"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(where)
    else:
        host, _, port = where.rpartition(":")
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, int(port)))
    sock.listen(128)
    return sock


if __name__ == "__main__":
    main()
