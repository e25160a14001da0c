"""A server that receives webhooks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 60.0


class WebhookReceiver:
    """What has arrived.

    Attributes:
        url: its address; any path is served.
        refusals: how many of the next requests get 503.
        requests: path without query, headers (lower-case names) and body of each that was received.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.refusals = 0
        self.refused = 0
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver._take(self.path.partition("?")[0], headers, body)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def events(self, path: str = "/all") -> list[dict[str, Any]]:
        """All events that were received at a path."""
        with self._changed:
            bodies = [body for at, _, body in self.requests if at == path]
        return [event for body in bodies for event in json.loads(body)["events"]]

    def of(self, channel: str, path: str = "/all") -> list[str]:
        """Names of the events of a channel, with the user if there is one."""
        return [
            f"{one['name']} {one['user_id']}" if "user_id" in one else one["name"]
            for one in self.events(path)
            if one["channel"] == channel
        ]

    def wait(self, done: Callable[[], object], what: str = "") -> None:
        """Return once ``done`` holds; it is looked at after each request."""
        with self._changed:
            assert self._changed.wait_for(lambda: bool(done()), PATIENCE), what or self.requests

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        with self._changed:
            self._changed.notify_all()
            if path == "/redirect":
                self.refused += 1
                return 302
            if self.refusals:
                self.refusals -= 1
                self.refused += 1
                return 503
            self.requests.append((path, headers, body))
        return 200


@contextmanager
def webhook_receiver() -> Iterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    try:
        yield receiver
    finally:
        receiver.close()
