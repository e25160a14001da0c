"""Render findings as text or JSON. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence

from pyroadrunner.cli.doctor.finding import Finding, Verdict

_COLOURS = {Verdict.OK: "32", Verdict.WARN: "33", Verdict.FAIL: "1;31"}
_WIDTH = 110
_INDENT = 8  # columns of the verdict


def text(findings: Sequence[Finding], *, coloured: bool) -> Iterator[str]:
    """Lines for a terminal: one per finding, grouped by part, with advice below."""
    width = max((len(one.what) for one in findings), default=0)
    part = ""
    for one in findings:
        if one.part != part:
            part = one.part
            yield part
        mark = f"{one.verdict.value:<4}"
        if coloured:
            mark = f"\x1b[{_COLOURS[one.verdict]}m{mark}\x1b[0m"
        first, *rest = one.found.splitlines() or [""]
        yield f"  {mark}  {one.what:<{width}}  {first}".rstrip()
        margin = " " * (_INDENT + width + 2)
        yield from (margin + line for line in rest)
        if one.todo:
            yield from textwrap.wrap(f"-> {one.todo}", _WIDTH, initial_indent=margin, subsequent_indent=margin + "   ")
    yield summary(findings)


def summary(findings: Sequence[Finding]) -> str:
    """``12 checks: 1 failure, 2 warnings``"""
    count = {verdict: sum(one.verdict is verdict for one in findings) for verdict in Verdict}
    parts = [_many(count[Verdict.FAIL], "failure"), _many(count[Verdict.WARN], "warning")]
    return f"{len(findings)} checks: {', '.join(parts)}"


def as_json(findings: Sequence[Finding]) -> str:
    """The same as JSON."""
    rows = [
        {"part": one.part, "verdict": one.verdict.value, "what": one.what, "found": one.found, "todo": one.todo}
        for one in findings
    ]
    return json.dumps({"ok": not failed(findings), "findings": rows}, indent=2)


def failed(findings: Sequence[Finding]) -> bool:
    return any(one.verdict is Verdict.FAIL for one in findings)


def _many(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"
