"""An answer -> its bytes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class AdminResponse:
    """An answer.

    Attributes:
        body: text is sent as UTF-8.
        headers: more of them; ``Content-Type`` and ``Content-Length`` are not among them.
    """

    status: int
    body: str | bytes = ""
    content_type: str = PLAIN
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self, *, head: bool, close: bool) -> bytes:
        """The whole answer as it is sent.

        Args:
            head: leave the body out and keep its length: the answer to HEAD.
            close: say that the connection ends with it.
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
    """Its name; a code a config may set and nobody has named goes without."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


NOT_FOUND = AdminResponse(404, "404 page not found\n")
NOT_ALLOWED = AdminResponse(405, "405 only GET and HEAD are answered here\n", headers={"Allow": "GET, HEAD"})
