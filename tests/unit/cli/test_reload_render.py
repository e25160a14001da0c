"""What `rr reload` prints."""

from __future__ import annotations

from pyroadrunner.cli.reload.render import lines

APPLIED = [
    {"key": "http.pool.num_workers", "old": 2, "new": 4},
    {"key": "http.middleware", "old": None, "new": ["gzip"]},
    {"key": "http.static.token", "old": "***", "new": "***"},
]
RESTART = [{"key": "http.address", "old": ":1", "new": ":2"}]


def test_both_kinds_of_changes() -> None:
    outcome = {"applied": APPLIED, "restart": RESTART, "warnings": ["a: odd"]}
    assert list(lines(outcome, check=False)) == [
        "warning: a: odd",
        "reloaded:",
        "  http.pool.num_workers  2 -> 4",
        '  http.middleware        (not set) -> ["gzip"]',
        "  http.static.token      (changed)",
        "needs a restart (kill -USR2, or stop and start); the old value stays in use until then:",
        '  http.address  ":1" -> ":2"',
    ]
    assert list(lines(outcome, check=True))[1] == "would be reloaded:"


def test_added_and_removed_sections() -> None:
    restart = [
        {"key": "metrics", "old": None, "new": "the section"},
        {"key": "service.worker", "old": None, "new": "the entry"},
        {"key": "kv.far", "old": "the entry", "new": None},
    ]
    assert list(lines({"applied": [], "restart": restart, "warnings": []}, check=True))[1:] == [
        "  metrics         new",
        "  service.worker  new",
        "  kv.far          removed",
    ]


def test_no_change() -> None:
    assert list(lines({"applied": [], "restart": [], "warnings": []}, check=True)) == ["nothing has changed"]
