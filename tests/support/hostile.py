"""HTTP servers on loopback that answer as a test wants: late, without end, or nonsense."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[[BaseHTTPRequestHandler], None]


class Hostile:
    """A running server.

    Attributes:
        url: ``http://host:port``.
        requests: the number of received requests.
        sent: bytes that were sent by :func:`endless`.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.requests += 1
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    outer.behaviour(self)
                except OSError:  # the client has gone
                    self.close_connection = True

            do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - named by the library

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Listener(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """The client has closed the connection."""

        self._server = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def hostile(behaviour: Behaviour) -> Iterator[Hostile]:
    """A server with a behaviour."""
    server = Hostile(behaviour)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def answering(body: bytes, status: int = 200) -> Behaviour:
    """Answers everything with the same body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Sends a gigabyte."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 30))
    handler.end_headers()
    piece = b" " * (1 << 20)
    for _ in range(1 << 10):
        handler.wfile.write(piece)


def hanging(release: threading.Event) -> Behaviour:
    """Never answers."""

    def hang(handler: BaseHTTPRequestHandler) -> None:
        release.wait(120)
        handler.close_connection = True

    return hang


def dripping(release: threading.Event) -> Behaviour:
    """Sends a byte now and then, for ever."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 20))
        handler.end_headers()
        while not release.wait(0.2):
            handler.wfile.write(b" ")

    return drip


def redirecting(target: str) -> Behaviour:
    """Sends clients elsewhere."""

    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(307)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return redirect
