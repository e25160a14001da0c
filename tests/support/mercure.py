"""A Mercure client over a socket: what a browser's EventSource does, without its reconnects."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode

import jwt

from support.server import Server

HUB = "/.well-known/mercure"
PATIENCE = 60.0
PUBLISHER_KEY = "a secret of publishers, long enough for HS256"
SUBSCRIBER_KEY = "a secret of subscribers, long enough for HS256"


def publisher(*topics: str, **claims: Any) -> str:
    """A token of 0.x that may publish."""
    return jwt.encode({"mercure": {"publish": list(topics or ["*"])}, **claims}, PUBLISHER_KEY)


def subscriber(*topics: str, payload: Any = None, **claims: Any) -> str:
    """A token of 0.x that may receive private updates."""
    claim: dict[str, Any] = {"subscribe": list(topics)}
    if payload is not None:
        claim["payload"] = payload
    return jwt.encode({"mercure": claim, **claims}, SUBSCRIBER_KEY)


def modern(key: str, *details: Mapping[str, Any], **claims: Any) -> str:
    """A token of 1.0."""
    kind = "https://mercure.rocks/authorization-detail"
    all_claims = {
        "iss": "https://issuer.test",
        "aud": "https://hub.test",
        "exp": int(time.time()) + 3600,  # some are made at import, long before their tests run
        "authorization_details": [{"type": kind, **detail} for detail in details],
        **claims,
    }
    return jwt.encode(
        {name: value for name, value in all_claims.items() if value is not None}, key, headers={"typ": "at+jwt"}
    )


class Answer:
    """A whole response."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    server: Server, method: str, target: str, body: str | bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request."""
    connection = HTTPConnection(*server.address, timeout=PATIENCE)
    try:
        connection.request(method, target, body=body, headers=dict(headers or {}))
        return Answer(connection.getresponse())
    finally:
        connection.close()


def publish(server: Server, topics: str | list[str], data: str = "", token: str | None = "", **fields: str) -> Answer:
    """Publish as symfony/mercure does.

    Args:
        token: empty = one that may publish everything; ``None`` = none.
    """
    topic = [topics] if isinstance(topics, str) else topics
    body = urlencode([*(("topic", one) for one in topic), ("data", data), *fields.items()])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token or publisher()}"
    return ask(server, "POST", HUB, body, headers)


class Events:
    """An open stream.

    Attributes:
        last_id: of the last event.
        retry: milliseconds; 0 = not sent.
    """

    def __init__(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        self._connection = connection
        self.response = response
        self.last_id = ""
        self.retry = 0
        self.ended = False

    def line(self) -> str:
        """The next line; empty text with :attr:`ended` = the end."""
        raw = self.response.readline()
        if not raw:
            self.ended = True
        return raw.decode().removesuffix("\n")

    def next(self) -> dict[str, str] | None:
        """The next event; ``None`` = the stream has ended."""
        found: dict[str, str] = {}
        while True:
            line = self.line()
            if self.ended:
                return None
            if not line:
                if "data" in found:
                    return found
                found = {}
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                found["data"] = f"{found['data']}\n{value}" if "data" in found else value
            elif name:
                found[name] = value
                if name == "id":
                    self.last_id = value
                if name == "retry":
                    self.retry = int(value)

    def data(self, count: int) -> list[str]:
        """The data of the next events."""
        found: list[str] = []
        for _ in range(count):
            event = self.next()
            assert event is not None, f"the stream has ended after {found}"
            found.append(event["data"])
        return found

    def close(self) -> None:
        self.response.close()
        self._connection.close()


@contextmanager
def subscribed(
    server: Server,
    *topics: str,
    token: str | None = None,
    query: str = "",
    headers: Mapping[str, str] | None = None,
) -> Iterator[Events]:
    """An open stream, of which the first bytes have arrived."""
    connection = HTTPConnection(*server.address, timeout=PATIENCE)
    sent = dict(headers or {})
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    parts = [urlencode([("topic", topic) for topic in topics])] if topics else []
    connection.request("GET", f"{HUB}?{'&'.join([*parts, *([query] if query else [])])}", headers=sent)
    response = connection.getresponse()
    events = Events(connection, response)
    try:
        assert response.status == 200, response.read()
        assert events.line() == ":"
        yield events
    finally:
        events.close()
