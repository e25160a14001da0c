"""Which pages of other hosts may use the hub. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit


class Origins:
    """A list of origins, with ``*`` for any text in one; compares scheme, host and port.

    Attributes:
        everything: whether all origins are in it.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self.everything = "*" in allowed
        patterns = ["[^/]*".join(map(re.escape, one.lower().rstrip("/").split("*"))) for one in allowed if one != "*"]
        self._match = re.compile("|".join(f"(?:{one})" for one in patterns)).fullmatch if patterns else None

    def __bool__(self) -> bool:
        return self.everything or self._match is not None

    def allow(self, origin: str) -> bool:
        """Whether an origin is in the list."""
        return self.everything or (self._match is not None and self._match(origin.lower()) is not None)


def origin_of(url: str) -> str:
    """The origin of a page; empty = the URL has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""
