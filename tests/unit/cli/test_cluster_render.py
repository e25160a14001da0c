"""The output of ``rr cluster``."""

from __future__ import annotations

from typing import Any

from pyroadrunner.cli.cluster.render import cluster, reloaded, results

FOUND: dict[str, Any] = {
    "name": "shop",
    "registry": "consul",
    "state": "registered",
    "error": "",
    "age": 1.0,
    "servers": [
        {
            "id": "web-1",
            "health": "passing",
            "version": "1.0",
            "started": 100.0,
            "tags": ["eu"],
            "endpoints": [
                {"kind": "websocket", "host": "a", "port": 80, "path": "/ws"},
                {"kind": "tcp", "name": "smtp", "host": "::1", "port": 25},
                {"kind": "http", "host": "a", "port": 80},
            ],
        },
        {"id": "evil\x1b[31m", "health": "critical", "reason": "not healthy: http"},
    ],
}


def test_the_servers_are_a_table() -> None:
    assert cluster(FOUND, 160.0).splitlines() == [
        "shop in consul: registered",
        "┌──────────────┬──────────┬─────────┬───────────┬───────────────────────────────────────────────┬──────┐",
        "│      ID      │  HEALTH  │ VERSION │    AGE    │                   ADDRESSES                   │ TAGS │",
        "├──────────────┼──────────┼─────────┼───────────┼───────────────────────────────────────────────┼──────┤",
        "│ web-1        │ passing  │ 1.0     │ 1 min 0 s │ a: websocket 80/ws, http 80; ::1: tcp smtp 25 │ eu   │",
        "│ evil\\x1b[31m │ critical │ -       │ -         │ -                                             │ -    │",
        "└──────────────┴──────────┴─────────┴───────────┴───────────────────────────────────────────────┴──────┘",
        "evil\\x1b[31m: not healthy: http",
    ]


def test_an_outage_is_named() -> None:
    away = {**FOUND, "state": "connecting", "error": "connection refused", "age": 75.0, "servers": []}
    assert cluster(away, 0) == (
        "shop in consul: connecting: connection refused; the list is 1 min 15 s old\nno servers"
    )
    assert cluster({**away, "age": None}, 0) == (
        "shop in consul: connecting: connection refused; the servers are not known yet"
    )


def test_results_are_a_line_each() -> None:
    found = [
        {"server": "a", "ok": True, "message": "reset: http"},
        {"server": "web-10", "ok": False, "message": "no\nanswer"},
    ]
    assert list(results(found)) == ["a       done  reset: http", "web-10  FAILED  no\\nanswer"]


def test_a_reload_in_a_few_words() -> None:
    assert reloaded({"applied": [], "restart": []}) == "nothing has changed"
    assert reloaded({"applied": [1], "restart": [1]}) == "1 change applied, 1 needs a restart"
    assert reloaded({"applied": [1, 2], "restart": [1, 2]}) == "2 changes applied, 2 need a restart"
