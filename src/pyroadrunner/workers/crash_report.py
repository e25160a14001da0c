"""The log line of a worker that died: its exit, PHP's error, its output, a hint. Pure."""

from __future__ import annotations

import signal
from typing import Any

from pyroadrunner.workers.errors import describe_exit
from pyroadrunner.workers.exception_text import find_fatal

_STDERR_LINES = 10  # beside PHP's error
_STDOUT_CHARACTERS = 8192
_FATAL_STATUS = 255  # PHP's exit code after a fatal error
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE)


def crash_fields(
    status: int | None, *, stderr: str, garbage: str, broken: str, busy: bool, killed: bool
) -> dict[str, Any]:
    """Fields of the line ``worker died``.

    ``exit``, and if known ``error`` and ``trace`` (a list of lines), ``stdout``, ``stderr``, ``hint``.

    Args:
        status: as :attr:`subprocess.Popen.returncode`.
        stderr: its lines since its last call began.
        garbage: text that it wrote in place of a reply.
        broken: how it broke the protocol; empty = it did not.
        busy: whether it ran a call.
        killed: whether the server itself killed it.
    """
    fields: dict[str, Any] = {"exit": describe_exit(status)}
    fatal, others = find_fatal(stderr.split("\n") if stderr else [])
    if broken and not garbage:
        fields["error"] = broken
    elif fatal is not None:
        fields["error"] = fatal.message
        if fatal.trace:
            fields["trace"] = fatal.trace
    if garbage:
        fields["stdout"] = garbage[:_STDOUT_CHARACTERS]
    if others:
        fields["stderr"] = "\n".join(others[-_STDERR_LINES:])
    hint = exit_hint(status, printed=bool(garbage), explained="error" in fields, busy=busy, killed=killed)
    if hint:
        fields["hint"] = hint
    return fields


def exit_hint(status: int | None, *, printed: bool, explained: bool, busy: bool, killed: bool) -> str:
    """What such an exit usually means and where to look; empty if the other fields explain it.

    Args:
        printed: whether it wrote text in place of a reply.
        explained: whether an error explains the exit.
        busy: whether it ran a call.
        killed: whether the server itself killed it.
    """
    if printed:
        return "it printed to stdout, which carries its replies: print to stderr, or return the text in the response"
    if explained or killed or status is None:
        return ""
    if status == -signal.SIGKILL:
        return "the server did not kill it: the system may be out of memory (check dmesg)"
    if -status in _CRASHES:
        return (
            "PHP or one of its extensions crashed: update them, or find the extension by disabling one after the other"
        )
    if status == _FATAL_STATUS:
        return "PHP exits this way after a fatal error; to see the error, set display_errors=stderr or log_errors=On"
    if status == 0 and busy:
        return "the script ended (exit, die) before it sent a reply"
    return ""
