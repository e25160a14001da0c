"""Which content coding a client gets (RFC 9110, section 12.5.3). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_Q = re.compile(r"\s*q\s*=\s*(?P<q>0(\.[0-9]{0,3})?|1(\.0{0,3})?)\s*", re.IGNORECASE | re.ASCII)
_ALIASES = {"x-gzip": "gzip"}


@lru_cache(maxsize=256)  # a browser sends the same line with every request, and there are few browsers
def choose(accepted: bytes, offered: tuple[str, ...]) -> str | None:
    """The coding of an answer; ``None`` = as it is.

    The client's weights decide, among equals the order of ``offered``. A ``*`` is taken for gzip: whoever writes it
    hardly knows the others. There is always an answer, also for a client that refuses even the identity.

    Args:
        accepted: the value of ``Accept-Encoding``; empty = no such header.
        offered: what there is, the best first.
    """
    weights = _weights(accepted.decode("latin-1"))
    least = weights.get("identity", 0.0)  # a client that likes it better as it is gets it so
    best = None
    for coding in offered:
        weight = weights.get(coding, weights.get("*", 0.0) if coding == "gzip" else 0.0)
        if weight > least or (weight == least > 0 and best is None):
            best, least = coding, weight
    return best


def _weights(text: str) -> dict[str, float]:
    """Coding to weight. An item that can't be read is not there."""
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
    """The value of a list header: all its lines, joined; empty when there is none."""
    values = [value for key, value in headers if key == name]
    return values[0] if len(values) == 1 else b",".join(values)
