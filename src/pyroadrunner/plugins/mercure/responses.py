"""Responses of the hub. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyroadrunner.plugins.mercure.credentials import Headers
from pyroadrunner.plugins.mercure.origins import Origins

Pairs = Sequence[tuple[bytes, bytes]]

TEXT: Pairs = ((b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff"))
STREAM: Pairs = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"private, no-cache, no-store, must-revalidate, max-age=0"),
    (b"pragma", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_EXPOSED = b"Link, ETag, Last-Event-ID, Mercure-Last-Event-ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole response."""

    status: int
    headers: Pairs = TEXT
    body: bytes = b""


class Refused(Exception):
    """A request is refused.

    Attributes:
        response: what the client gets.
    """

    def __init__(self, status: int, text: str, headers: Pairs = ()) -> None:
        super().__init__(text)
        self.response = Response(status=status, headers=(*TEXT, *headers), body=f"{text}\n".encode())


class Challenges:
    """Responses to what a token does not permit (RFC 6750).

    Args:
        metadata: path or URL of the metadata of the hub.
    """

    def __init__(self, metadata: str) -> None:
        self._metadata = metadata

    def missing(self) -> Refused:
        """No token, and one is needed."""
        return self._refused(401, "Unauthorized", "")

    def invalid(self) -> Refused:
        """A token that is not valid; why is not said."""
        return self._refused(401, "Unauthorized", "invalid_token")

    def insufficient(self, *, modern: bool) -> Refused:
        """A token that does not permit it: 0.x says 401."""
        if modern:
            return self._refused(403, "Forbidden", "insufficient_scope")
        return self._refused(401, "Unauthorized", "")

    def _refused(self, status: int, text: str, error: str) -> Refused:
        parts = [f'error="{error}"'] if error else []
        parts.append(f'resource_metadata="{self._metadata}"')
        return Refused(status, text, [(b"www-authenticate", f"Bearer {', '.join(parts)}".encode())])


class Cors:
    """Headers for pages of other hosts.

    Args:
        origins: ``*`` permits all, but without cookies.
    """

    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    def headers(self, headers: Headers) -> Pairs:
        """What a response to a request gets."""
        if not self._origins:
            return ()
        origin = next((value for name, value in headers if name == b"origin"), b"")
        vary = (b"vary", b"Origin")
        if not origin or not self._origins.allow(origin.decode("latin-1")):
            return (vary,)
        exposed = (b"access-control-expose-headers", _EXPOSED)
        if self._origins.everything:
            return (vary, (b"access-control-allow-origin", b"*"), exposed)
        return (
            vary,
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            exposed,
        )

    def preflight(self, headers: Headers) -> Response:
        """The response to ``OPTIONS``."""
        pairs = self.headers(headers)
        if len(pairs) > 1:
            pairs = (
                *pairs,
                (b"access-control-allow-methods", b"GET, HEAD, POST"),
                (b"access-control-allow-headers", b"Authorization, Cache-Control, Content-Type, Last-Event-ID"),
                (b"access-control-max-age", b"600"),
            )
        return Response(status=204, headers=((b"allow", b"GET, HEAD, POST, OPTIONS"), *pairs))


def metadata(resource: str, cookie: str, *, subscriptions: bool) -> Mapping[str, object]:
    """The metadata of the hub as a protected resource (RFC 9728)."""
    document: dict[str, object] = {
        "resource": resource,
        "bearer_methods_supported": ["header"],
        "authorization_details_types_supported": ["https://mercure.rocks/authorization-detail"],
        "mercure_cookie": cookie,
    }
    if subscriptions:
        document["mercure_subscriptions"] = True
    return document
