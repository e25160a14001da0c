"""Conditional requests: does the client already have the body? (RFC 9110, section 13) Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from enum import Enum, auto
from functools import lru_cache


class Outcome(Enum):
    """The result of a conditional request."""

    SEND = auto()
    NOT_MODIFIED = auto()  # 304
    FAILED = auto()  # 412


def evaluate(headers: Mapping[bytes, bytes], etag: bytes, modified: int) -> Outcome:
    """Evaluate the conditions of a GET or HEAD in the order of section 13.2.2.

    Args:
        headers: of the request, lower-case names.
        etag: of the current body; empty = none.
        modified: time of the last change, unix seconds.
    """
    if (wanted := headers.get(b"if-match")) is not None:
        if not _matches(wanted, etag, weakly=False):
            return Outcome.FAILED
    elif (since := _date(headers.get(b"if-unmodified-since"))) is not None and modified > since:
        return Outcome.FAILED
    if (known := headers.get(b"if-none-match")) is not None:
        return Outcome.NOT_MODIFIED if _matches(known, etag, weakly=True) else Outcome.SEND
    if (since := _date(headers.get(b"if-modified-since"))) is not None and modified <= since:
        return Outcome.NOT_MODIFIED
    return Outcome.SEND


def range_counts(headers: Mapping[bytes, bytes], etag: bytes, modified: int) -> bool:
    """Whether ``Range`` applies: with ``If-Range``, only if the client's first part is of the same body."""
    wanted = headers.get(b"if-range")
    if wanted is None:
        return True
    wanted = wanted.strip()
    if wanted.startswith((b'"', b"W/")):
        return wanted == etag and not etag.startswith(b"W/")
    return _date(wanted) == modified


@lru_cache(maxsize=1024)
def http_date(seconds: int) -> bytes:
    """An HTTP date: ``Wed, 25 Nov 2026 02:47:10 GMT``."""
    return formatdate(seconds, usegmt=True).encode()


def _matches(listed: bytes, etag: bytes, *, weakly: bool) -> bool:
    """Whether the listed tags contain ``etag``. Weak tags match only in a weak comparison."""
    if listed.strip() == b"*":
        return True
    if not etag or (not weakly and etag.startswith(b"W/")):
        return False
    ours = etag.removeprefix(b"W/")
    for tag in listed.split(b","):
        tag = tag.strip()
        if (tag.removeprefix(b"W/") if weakly else tag) == ours:
            return True
    return False


@lru_cache(maxsize=1024)
def _date(value: bytes | None) -> int | None:
    """Unix seconds of an HTTP date; ``None`` for an invalid one, which counts as absent."""
    if value is None:
        return None
    try:
        date = parsedate_to_datetime(value.decode("latin-1"))
        return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
