"""The result of one check. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """The outcome of a check."""

    OK = "ok"
    WARN = "warn"  # the server works, but probably not as intended
    FAIL = "fail"  # the server will not start or not serve


@dataclass(frozen=True, slots=True)
class Finding:
    """One check with its outcome and advice.

    Attributes:
        part: ``PHP``, ``machine``, ``config``, ``packages``, ``places``, ``brokers``, ``workers``.
        what: the checked thing, in a few words.
        found: what the check found.
        todo: what to do; empty if nothing.
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
