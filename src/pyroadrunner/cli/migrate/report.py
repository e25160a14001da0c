"""What became of each key of a foreign config. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pyroadrunner.cli.console import wrapped

Outcome = Literal["kept", "changed", "different", "ignored", "added"]
OUTCOMES: dict[Outcome, str] = {
    "kept": "the same here",
    "changed": "written in another way",
    "different": "written, but it does not do quite the same",
    "ignored": "not in the new config",
    "added": "needed here, with no counterpart in the old config",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One key.

    Attributes:
        source: the key as it is called in the foreign config; empty for an added one.
        line: its line there; ``None`` if unknown.
        target: the key of ``.rr.yaml``; empty for an ignored one.
        note: why, and what to do instead; empty for a kept one.
    """

    outcome: Outcome
    source: str = ""
    line: int | None = None
    target: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """The new config and the report.

    Attributes:
        kind: of the foreign config, in words.
        config: the text of ``.rr.yaml``.
        entries: one for each key, in the order of the file.
        files: other files to write, by name.
    """

    kind: str
    config: str
    entries: Sequence[Entry]
    files: dict[str, str] = field(default_factory=dict)

    def count(self, outcome: Outcome) -> int:
        return sum(entry.outcome == outcome for entry in self.entries)


def report_text(migration: Migration, source: str, width: int = 100) -> str:
    """The report for people: what needs attention first, and the kept keys in as few lines as possible."""
    lines = [f"{source}: {migration.kind}"]
    for outcome in ("ignored", "different", "changed", "added"):
        entries = [entry for entry in migration.entries if entry.outcome == outcome]
        if entries:
            lines += ["", f"{outcome}: {OUTCOMES[outcome]}"]
            lines += [line for entry in entries for line in wrapped(_line(entry), " " * 6, width)]
    kept = [entry for entry in migration.entries if entry.outcome == "kept"]
    if kept:
        lines += ["", f"kept: {OUTCOMES['kept']}"]
        lines += wrapped(f"  {', '.join(dict.fromkeys(entry.source for entry in kept))}", "  ", width)
    counts = ", ".join(f"{migration.count(outcome)} {outcome}" for outcome in OUTCOMES if migration.count(outcome))
    return "\n".join([*lines, "", counts or "nothing to migrate"])


def _line(entry: Entry) -> str:
    place = f"line {entry.line}: " if entry.line else ""
    names = entry.source or entry.target
    if entry.source and entry.target and entry.source != entry.target:
        names = f"{entry.source} -> {entry.target}"
    return f"  {place}{names}{': ' if entry.note else ''}{entry.note}"


def report_json(migration: Migration, source: str) -> str:
    """The report for programs, with the config and the other files."""
    data = {
        "source": source,
        "kind": migration.kind,
        "counts": {outcome: migration.count(outcome) for outcome in OUTCOMES},
        "entries": [
            {
                "outcome": entry.outcome,
                "source": entry.source,
                "line": entry.line,
                "target": entry.target,
                "note": entry.note,
            }
            for entry in migration.entries
        ],
        "config": migration.config,
        "files": migration.files,
    }
    return json.dumps(data, indent=2, ensure_ascii=False)
