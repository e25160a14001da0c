"""What a person at a terminal reads."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from pyroadrunner.plugins.logger.terminal import terminal

NS = 1_795_487_620_072_266_333  # 2026-11-24T02:33:40.072266333Z
INFO, WARN, ERROR, DEBUG = logging.INFO, logging.WARNING, logging.ERROR, logging.DEBUG
REQUEST = {
    "status": 200,
    "method": "GET",
    "URI": "/a?b=1",
    "URL": "/a?b=1",
    "remote_address": "127.0.0.1:5",
    "read_bytes": 0,
    "write_bytes": 6,
    "start": datetime(2026, 11, 24, tzinfo=UTC),
    "elapsed": 3,
}
DIED = {"pool": "http", "pid": 7, "request": "GET /x", "elapsed": 5, "exit": "exit code 3"}


def shown(level: int, name: str, message: str, fields: dict[str, Any], *, coloured: bool = False) -> str:
    return terminal(coloured=coloured, zone=UTC)(level, NS, name, message, fields).decode()


def text(level: int, name: str, message: str, **fields: Any) -> str:
    """Without the time."""
    line = shown(level, name, message, fields)
    assert line.startswith("02:33:40 ")
    assert line.endswith("\n")
    return line[9:-1]


def test_the_time_is_local() -> None:
    line = terminal(coloured=False, zone=timezone(timedelta(hours=5, minutes=30)))(INFO, NS, "a", "m", {})
    assert line == b"08:03:40 a: m\n"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "GET /a?b=1 200 3 ms"),
        ({"elapsed": 0}, "GET /a?b=1 200 <1 ms"),
        ({"elapsed": 1234}, "GET /a?b=1 200 1.23 s"),
        ({"elapsed": 61_000}, "GET /a?b=1 200 61.0 s"),
        ({"status": 0}, "GET /a?b=1 (client left) 3 ms"),
        ({"request_id": "x1"}, "GET /a?b=1 200 3 ms request_id=x1"),
    ],
)
def test_a_request_is_a_short_line(changes: dict[str, Any], line: str) -> None:
    assert text(INFO, "http", "http log", **REQUEST | changes) == line


def test_a_long_request_line_says_who_asked() -> None:
    more = {"query": "b=1", "content_len": 0, "host": "ex.com", "user_agent": "curl 7", "referer": ""}
    line = text(INFO, "http", "http access log", **REQUEST | more)
    assert line == 'GET /a?b=1 200 3 ms remote_address=127.0.0.1:5 host=ex.com user_agent="curl 7" bytes=6'


def test_an_exception_has_its_trace_below_it() -> None:
    line = text(
        ERROR,
        "http",
        "execute",
        start=REQUEST["start"],
        elapsed=3,
        error="sync_worker_receive_frame: SoftJobError: RuntimeException: no\nprice in /a.php:1",
        method="GET",
        path="/x",
        pool="http",
        pid=7,
        trace=["#0 {main}", "caused by Error: bad in /a.php:2", "#0 {main}"],
    )
    assert line.split("\n") == [
        "ERROR GET /x failed: RuntimeException: no",
        "         price in /a.php:1",
        "         worker 7 of pool http, after 3 ms",
        "           #0 {main}",
        "         caused by Error: bad in /a.php:2",
        "           #0 {main}",
    ]


def test_a_request_that_took_too_long_names_the_limit_in_plain_words() -> None:
    fields = {"elapsed": 3000, "error": "ExecTTL: context", "method": "GET", "path": "/x", "pool": "http", "pid": 7}
    line = text(ERROR, "http", "execute", **fields, exec_ttl=3.0)
    assert line.split("\n")[0] == "ERROR GET /x failed: it ran longer than exec_ttl (3 s)"


def test_a_dead_worker_is_told_with_its_request_and_its_last_words() -> None:
    line = text(ERROR, "server", "worker died", **DIED, hint="look", stderr="bye")
    assert line.split("\n") == [
        "ERROR GET /x failed: worker 7 of pool http died after 5 ms: exit code 3",
        "         stderr:",
        "           bye",
        "         hint: look",
    ]


def test_a_dead_worker_with_an_error_of_php_begins_with_it() -> None:
    line = text(ERROR, "server", "worker died", **DIED, error="Out of memory in /a.php on line 1")
    assert line.split("\n") == [
        "ERROR GET /x failed: Out of memory in /a.php on line 1",
        "         worker 7 of pool http died after 5 ms: exit code 3",
    ]


def test_an_idle_worker_may_die_too() -> None:
    assert text(ERROR, "server", "worker died", pool="jobs", pid=7, exit="signal SIGKILL") == (
        "ERROR worker 7 of pool jobs died: signal SIGKILL"
    )


@pytest.mark.parametrize(
    ("level", "name", "message", "fields", "line"),
    [
        (INFO, "server", "words of it", {"pool": "http", "pid": 7}, "worker 7 | words of it"),
        (INFO, "server", "  indented", {"pool": "jobs", "pid": 7}, "worker 7 (jobs) |   indented"),
        (DEBUG, "server", "worker is allocated", {"pool": "http", "pid": 7}, "worker 7 of pool http started"),
        (DEBUG, "server", "worker destroyed", {"pid": 7}, "worker 7 stopped"),
        (
            INFO,
            "server",
            "worker exited",
            {"pool": "http", "pid": 7, "exit": "exit code 0"},
            "worker 7 of pool http ended by itself: exit code 0",
        ),
        (DEBUG, "http", "http server was started", {"address": "127.0.0.1:80"}, "http: listening on 127.0.0.1:80"),
        (
            DEBUG,
            "rpc",
            "plugin was started",
            {"address": "tcp://x:1", "list of the plugins with RPC methods:": ["app"]},
            "rpc: listening on tcp://x:1",
        ),
        (
            WARN,
            "http",
            "slow request",
            {"method": "GET", "path": "/x", "elapsed": 2100},
            "WARN slow request: GET /x took 2.10 s",
        ),
        (
            WARN,
            "server",
            "worker is killed: exec_ttl reached",
            {"pool": "http", "pid": 7, "exec_ttl": 3.0, "request": "GET /x"},
            "WARN worker 7 of pool http is killed: GET /x ran longer than exec_ttl (3 s)",
        ),
        (INFO, "http", "reset signal was received", {}, "http: reset: new workers start, then the old ones stop"),
        (INFO, "http", "plugin was successfully reset", {"pool": "http.slow"}, "http.slow: reset: done"),
    ],
)
def test_what_comes_often_is_a_sentence(level: int, name: str, message: str, fields: dict[str, Any], line: str) -> None:
    assert text(level, name, message, **fields) == line


def test_any_other_entry_is_its_message_and_facts() -> None:
    line = text(WARN, "kv", "storage lost", storage="a b", tries=3, ok=True, none=None, list=["a", "b"], map={"k": 1})
    assert line == 'WARN kv: storage lost storage="a b" tries=3 ok=True none=None list=a,b map={"k": 1}'


def test_an_entry_with_other_fields_than_its_sentence_needs_is_drawn_all_the_same() -> None:
    assert text(ERROR, "http", "execute", method="GET", error="no") == "ERROR http: execute: no method=GET"
    assert text(INFO, "http", "http log", status=200) == "http: http log status=200"
    assert text(DEBUG, "server", "worker destroyed", pool="http") == "server: worker destroyed pool=http"


def test_values_of_several_lines_stand_below() -> None:
    line = text(ERROR, "server", "failed", error="EOF\n  command: php a.php", note="one\ntwo\n", n=1)
    assert line.split("\n") == [
        "ERROR server: failed: EOF n=1",
        "           command: php a.php",
        "         note:",
        "           one",
        "           two",
    ]


class Moody:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_whatever_a_field_holds_a_line_comes_out() -> None:
    assert text(INFO, "a", "m", f=Moody()) == "a: m (fields that can't be shown: RuntimeError)"
    assert text(INFO, "a", "m", b=b"a\xff", big=10**50, nan=float("nan")).startswith("a: m b=a\ufffd big=1000")
    assert "\\ud800" in text(INFO, "a", "half \ud800")


@pytest.mark.parametrize("coloured", [True, False])
@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("http log", REQUEST | {"URI": "/\x1b]0;title\x07\x9b2J\r\u202e"}),
        ("m \x1b[2J\x1b[1;1H", {"k\x1b[2J": "v\x1b[2J", "error": "\x1b[2J", "list": ["\x1b[2J"]}),
        ("execute", {"method": "G", "path": "/\x1b[2J", "error": "\x1b[2J", "trace": ["\x1b[2J\r"]}),
    ],
)
def test_no_text_moves_the_cursor(coloured: bool, message: str, fields: dict[str, Any]) -> None:
    line = re.sub(r"\x1b\[(0|1|2|31|35|1;31|1;35)m", "", shown(ERROR, "http", message, fields, coloured=coloured))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", line)


def test_colours_of_a_worker_s_own_are_kept_where_there_are_colours_and_end_with_the_line() -> None:
    fields = {"pool": "http", "pid": 7}
    message = "\x1b[38;5;208mdump\x1b[2J"
    assert shown(INFO, "server", message, fields).endswith("| dump\\x1b[2J\n")
    assert shown(INFO, "server", message, fields, coloured=True).endswith(" \x1b[38;5;208mdump\\x1b[2J\x1b[0m\n")


@pytest.mark.parametrize(
    ("level", "fields", "codes"),
    [
        (INFO, REQUEST, ["2", "0"]),
        (INFO, REQUEST | {"status": 302}, ["2", "0"]),
        (INFO, REQUEST | {"status": 404}, ["2", "0", "35", "0"]),
        (INFO, REQUEST | {"status": 503}, ["2", "0", "1;31", "0"]),
    ],
)
def test_colours_mark_what_needs_a_look(level: int, fields: dict[str, Any], codes: list[str]) -> None:
    assert re.findall(r"\x1b\[([0-9;]*)m", shown(level, "http", "http log", fields, coloured=True)) == codes


@pytest.mark.parametrize(("level", "word"), [(WARN, "35"), (ERROR, "31"), (logging.CRITICAL, "31")])
def test_only_the_level_of_a_warning_or_an_error_is_coloured(level: int, word: str) -> None:
    assert f"\x1b[1;{word}m" in shown(level, "a", "m", {}, coloured=True)
    assert "\x1b" not in shown(level, "a", "m", {})


def test_the_line_ending_is_as_set() -> None:
    line = terminal("\r\n", coloured=False, zone=UTC)(ERROR, NS, "a", "m", {"trace": ["x"]})
    assert line == b"02:33:40 ERROR a: m\r\n           x\r\n"
