"""How an ACME server is shown that a name is ours: what the kinds of it have in common."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.httpd.tls_listener import TlsListener


@dataclass(frozen=True, slots=True)
class ChallengeRequest:
    """What the server is going to ask.

    Attributes:
        domain: the name it asks under.
        token: the question's own part of the path that http-01 asks for.
        answer: the key authorization (RFC 8555 section 8.1).
    """

    domain: str
    token: str
    answer: str


class Challenge(Protocol):
    """One kind of question, and where it is answered.

    Attributes:
        kind: its name in ACME.
    """

    kind: str

    def open(self) -> AbstractAsyncContextManager[None]:
        """The server may ask for as long as this lasts.

        Raises:
            RoadRunnerError: it would find nobody.
        """

    def plain(self, app: ASGIApp) -> ASGIApp:
        """The application of ``http.address``, with the answers to what is asked there before it."""

    def serves(self, engine: TlsListener) -> None:
        """HTTPS is up."""

    def expect(self, request: ChallengeRequest) -> None:
        """A question is to come. Called by the thread that talks to the server."""
