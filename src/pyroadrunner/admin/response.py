"""A response. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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

    @property
    def content(self) -> bytes:
        """The body."""
        return self.body.encode() if isinstance(self.body, str) else self.body

    @property
    def pairs(self) -> list[tuple[bytes, bytes]]:
        """The headers, in ASGI's form."""
        headers = {
            "content-type": self.content_type,
            "content-length": str(len(self.content)),
            "x-content-type-options": "nosniff",
            **self.headers,
        }
        return [(name.encode(), value.encode()) for name, value in headers.items()]


# A request that is refused closes its connection: the client may still send a body.
_CLOSE = {"connection": "close"}

NOT_FOUND = AdminResponse(404, "404 page not found\n")
NOT_ALLOWED = AdminResponse(405, "405 only GET and HEAD are allowed\n", headers={"allow": "GET, HEAD", **_CLOSE})
NO_BODY = AdminResponse(413, "413 a request body is not allowed\n", headers=_CLOSE)
TOO_MANY_PARAMETERS = AdminResponse(400, "400 too many parameters\n", headers=_CLOSE)
FAILED = AdminResponse(500, "500 internal server error, see logs\n")
