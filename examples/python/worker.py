"""Routes of a small application in Python: text, JSON, a form, a stream, an error."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pyroadrunner.sdk import http
from pyroadrunner.sdk.http import Request, Response


def countdown(start: int) -> Iterator[bytes]:
    """A stream: each piece reaches the client when it is yielded."""
    for number in range(start, 0, -1):
        yield f"{number}\n".encode()
    yield b"lift-off\n"


def handler(request: Request) -> Response | str:
    match request.path:
        case "/":
            return "Hello, world!\n"
        case "/json":
            body = json.dumps({"method": request.method, "query": request.query, "agent": request.header("user-agent")})
            return Response(body=body, headers={"Content-Type": "application/json"})
        case "/form":
            return Response(body=json.dumps(request.parsed), headers={"Content-Type": "application/json"})
        case "/stream":
            return Response(body=countdown(10))
        case "/error":
            raise RuntimeError("this text is in the log of the server")
        case _:
            return Response(status=404, body="not found\n")


http.serve(handler)
