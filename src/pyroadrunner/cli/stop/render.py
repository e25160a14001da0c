"""The text that shows what ``rr stop`` waits for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyroadrunner.cli.workers import humanize
from pyroadrunner.cli.workers.box_drawing import printable

_SHOWN = 3  # requests


def waiting_for(workers: Sequence[dict[str, Any]] | None, now: float) -> str:
    """The line to show.

    Args:
        workers: the reply of ``informer.WorkerDetails``; ``None`` = the server does not reply.
        now: seconds since 1970.
    """
    running = [worker for worker in workers or () if worker["statusStr"] == "working"]
    if running:
        running.sort(key=lambda worker: worker.get("activitySince") or now * 1e9)
        shown = [_request(worker, now) for worker in running[:_SHOWN] if worker.get("activity")]
        more = [f"{len(running) - len(shown)} more"] if shown and len(running) > len(shown) else []
        return f"waiting for {_count(len(running), 'request')}{': ' if shown else ''}{', '.join([*shown, *more])}"
    if workers:
        return f"waiting for {_count(len(workers), 'worker')} to end"
    return "waiting for the server to end"


def _request(worker: dict[str, Any], now: float) -> str:
    since = worker.get("activitySince", 0)
    duration = f" ({humanize.duration(now - since / 1e9)})" if since else ""
    return f"{printable(worker['activity'])}{duration}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
