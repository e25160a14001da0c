"""Figures of TCP echoes: rows and checks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median

from bench.checks import Check

HEADINGS = ("Connections", "Subject", "Echoes/s", "p99 us", "Server CPU us", "RSS MB", "Wrong")
OURS = "pyroadrunner"
LOADS = (0, 8, 32, 256)  # connections; 0 = one for each echo, which goes first: many connections leave large buffers
_COMPARED = 32
_LARGEST = 256
_MOST_MB = 60.0


@dataclass(frozen=True, kw_only=True)
class EchoSample:
    """One round, or the medians of several.

    Attributes:
        echoes: per second.
        server_us: CPU of the server alone per echo.
        rss_mb: peak memory of the server alone.
        wrong: answers that were not the message.
    """

    echoes: float
    p99_us: float
    server_us: float
    rss_mb: float
    wrong: float


Samples = Mapping[tuple[int, str], EchoSample]  # by connections and subject


def middle(samples: Sequence[EchoSample]) -> EchoSample:
    """The median of each value; for memory and wrong answers the maximum."""
    values = {one.name: [getattr(each, one.name) for each in samples] for one in fields(EchoSample)}
    largest = ("rss_mb", "wrong")
    return EchoSample(**{name: max(found) if name in largest else median(found) for name, found in values.items()})


def row(key: tuple[int, str], sample: EchoSample) -> tuple[str, ...]:
    """A row under :data:`HEADINGS`."""
    connections, subject = key
    return (
        str(connections) if connections else "one per echo",
        subject,
        f"{sample.echoes:,.0f}",
        f"{sample.p99_us:,.0f}",
        f"{sample.server_us:,.1f}",
        f"{sample.rss_mb:,.0f}",
        f"{sample.wrong:.0f}",
    )


def echo_checks(samples: Samples, beside: str) -> list[Check]:
    """The targets for which there are figures.

    Args:
        beside: title of the other server; empty = there was none.
    """
    checks = []
    for (connections, subject), sample in samples.items():
        if subject != OURS:
            continue
        load = f"{connections} connections" if connections else "a connection per echo"
        other = samples.get((connections, beside))
        if other is not None and other.echoes:
            least = 1.0 if connections == _COMPARED else None
            what = f"echoes/s, {load}, to {beside}"
            checks.append(Check(what=what, measured=sample.echoes / other.echoes, least=least, unit="x", digits=2))
        if connections == _LARGEST:
            checks.append(Check(what=f"memory, {load}", measured=sample.rss_mb, most=_MOST_MB, unit="MB"))
    wrong = sum(sample.wrong for (_, subject), sample in samples.items() if subject == OURS)
    return [*checks, Check(what="wrong answers", measured=wrong, most=0)]
