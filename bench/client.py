"""Single requests to a subject: whether it is up and responds correctly. Load comes from wrk."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.loads import Load


class NotUp(Exception):
    """A subject did not respond in time after its start."""


class WrongAnswer(Exception):
    """A subject sent a wrong response; measuring it would be meaningless."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole response; headers in the order in which they came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def free_port() -> int:
    """A free loopback TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(
    port: int, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, timeout: float = 10.0
) -> Answer:
    """Send one request on a new connection: a GET, or a POST if there is a body.

    Raises:
        OSError, http.client.HTTPException: no response.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST" if body else "GET", path, body or None, headers or {})
        answer = connection.getresponse()
        return Answer(status=answer.status, headers=answer.getheaders(), body=answer.read())
    finally:
        connection.close()


def wait_until_up(port: int, timeout: float = 15.0) -> None:
    """Return after the first response with a status below 500.

    Raises:
        NotUp: no such response in time.
    """
    end = time.monotonic() + timeout
    last: object = "nothing"
    while time.monotonic() < end:
        try:
            answer = ask(port, "/hello", timeout=2.0)
            if answer.status < 500:
                return
            last = f"status {answer.status}"
        except (OSError, http.client.HTTPException) as error:
            last = error
        time.sleep(0.005)
    raise NotUp(f"no answer on port {port} after {timeout:.0f} s; the last was: {last}")


def check(port: int, load: Load, name: str) -> None:
    """Send the load's request once.

    Raises:
        WrongAnswer: with the actual response.
    """
    answer = ask(port, load.path, load.body, dict(load.sent_headers))
    if not load.accepts(answer.status, answer.headers, answer.body):
        raise WrongAnswer(
            f"{name} answers {load.path} with status {answer.status}, {answer.headers} and {len(answer.body)} bytes: "
            f"{answer.body[:200]!r}"
        )
