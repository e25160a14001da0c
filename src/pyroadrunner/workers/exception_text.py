"""The text of an exception -> its message and its trace, as lines. Pure.

Workers send exceptions as text: an error frame holds ``(string) $exception`` or a Python traceback, and PHP writes an
uncaught one to stderr. The formats are PHP's (``Zend/zend_exceptions.c``: ``ZEND_METHOD(Exception, __toString)``,
``zend_exception_error``) and CPython's (``traceback.format_exception``). Text in any other format is kept: its first
line is the message, the others are the trace.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_MOST_LINES = 100  # of a trace; endless recursion makes thousands
_LAST_LINES = 20  # of them from its end
_STACK = "Stack trace:"
_NEXT = "Next "  # PHP writes it between an exception and the one that it caused
_BOTTOM = re.compile(r"#\d+ \{main\}$")
_FRAME = re.compile(r"#\d+ ")
# With `error_log=/dev/stderr` the time comes first. "PHP " begins an error that is logged, not one that is displayed.
_FATAL = re.compile(r"(?:\[[^\]]*\] )?(?:PHP )?(?:Fatal|Parse|Recoverable fatal) error: +(.*)$")
_UNCAUGHT = "Uncaught "
_THROWN = re.compile(r" +thrown in .+ on line \d+$")
_PYTHON = "Traceback (most recent call last):"


class ExceptionText(NamedTuple):
    """An exception.

    Attributes:
        message: class, message, file and line, as the worker wrote them. May have several lines.
        trace: frames, the innermost first in PHP, last in Python; then the exceptions that caused it, each after a
            line ``caused by``.
    """

    message: str
    trace: list[str]


def parse(text: str) -> ExceptionText:
    """Split the text of an exception, and of those that caused it."""
    lines = text.strip("\r\n").splitlines() or [""]
    if _STACK in lines:
        return _php(lines)
    if lines[0] == _PYTHON:
        return _python(lines)
    return ExceptionText(lines[0], _bounded(lines[1:]))


def find_fatal(lines: Sequence[str]) -> tuple[ExceptionText | None, list[str]]:
    """Return the last fatal error of PHP in the lines of stderr, and the other lines.

    PHP writes an error twice if it both logs and displays errors there; both texts are removed.
    """
    found: ExceptionText | None = None
    others: list[str] = []
    at = 0
    while at < len(lines):
        match = _FATAL.match(lines[at])
        if match is None:
            others.append(lines[at])
            at += 1
            continue
        end = _end_of_fatal(lines, at, match[1])
        error = parse("\n".join([match[1].removeprefix(_UNCAUGHT), *lines[at + 1 : end]]))
        if found is not None and error != found:
            others += [found.message, *found.trace]
        found = error
        at = end
        if at < len(lines) and _THROWN.match(lines[at]):  # repeats the end of the message
            at += 1
    return found, others


def _end_of_fatal(lines: Sequence[str], start: int, message: str) -> int:
    """The index after the last line of a fatal error."""
    at = start + 1
    if message.startswith(_UNCAUGHT):
        while at < len(lines) and not _THROWN.match(lines[at]):
            if _FATAL.match(lines[at]):
                break
            at += 1
    elif at < len(lines) and lines[at] == _STACK:  # PHP 8.5 adds the trace of any fatal error
        at += 1
        while at < len(lines) and _FRAME.match(lines[at]):
            at += 1
    return at


def _php(lines: list[str]) -> ExceptionText:
    """PHP writes the first cause first; here the exception that was thrown last comes first, then its causes."""
    chain: list[list[str]] = [[]]
    before = ""
    for line in lines:
        if line.startswith(_NEXT) and _BOTTOM.match(before):
            chain.append([])
            line = line.removeprefix(_NEXT)
        if line or _STACK not in chain[-1]:
            chain[-1].append(line)
        before = line or before
    thrown, *causes = reversed(chain)
    message, trace = _split(thrown)
    for cause in causes:
        caused_by, frames = _split(cause)
        trace += [*f"caused by {caused_by}".splitlines(), *frames]
    return ExceptionText(message, _bounded(trace))


def _split(lines: list[str]) -> tuple[str, list[str]]:
    """Message and frames of one exception."""
    if _STACK not in lines:
        return "\n".join(lines), []
    at = lines.index(_STACK)
    return "\n".join(lines[:at]), lines[at + 1 :]


def _python(lines: list[str]) -> ExceptionText:
    """The message follows the last frame; frames are indented."""
    at = max(number for number, line in enumerate(lines) if line.startswith("  ") or line == _PYTHON) + 1
    return ExceptionText("\n".join(lines[at:]) or lines[-1], _bounded(lines[1:at]))


def _bounded(trace: list[str]) -> list[str]:
    if len(trace) <= _MOST_LINES:
        return trace
    first = _MOST_LINES - _LAST_LINES - 1
    left_out = len(trace) - first - _LAST_LINES
    return [*trace[:first], f"... {left_out} lines omitted ...", *trace[-_LAST_LINES:]]
