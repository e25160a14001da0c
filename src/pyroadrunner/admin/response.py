"""Encode a response. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class AdminResponse:
    """A response.

    Attributes:
        body: text is sent as UTF-8.
        headers: headers besides ``Content-Type`` and ``Content-Length``.
    """

    status: int
    body: str | bytes = ""
    content_type: str = PLAIN
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self, *, head: bool, close: bool) -> bytes:
        """The bytes of the whole response.

        Args:
            head: the request was HEAD: leave out the body, keep its length.
            close: add ``Connection: close``.
        """
        body = self.body.encode() if isinstance(self.body, str) else self.body
        lines = [
            f"HTTP/1.1 {self.status} {_reason(self.status)}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(body)}",
            "X-Content-Type-Options: nosniff",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            *(["Connection: close"] if close else []),
        ]
        start = ("\r\n".join(lines) + "\r\n\r\n").encode()
        return start if head else start + body


def _reason(status: int) -> str:
    """The reason phrase; empty for a status code without one, which a config may set."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


NOT_FOUND = AdminResponse(404, "404 page not found\n")
NOT_ALLOWED = AdminResponse(405, "405 only GET and HEAD are allowed\n", headers={"Allow": "GET, HEAD"})
