"""Which pages may call, and what they may read. (https://fetch.spec.whatwg.org/#http-cors-protocol) Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pyroadrunner.plugins.grpc.web.config import GrpcWebConfig

Pairs = list[tuple[bytes, bytes]]

_VARY = (b"vary", b"Origin")
_VARY_ASKED = (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
_LONGEST_ORIGIN = 512  # bytes: a host has at most 253
_ALWAYS_READABLE = frozenset({b"content-type", b"content-length", b"vary"})


class Cors:
    """The rules of ``grpc.web``. To refuse a page, the permission is left out; the browser then blocks it."""

    def __init__(self, config: GrpcWebConfig) -> None:
        origins = [origin.lower() for origin in config.allowed_origin]
        self._any = "*" in origins
        self._origins = frozenset(origin for origin in origins if "*" not in origin)
        self._patterns = [tuple(origin.split("*", 1)) for origin in origins if "*" in origin]
        self._credentials = config.allow_credentials
        self._max_age = config.max_age

    def preflight(self, origin: bytes, wanted: bytes) -> Pairs:
        """The headers for a browser that asks first.

        Args:
            wanted: names of headers, as the browser lists them. Metadata may have any name, so all are allowed.
        """
        if not self._allows(origin):
            return [_VARY_ASKED]
        headers = [_VARY_ASKED, *self._permission(origin), (b"access-control-allow-methods", b"POST")]
        if wanted:
            headers.append((b"access-control-allow-headers", wanted))
        if self._max_age:
            headers.append((b"access-control-max-age", b"%d" % self._max_age))
        return headers

    def actual(self, origin: bytes, names: Iterable[bytes]) -> Pairs:
        """The headers for the response to a call.

        Args:
            names: of the headers of the response; the page may read them.
        """
        if not self._allows(origin):
            return [_VARY]
        readable = dict.fromkeys([*names, b"grpc-status", b"grpc-message"])
        shown = b", ".join(name for name in readable if name not in _ALWAYS_READABLE)
        return [_VARY, *self._permission(origin), (b"access-control-expose-headers", shown)]

    def _permission(self, origin: bytes) -> Pairs:
        if self._credentials:
            return [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
        return [(b"access-control-allow-origin", b"*" if self._any else origin)]

    def _allows(self, origin: bytes) -> bool:
        if not origin or len(origin) > _LONGEST_ORIGIN:
            return False
        text = origin.decode("latin-1").lower()
        return (
            self._any
            or text in self._origins
            or any(
                len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)
                for before, after in self._patterns
            )
        )
