"""Figures of WebSocket connections: rows and checks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median

from bench.checks import Check

OURS = "pyroadrunner"
BARE = "Node, ws"
SIZES = (1_000, 5_000, 10_000)  # sockets
FAN_OUT_HEADINGS = ("Sockets", "Subject", "KB each", "Last ms", "Slowest ms", "Server CPU us")
_MOST_KB = 10.0


@dataclass(frozen=True, kw_only=True)
class FanOut:
    """One message to many sockets.

    Attributes:
        socket_kb: memory of the server for each idle socket.
        last_ms: from the call of the publisher until the last client had the message; the median of all messages.
        slowest_ms: the largest of them.
        server_us: CPU of the server per client and message.
    """

    socket_kb: float
    last_ms: float
    slowest_ms: float
    server_us: float


FanOuts = Mapping[tuple[int, str], FanOut]  # by sockets and subject


def middle(samples: Sequence[FanOut]) -> FanOut:
    """The median of each value; of the slowest the maximum."""
    values = {one.name: [getattr(each, one.name) for each in samples] for one in fields(FanOut)}
    return FanOut(**{name: max(found) if name == "slowest_ms" else median(found) for name, found in values.items()})


def row(key: tuple[int, str], sample: FanOut) -> tuple[str, ...]:
    """A row under :data:`FAN_OUT_HEADINGS`."""
    sockets, subject = key
    return (
        f"{sockets:,}",
        subject,
        f"{sample.socket_kb:,.1f}",
        f"{sample.last_ms:,.0f}",
        f"{sample.slowest_ms:,.0f}",
        f"{sample.server_us:,.1f}",
    )


def fan_out_checks(samples: FanOuts) -> list[Check]:
    """The targets for which there are figures."""
    checks = []
    for (sockets, subject), sample in samples.items():
        if subject != OURS:
            continue
        if other := samples.get((sockets, BARE)):
            what = f"time to the last of {sockets:,} sockets, to {BARE}"
            checks.append(Check(what=what, measured=sample.last_ms / other.last_ms, unit="x", digits=2))
        if sockets == max(SIZES):
            what = f"memory for each of {sockets:,} idle sockets"
            checks.append(Check(what=what, measured=sample.socket_kb, most=_MOST_KB, unit="KB", digits=1))
    return checks
