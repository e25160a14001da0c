"""The interface of ACME challenges, which prove to the server that we control a name."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.httpd.tls_listener import TlsListener


@dataclass(frozen=True, slots=True)
class ChallengeRequest:
    """A challenge that the server is about to validate.

    Attributes:
        domain: the name to validate.
        token: the last part of the path that http-01 requests.
        answer: the key authorization (RFC 8555 section 8.1).
    """

    domain: str
    token: str
    answer: str


class Challenge(Protocol):
    """One kind of challenge and how to respond to it.

    Attributes:
        kind: its name in ACME.
    """

    kind: str

    def open(self) -> AbstractAsyncContextManager[None]:
        """A context in which the server can validate challenges.

        Raises:
            RoadRunnerError: the server could not reach us.
        """

    def plain(self, app: ASGIApp) -> ASGIApp:
        """Wrap the application of ``http.address`` to respond to challenges there."""

    def serves(self, engine: TlsListener) -> None:
        """HTTPS has started."""

    def expect(self, request: ChallengeRequest) -> None:
        """Prepare for a challenge. Called in the thread that talks to the server."""
