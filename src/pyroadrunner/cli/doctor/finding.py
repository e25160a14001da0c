"""One thing that was looked at. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How it is."""

    OK = "ok"
    WARN = "warn"  # works, and hardly as it is meant
    FAIL = "fail"  # the server will not start, or not serve


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do.

    Attributes:
        part: ``PHP``, ``machine``, ``config``, ``packages``, ``places``, ``brokers``, ``workers``.
        what: the thing in a few words.
        found: what was found there.
        todo: what to do; empty when nothing has to be done.
    """

    part: str
    verdict: Verdict
    what: str
    found: str
    todo: str = ""


def ok(part: str, what: str, found: str) -> Finding:
    return Finding(part, Verdict.OK, what, found)


def warn(part: str, what: str, found: str, todo: str) -> Finding:
    return Finding(part, Verdict.WARN, what, found, todo)


def fail(part: str, what: str, found: str, todo: str) -> Finding:
    return Finding(part, Verdict.FAIL, what, found, todo)
