"""One run and its record. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["running", "ok", "failed", "skipped", "interrupted"]
Trigger = Literal["schedule", "catch_up", "manual"]

LEASE = 30_000  # ms: a server that has not renewed a run for so long has died
RENEW = 10.0  # seconds


class Run(msgspec.Struct, kw_only=True, frozen=True):
    """A run of an entry, as the store keeps it.

    Attributes:
        slot: according to the timetable; of a manual run the time of the request.
        began, ended: 0 = not yet.
        detail: what came of it: ``status 200``, ``exit status 1``; why it failed or was skipped.
        server: the server that ran it.
        alive: until then the server has said that it is running.
    """

    id: str
    entry: str
    slot: int
    trigger: Trigger
    server: str
    began: int = 0
    ended: int = 0
    outcome: Outcome = "running"
    detail: str = ""
    alive: int = 0

    def seen(self, now: int) -> Run:
        """The record for operators: the server of a run that is not renewed any more has died."""
        if self.outcome == "running" and now > self.alive + LEASE:
            return msgspec.structs.replace(self, outcome="interrupted", detail=f"{self.server} did not end it")
        return self


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Run).decode


def skipped(run: Run, why: str = "the previous run was still running") -> Run:
    """The record of a run that did not happen."""
    return msgspec.structs.replace(run, outcome="skipped", detail=why, ended=run.began)
