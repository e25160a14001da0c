"""http-01: the ACME server requests a file under each name, over plain HTTP.

It connects to port 80. If ``http.address`` uses that port, the listener there responds, before any middleware.
Otherwise a server listens on that port while a certificate is being issued.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, nullcontext

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.httpd.http1.listener import Http1Listener
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.httpd.tls_listener import TlsListener
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.plugins.http.tls.acme.challenge import ChallengeRequest

_FOLDER = "/.well-known/acme-challenge/"
_LIMITS = Limits(head_timeout=10.0, idle_timeout=10.0, write_timeout=10.0, max_head=16 << 10, max_connections=256)

# Path -> content of the open challenges. Written by the thread that talks to the ACME server, read by others.
Answers = dict[str, bytes]


class HttpChallenge:
    """Responds with a file.

    Args:
        port: on which the server's requests arrive.
        plain_port: of ``http.address``, where :class:`ChallengeAnswers` responds; 0 = not configured.

    Attributes:
        answers: the responses to open challenges.
    """

    kind = "http-01"

    def __init__(self, port: int, plain_port: int) -> None:
        self._port = port
        self._shared = port == plain_port
        self.answers: Answers = {}

    def __repr__(self) -> str:
        return f"HttpChallenge({self._port})"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """A context in which the server can validate challenges.

        Raises:
            ListenError: the port can't be bound.
        """
        try:
            async with nullcontext() if self._shared else answering(self._port, self.answers):
                yield
        finally:
            self.answers.clear()

    def plain(self, app: ASGIApp) -> ASGIApp:
        """Wrap the application of ``http.address`` to respond to challenges there."""
        return ChallengeAnswers(app, self.answers)

    def serves(self, engine: TlsListener) -> None:
        """Do nothing: the server connects to another port."""

    def expect(self, request: ChallengeRequest) -> None:
        """Prepare for a challenge. Called in the thread that talks to the server."""
        self.answers[_FOLDER + request.token] = request.answer.encode()


class ChallengeAnswers:
    """Responds to challenges on ``http.address``; other requests pass through."""

    def __init__(self, app: ASGIApp, answers: Answers) -> None:
        self._app = app
        self._answers = answers

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if self._answers and scope["type"] == "http":
            found = self._answers.get(scope["path"])
            if found is not None:
                return _answer(send, found)
        return self._app(scope, receive, send)


@asynccontextmanager
async def answering(port: int, answers: Answers) -> AsyncIterator[None]:
    """A context in which a server responds to challenges on all IPv4 addresses.

    Raises:
        ListenError: the port can't be bound.
    """
    bound = BoundSockets(TcpAddress("", port), "http.ssl.acme.alt_http_port")
    listener = Http1Listener(ChallengeAnswers(_not_found, answers), bound, _LIMITS)
    await listener.start()
    try:
        yield
    finally:
        listener.refuse()
        await listener.finish(0.0)


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def _answer(send: Send, content: bytes) -> None:
    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
