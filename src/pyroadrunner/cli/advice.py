"""The next step for errors that do not name one themselves. Pure."""

from __future__ import annotations

import re

_ADVICE = (
    (
        r"can't find service (\w+)\.",
        r"the server runs without {0}: its config has no section `{0}`, or its log says why {0} was not started",
    ),
    (r"can't find method (\S+)", "the server does not know this: it is older than this rr, or it is RoadRunner itself"),
    (r"the server at \S+ closed the connection$", "it may be stopping or restarting: try again; its log says more"),
    (r"is not the RPC of a RoadRunner server", "another program listens there: is this the server's `rpc.listen`?"),
    (r"the connection to \S+ was lost", "it may be stopping or restarting: try again; its log says more"),
    (
        r"did not answer within",
        "it may be overloaded, or its broker may be away: see its log, and rr top",
    ),
)

_WORKER_START = "WorkerAllocate: "  # RoadRunner's word
_DOCTOR = "rr doctor checks the command, PHP, its extensions, and starts a worker"


def advised(text: str) -> str:
    """The text of an error with the next step in a line of its own; unchanged if none is known, or if the text of a
    call has several lines: then it has one."""
    if _WORKER_START in text:
        return f"{text}\n{_DOCTOR}"
    if "\n" in text:
        return text
    for pattern, advice in _ADVICE:
        if found := re.search(pattern, text):
            return f"{text}\n{advice.format(*found.groups())}"
    return text
