"""Whether the page of a handshake may connect. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


class Origins:
    """Compares origins as browsers do: scheme, host and port.

    Args:
        allowed: origins, with ``*`` for any text; empty = only the host that was asked.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        patterns = [".*".join(map(re.escape, one.lower().rstrip("/").split("*"))) for one in allowed]
        self._match = re.compile("|".join(f"(?:{one})" for one in patterns)).fullmatch if patterns else None
        self._all = "*" in allowed

    def allow(self, headers: Mapping[bytes, bytes], secure: bool) -> bool:
        """Whether a handshake with these headers (lower-case names) may go on.

        Args:
            secure: whether it came over TLS.
        """
        origin = headers.get(b"origin")
        if origin is None or self._all:
            return True
        text = origin.decode("latin-1").lower()
        if self._match is not None:
            return self._match(text) is not None
        return _host(text) == _authority(headers.get(b"host", b"").decode("latin-1").lower(), secure)


def _host(origin: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(origin)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname else None


def _authority(host: str, secure: bool) -> tuple[str, int] | None:
    return _host(f"{'https' if secure else 'http'}://{host}")
