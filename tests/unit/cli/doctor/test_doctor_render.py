"""Rendering of findings."""

from __future__ import annotations

import json

from pyroadrunner.cli.doctor.finding import fail, ok, warn
from pyroadrunner.cli.doctor.render import as_json, failed, text

FINDINGS = [
    ok("PHP", "version", "8.3"),
    warn("PHP", "opcache", "off", "switch it on"),
    fail("places", "http.address", "taken\nby others", "stop them"),
]


def test_findings_are_grouped_by_part_with_advice() -> None:
    assert list(text(FINDINGS, coloured=False)) == [
        "PHP",
        "  ok    version       8.3",
        "  warn  opcache       off",
        "                      -> switch it on",
        "places",
        "  fail  http.address  taken",
        "                      by others",
        "                      -> stop them",
        "3 checks: 1 failure, 1 warning",
    ]


def test_json_has_the_same() -> None:
    reported = json.loads(as_json(FINDINGS))
    assert reported["ok"] is False
    assert reported["findings"][1] == {
        "part": "PHP",
        "verdict": "warn",
        "what": "opcache",
        "found": "off",
        "todo": "switch it on",
    }


def test_warnings_are_not_failures() -> None:
    assert not failed(FINDINGS[:2])
    assert failed(FINDINGS)
