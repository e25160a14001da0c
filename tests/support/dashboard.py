"""A server with everything that the dashboard shows, and a client of its API."""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from support.server import Server, free_port

TOKEN = "a-token-of-the-tests"
LIVE = r"/api/stream.*ERR_ABORTED"  # a page that is left ends its stream

# Requests for /slow, and the job "slow", wait for the file `go`; the job "bad" fails, and a request for /echo logs.
WORKER = """
import json, os, sys, time

def wait():
    while not os.path.exists("go"):
        time.sleep(0.005)

if os.environ["RR_MODE"] == "jobs":
    from pyroadrunner.sdk.jobs import Handlers

    handlers = Handlers()

    @handlers.job("good")
    def good(task):
        pass

    @handlers.job("slow")
    def slow(task):
        wait()

    @handlers.job("bad")
    def bad(task):
        raise ValueError(bytes(task.payload).decode())

    handlers.serve()
else:
    from urllib.parse import unquote
    from pyroadrunner.sdk import http
    from pyroadrunner.sdk.http import Response

    def handler(request):
        if request.path == "/slow":
            wait()
        if request.path == "/fail":
            return Response(status=500, body="failed")
        if request.path == "/echo":
            print(unquote(request.uri), file=sys.stderr, flush=True)
        return Response(body=str(os.getpid()))

    http.serve(handler)
"""


def site(folder: Path, *, dashboard: dict[str, Any] | None = None, **sections: Any) -> Server:
    """The server, not started."""
    (folder / "worker.py").write_text(WORKER)
    python = sys.executable
    return Server(
        folder,
        {
            "server": {"command": [python, "worker.py"]},
            "http": {"pool": {"num_workers": 2}},
            "logs": {"level": "debug", "encoding": "json", "channels": {}},
            "dashboard": {"address": f"127.0.0.1:{free_port()}", "token": TOKEN, **(dashboard or {})},
            **sections,
        },
    )


def everything() -> dict[str, Any]:
    """Sections for each page."""
    return {
        "jobs": {
            "pool": {"num_workers": 1},
            "consume": ["mail", "plain"],
            "pipelines": {
                "mail": {"driver": "memory", "max_attempts": 1, "dead_letter": "dead"},
                "plain": {"driver": "memory", "max_attempts": 1},
                "dead": {"driver": "memory"},
            },
        },
        "schedule": {
            "entries": {
                "clean": {"cron": "0 4 * * *", "command": f"{sys.executable} -c pass"},
                "report": {"interval": "1h", "job": {"pipeline": "plain", "name": "good", "payload": "{}"}},
            }
        },
        "kv": {"cache": {"driver": "memory", "config": {}}},
        "lock": {"driver": "memory"},
        "service": {"clock": {"command": f"{sys.executable} -c import\\ time;time.sleep(3600)"}},
        "websocket": {"events": []},
    }


class Client:
    """A client of the dashboard.

    Attributes:
        cookie, key: of its session; empty = it has not signed in.
    """

    def __init__(self, server: Server) -> None:
        self.address = str(server.config["dashboard"]["address"])
        self.cookie = self.key = ""

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def sign_in(self, **given: str) -> Client:
        status, headers, said = self.send("POST", "/api/login", given or {"token": TOKEN})
        assert status == 200, said
        self.cookie = headers["set-cookie"].partition(";")[0]
        self.key = said["key"]
        return self

    def headers(self, **more: str) -> dict[str, str]:
        found = {"Origin": self.url}
        if self.cookie:
            found |= {"Cookie": self.cookie, "X-Dashboard-Key": self.key}
        return {**found, **{name.replace("_", "-"): value for name, value in more.items()}}

    def open(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> HTTPResponse:
        """Send exactly this; an empty header is left out."""
        host, _, port = self.address.rpartition(":")
        connection = HTTPConnection(host, int(port), timeout=60)
        sent = {"Connection": "close", **headers}
        connection.request(method, path, body, {name: value for name, value in sent.items() if value})
        return connection.getresponse()

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers by lower-case name, and the decoded JSON."""
        sent = self.headers() if headers is None else headers
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent = {"Content-Type": "application/json", **sent}
        with self.open(method, path, data, sent) as answer:
            text = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            is_json = found.get("content-type") == "application/json" and text
            return answer.status, found, json.loads(text) if is_json else text

    def get(self, path: str) -> Any:
        status, _, said = self.send("GET", path)
        assert status == 200, said
        return said

    def page(self, name: str) -> Any:
        return self.get(f"/api/page?id={name}")

    def act(self, page: str, action: str, row: str = "") -> str:
        status, _, said = self.send("POST", "/api/action", {"page": page, "action": action, "row": row})
        assert status == 200, said
        return str(said["message"])
