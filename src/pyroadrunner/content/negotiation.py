"""Choose the content coding of a response (RFC 9110, section 12.5.3). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_Q = re.compile(r"\s*q\s*=\s*(?P<q>0(\.[0-9]{0,3})?|1(\.0{0,3})?)\s*", re.IGNORECASE | re.ASCII)
_ALIASES = {"x-gzip": "gzip"}


@lru_cache(maxsize=256)  # a browser sends the same value with every request, and few browsers exist
def choose(accepted: bytes, offered: tuple[str, ...]) -> str | None:
    """The coding of a response; ``None`` = not encoded.

    The client's weights decide, and among equal weights the order of ``offered``. ``*`` means gzip: a client that sends
    it may not support the others. A client that refuses even the identity gets an unencoded response.

    Args:
        accepted: the value of ``Accept-Encoding``; empty = no such header.
        offered: the available codings, the best first.
    """
    weights = _weights(accepted.decode("latin-1"))
    least = weights.get("identity", 0.0)  # a client that prefers the identity gets it
    best = None
    for coding in offered:
        weight = weights.get(coding, weights.get("*", 0.0) if coding == "gzip" else 0.0)
        if weight > least or (weight == least > 0 and best is None):
            best, least = coding, weight
    return best


def _weights(text: str) -> dict[str, float]:
    """The weight of each coding. Malformed items are ignored."""
    found: dict[str, float] = {}
    for item in text.lower().split(","):
        name, _, parameter = item.partition(";")
        name = name.strip()
        weight = _weight(parameter)
        if name and weight is not None:
            found[_ALIASES.get(name, name)] = weight
    return found


def _weight(parameter: str) -> float | None:
    if not parameter.strip():
        return 1.0
    found = _Q.fullmatch(parameter)
    return float(found["q"]) if found else None


def header(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes:
    """The value of a list header: all its lines, joined; empty if it is absent."""
    values = [value for key, value in headers if key == name]
    return values[0] if len(values) == 1 else b",".join(values)
