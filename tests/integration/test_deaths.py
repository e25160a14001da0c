"""All ways in which a PHP worker fails, as logged: JSON for programs, readable lines on a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from support.php import require_php
from support.server import Server
from support.terminal import Terminal

DIES = Path(__file__).parents[1] / "support" / "workers" / "dies.php"
JSON = {"mode": "production", "encoding": "json", "output": ["stderr"], "level": "info"}


def config(how: str = "", pool: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    command = [require_php(), str(DIES), how]
    return {"server": {"command": command}, "http": {"pool": {"num_workers": 1, **(pool or {})}}, **more}


def get(url: str) -> int:
    try:
        with urlopen(url, timeout=60) as answer:
            status: int = answer.status
            return status
    except HTTPError as error:
        with error:
            return error.code


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.stderr.splitlines() if line.startswith("{")]


def line_of(server: Server, message: str, path: str) -> dict[str, Any]:
    """The line about a request."""
    [found] = [
        line
        for line in lines(server)
        if line["msg"] == message and path in (line.get("path"), line.get("request", "").removeprefix("GET "))
    ]
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("deaths"), config(logs=JSON)) as running:
        yield running


@dataclass(frozen=True)
class Death:
    path: str
    exit: str
    fields: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    hint: str = ""


DEATHS = [
    Death("/exit", "exit code 3", {"stderr": "last words"}),
    Death("/quiet-exit", "exit code 0", hint="(exit, die)"),
    Death("/dd", "exit code 1", {"stderr": "Array\n(\n    [one] => 1\n)"}),
    Death("/time", "exit code 255", error="Maximum execution time of 1 second exceeded in "),
    Death("/memory", "exit code 255", error="Allowed memory size of 20971520 bytes exhausted "),
    Death("/segfault", "signal SIGSEGV", hint="extensions crashed"),
    Death("/killed", "signal SIGKILL", hint="out of memory"),
    Death("/echo", "signal SIGKILL", {"stdout": "forgotten"}, hint="stdout, which carries its replies"),
]


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.path)
def test_a_crash_is_logged_in_one_line_with_all_details(server: Server, death: Death) -> None:
    assert get(server.url + death.path) == 500
    server.wait_for(f'"request":"GET {death.path}"')
    line = line_of(server, "worker died", death.path)
    assert (line["level"], line["logger"], line["pool"], line["exit"]) == ("error", "server", "http", death.exit)
    assert isinstance(line["pid"], int)
    assert line["error"].startswith(death.error) if death.error else "error" not in line
    assert death.hint in line["hint"] if death.hint else "hint" not in line
    assert {key: line[key] for key in ("stdout", "stderr", "trace") if key in line} == death.fields
    assert get(server.url + "/") == 200


def test_an_exception_is_a_message_and_a_list_of_lines(server: Server) -> None:
    assert get(server.url + "/throw") == 500
    server.wait_for('"msg":"execute"')
    line = line_of(server, "execute", "/throw")
    assert (line["method"], line["path"], line["pool"]) == ("GET", "/throw", "http")
    assert re.fullmatch(
        r"sync_worker_receive_frame: SoftJobError: RuntimeException: no price for item 7 in \S+dies\.php:\d+",
        line["error"],
    )
    assert "Cart->total()" in line["trace"][0]
    causes = [number for number, text in enumerate(line["trace"]) if text.startswith("caused by ")]
    assert len(causes) == 1
    assert "InvalidArgumentException: bad id in " in line["trace"][causes[0]]
    assert "Cart->find()" in line["trace"][causes[0] + 1]
    assert not any("\n" in text for text in line["trace"])
    assert line["pid"] in server.workers(), "it keeps running"


def test_a_request_that_takes_too_long_shows_what_it_wrote(tmp_path: Path) -> None:
    with Server(tmp_path, config(pool={"supervisor": {"exec_ttl": "1s"}}, logs=JSON)) as running:
        assert get(running.url + "/endless") == 500
        running.wait_for('"path":"/endless"')
    killed = line_of(running, "killing worker: exec_ttl reached", "/endless")
    assert (killed["pool"], killed["stderr"], killed["exec_ttl"]) == ("http", "in the loop", 1.0)
    failed = line_of(running, "execute", "/endless")
    assert (failed["pid"], failed["pool"], failed["method"]) == (killed["pid"], "http", "GET")


def test_lines_of_stderr_carry_pool_and_pid(server: Server) -> None:
    assert get(server.url + "/say") == 200
    server.wait_for("plain words")
    [line] = [line for line in lines(server) if line["msg"] == "plain words"]
    assert {key: line[key] for key in line if key != "ts"} == {
        "level": "info",
        "logger": "server",
        "msg": "plain words",
        "pool": "http",
        "pid": next(iter(server.workers())),
    }


def test_a_php_warning_is_logged_once(server: Server) -> None:
    assert get(server.url + "/warning") == 200
    server.wait_for("Undefined variable $undefined")
    assert get(server.url + "/say") == 200  # its earlier output has been read by then
    assert server.stderr.count("Undefined variable $undefined") == 1


def test_an_uncaught_exception_is_read_from_stderr(tmp_path: Path) -> None:
    with Server(tmp_path, config("uncaught", logs=JSON)) as running:
        assert get(running.url + "/cart") == 500
        running.wait_for("worker died")
        line = line_of(running, "worker died", "/cart")
    assert (line["exit"], line["pool"]) == ("exit code 255", "http")
    assert line["error"].startswith("RuntimeException: no price for item 7 in ")
    assert "Cart->total()" in line["trace"][0]
    assert any(text.startswith("caused by InvalidArgumentException: bad id in ") for text in line["trace"])
    assert line["stderr"] == "before the cart"


def test_the_stderr_of_a_dead_worker_is_that_of_its_last_request_under_load(tmp_path: Path) -> None:
    """One worker and a queue that is never empty: the next request begins right after the last response."""
    with Server(tmp_path, config(logs=JSON)) as running, ThreadPoolExecutor(4) as clients:
        paths = ["/say", "/say", "/say", "/quiet-exit"] * 15
        list(clients.map(lambda path: get(running.url + path), paths))
        running.wait_for("worker died", times=15)
        dead = [line for line in lines(running) if line["msg"] == "worker died"]
        assert [line.get("stderr") for line in dead] == [None] * 15


# -- on a terminal -----------------------------------------------------------------------------------------------------


def test_an_empty_no_color_is_none(tmp_path: Path) -> None:
    with Terminal(tmp_path, config(), {"NO_COLOR": ""}) as seen:
        assert "\x1b[" in seen.text
        assert seen.ctrl_c() == 0


def test_a_terminal_gets_readable_lines(tmp_path: Path) -> None:
    with Terminal(tmp_path, config()) as seen:
        assert get(seen.url + "/") == 200
        assert get(seen.url + "/say?x=1") == 200
        assert get(seen.url + "/throw") == 500
        assert get(seen.url + "/exit") == 500
        seen.wait_for("GET /exit 500")
        assert seen.ctrl_c() == 0
        text = seen.plain
    address = seen.config["http"]["address"]
    assert re.search(r"^\d\d:\d\d:\d\d worker \d+ \| booting$", text, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d worker \d+ of pool http started$", text, re.MULTILINE)
    assert re.search(rf"^\d\d:\d\d:\d\d ready on http://{address}: ", text, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d GET / 200 (<1|\d+) ms$", text, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d GET /say\?x=1 200 (<1|\d+) ms$", text, re.MULTILINE)
    assert re.search(
        r"^\d\d:\d\d:\d\d ERROR GET /throw failed: RuntimeException: no price for item 7 in \S+dies\.php:\d+\n"
        r"         worker \d+ of pool http, after (<1|\d+) ms\n"
        r"           #0 \S+dies\.php\(\d+\): Cart->total\(\)\n"
        r"(           #\d .*\n)+"
        r"         caused by InvalidArgumentException: bad id in ",
        text,
        re.MULTILINE,
    )
    assert re.search(
        r"^\d\d:\d\d:\d\d ERROR GET /exit failed: worker \d+ of pool http died after \d+ ms: exit code 3\n"
        r"         stderr:\n"
        r"           last words\n",
        text,
        re.MULTILINE,
    )
    assert re.search(r"\^C\r\d\d:\d\d:\d\d stopping: running requests have 30 s to finish", text)
    assert text.endswith(" stopped\n")
    assert "{" not in text.replace("{main}", "").replace("{closure}", ""), "no JSON among it"
    colours = set(re.findall(r"\x1b\[([0-9;]*)m", seen.text))
    assert colours <= {"0", "1", "2", "31", "35", "1;31", "1;32", "1;35"}


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_there_is_no_escape_sequence(tmp_path: Path, env: dict[str, str]) -> None:
    with Terminal(tmp_path, config(), env) as seen:
        assert get(seen.url + "/throw") == 500
        assert get(seen.url + "/colour") == 200
        seen.wait_for("GET /colour 200")
        assert seen.ctrl_c() == 0
    assert "\x1b" not in seen.text
    assert r"red \x1b]0;title\x07\x1b[2Jend" in seen.text


def test_worker_output_can_not_move_the_cursor(tmp_path: Path) -> None:
    with Terminal(tmp_path, config()) as seen:
        assert get(seen.url + "/colour") == 200
        seen.wait_for("GET /colour 200")
    assert "\x1b[31mred\x1b[0m" in seen.text
    assert r"\x1b]0;title\x07\x1b[2Jend" in seen.text


def test_json_on_a_terminal_stays_json(tmp_path: Path) -> None:
    with Terminal(tmp_path, config(logs=JSON)) as seen:
        assert get(seen.url + "/say") == 200
        seen.wait_for('"msg":"http log"')
        assert seen.ctrl_c() == 0
    [line] = [json.loads(line) for line in seen.text.splitlines() if '"msg":"http log"' in line]
    assert (line["status"], line["URI"]) == (200, "/say")


def test_a_pipe_gets_the_columns_that_scripts_expect(tmp_path: Path) -> None:
    with Server(tmp_path, config()) as running:
        assert get(running.url + "/say") == 200
        running.wait_for("http log")
        assert running.stop() == 0
    assert re.search(r'^\d{4}-\S+\+0000\tINFO\thttp        \thttp log\t{"status": 200, ', running.stderr, re.MULTILINE)
    assert "[INFO] RoadRunner server started; version: " in running.stdout
    assert "stop signal received, grace timeout is: 30 seconds" in running.stdout
    assert "\x1b" not in running.stderr + running.stdout
