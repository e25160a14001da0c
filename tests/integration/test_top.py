"""``rr top`` and ``rr workers -i`` in a real terminal, with a real server and PHP workers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.job_runs import WORKER as JOBS_WORKER
from support.php import require_php
from support.server import RR, Server, environment, rr
from support.tmux import Tmux

COLOURS = {str(code) for code in (*range(30, 39), *range(40, 49), *range(90, 98), *range(100, 108))}
HTTP_WORKER = Path(__file__).parents[1] / "support" / "workers" / "http.php"


def served(folder: Path) -> Server:
    """Two pools of http, a pipeline."""
    config = {
        "server": {"command": f"{require_php()} {HTTP_WORKER}"},
        "http": {"pool": {"num_workers": 2}, "routes": [{"match": ["/wait"], "pool": {"num_workers": 1}}]},
        "jobs": {
            "pool": {"num_workers": 1, "command": f"{require_php()} {JOBS_WORKER}"},
            "consume": ["mails"],
            "pipelines": {"mails": {"driver": "memory"}},
        },
    }
    return Server(folder, config, env={"RUNS": str(folder / "runs")})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("top")) as server:
        yield server


@contextmanager
def waiting_request(server: Server, gate: Path) -> Iterator[list[int]]:
    """A request runs during the block; its status is in the list afterwards."""
    statuses: list[int] = []

    def send() -> None:
        try:
            with urllib.request.urlopen(f"{server.url}/wait?for={gate}", timeout=60) as response:
                statuses.append(response.status)
        except urllib.error.HTTPError as error:
            statuses.append(error.code)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield statuses
    finally:
        gate.touch()
        thread.join()


def column(screen: str, name: str) -> list[str]:
    """The values of a left-aligned column of the workers."""
    lines = screen.splitlines()
    header = next(number for number, line in enumerate(lines) if line.split()[:1] == ["PID"])
    start = lines[header].index(name)
    rows = [line for line in lines[header + 1 :] if line.strip()[:1].isdecimal()]
    return [line[start:].split("  ")[0].strip() for line in rows]


def pids(screen: str) -> list[int]:
    return [int(line.split()[0]) for line in screen.splitlines() if re.match(r" *\d+  \w+ ", line)]


# -- on a terminal -----------------------------------------------------------------------------------------------------


def test_a_session_from_the_first_look_to_quit(server: Server, tmp_path: Path) -> None:
    """Look, filter, kill, scale, pause, resize, quit."""
    with waiting_request(server, tmp_path / "gate") as statuses, Tmux([str(RR), "top"], server.folder) as tmux:
        screen = tmux.wait_for("GET /wait", "requests/s", "mails", "CREATED")
        assert f"pid {server.pid}" in screen
        assert column(screen, "NOW")[0] == "GET /wait"  # the longest call comes first
        killed = pids(screen)[0]

        tmux.keys("/")
        tmux.keys(*"wait", "Enter")
        screen = tmux.wait_until(lambda screen: pids(screen) == [killed], "the filter")
        tmux.keys("k")
        tmux.wait_for(f"Kill worker {killed} of http.wait?", "GET /wait fails.")
        tmux.keys("y")
        tmux.wait_for(f"worker {killed} was killed")
        tmux.wait_until(lambda screen: pids(screen) not in ([], [killed]), "another worker")
        tmux.keys("Escape")
        tmux.wait_until(lambda screen: len(pids(screen)) > 2, "all workers")

        tmux.keys("+")
        tmux.wait_for("a worker was added")
        tmux.keys("BTab", "p")
        tmux.wait_for("Pause the pipeline mails?")
        tmux.keys("y")
        tmux.wait_for("mails: paused", "paused  ")
        tmux.keys("p")
        tmux.wait_for("mails: resumed")

        tmux.resize(40, 10)
        screen = tmux.wait_until(lambda screen: "PID" in screen and "CREATED" not in screen, "the narrow table")
        assert all(len(line) <= 40 for line in screen.splitlines())
        tmux.resize(120, 32)
        tmux.wait_for("CREATED", "OLDEST WAIT")

        tmux.keys("?")
        tmux.wait_for("kill the selected worker")
        tmux.keys("Escape")
        tmux.wait_without("kill the selected worker")
        tmux.keys("q")
        tmux.wait_for("exit code 0")
    assert statuses == [500]


def test_control_z_suspends_it_and_fg_goes_on(server: Server) -> None:
    with Tmux(["bash", "--norc", "-i"], server.folder, env={"PS1": "ready> "}) as tmux:
        tmux.wait_for("ready>")
        tmux.keys(f"{RR} top", "Enter")
        tmux.wait_for("CREATED")
        tmux.keys("C-z")
        tmux.wait_for("Stopped", "ready>")
        tmux.keys("fg", "Enter")
        tmux.wait_for("CREATED")
        tmux.keys("q")
        tmux.wait_without("CREATED")
        tmux.keys("exit", "Enter")
        tmux.wait_for("exit code 0")


def test_a_server_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    first = served(tmp_path)
    with first, Tmux([str(RR), "top", "--interval", "200ms"], tmp_path) as tmux:
        before = pids(tmux.wait_for("CREATED", "ready"))
        assert first.stop() == 0
        tmux.wait_for("the server does not answer: dial", "connection refused", "next attempt in 0.2 s")
        with Server(tmp_path, first.config, env={"RUNS": str(tmp_path / "runs")}) as second:
            screen = tmux.wait_for("the server answers again, with the pid", str(second.pid))
            assert not set(pids(screen)) & set(before)
            tmux.keys("C-c")
            tmux.wait_for("exit code 0")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_restores_the_terminal(server: Server, number: signal.Signals) -> None:
    with Tmux(["sh", "-c", f"echo $$ >pid; exec {RR} top"], server.folder) as tmux:
        tmux.wait_for("requests/s")
        os.kill(int((server.folder / "pid").read_text()), number)
        assert "requests/s" not in tmux.wait_for("exit code 0")  # the screen before it is back


def test_rr_workers_i_has_the_columns_of_roadrunner(server: Server, tmp_path: Path) -> None:
    with waiting_request(server, tmp_path / "gate"), Tmux([str(RR), "workers", "-i", "http"], server.folder) as tmux:
        screen = tmux.wait_for("GET /wait")
        header = next(line for line in screen.splitlines() if "STATUS" in line)
        names = ["PID ▲", "STATUS", "EXECS", "MEMORY", "CPU %", "CREATED", "POOL", "FOR", "NOW"]
        assert re.split(r" {2,}", header.strip()) == names
        assert "OLDEST WAIT" not in screen
        assert "jobs" not in screen
        assert pids(screen) == sorted(pids(screen))
        tmux.keys("o")
        tmux.wait_for("OLDEST WAIT")
        tmux.keys("q")
        tmux.wait_for("exit code 0")


def test_no_color_is_kept(server: Server) -> None:
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)):
        with Tmux([str(RR), "top"], server.folder, env=env) as tmux:
            tmux.wait_for("ready", "CREATED")
            codes = {
                code for found in re.findall(r"\x1b\[([\d;]*)m", tmux.screen(colours=True)) for code in found.split(";")
            }
            assert (
                bool(codes & {str(number) for number in (*range(30, 39), *range(40, 49), *range(90, 108))}) is coloured
            )


def test_without_the_library_it_redraws_text(server: Server) -> None:
    hidden = "import sys; sys.modules['textual'] = None; from pyroadrunner.cli.main import main; sys.exit(main())"
    program = [str(RR.with_name("python")), "-c", hidden, "top"]
    with Tmux(program, server.folder) as tmux:
        screen = tmux.wait_for("requests/s", "ready", "pip install 'pyroadrunner[top]'")
        assert "┌" in screen
        tmux.keys("C-c")
        tmux.wait_for("exit code 0")


# -- without a terminal ------------------------------------------------------------------------------------------------


def test_once_in_a_pipe_is_plain_text(server: Server) -> None:
    done = rr("top", "--once", "--interval", "100ms", "http", cwd=server.folder, env={"TERM": "xterm"})
    assert (done.code, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert done.stdout.startswith("pyroadrunner ")
    assert "jobs" not in done.stdout.partition("┌")[2]


def test_once_as_json_counts_requests_and_jobs(server: Server) -> None:
    for _ in range(3):
        urllib.request.urlopen(f"{server.url}/pid", timeout=60).close()
    done = rr("top", "--once", "--json", "--interval", "100ms", cwd=server.folder)
    found = json.loads(done.stdout)
    assert list(found) == ["server", "totals", "pools", "pipelines", "workers"]
    assert found["server"]["pid"] == server.pid
    http = next(pool for pool in found["pools"] if pool["name"] == "http")
    assert http["calls"] >= 3
    assert {worker["pid"] for worker in found["workers"]} >= server.workers("jobs")


def test_json_in_a_pipe_is_one_document_per_line_until_a_signal(server: Server) -> None:
    with subprocess.Popen(
        [str(RR), "top", "--json", "--interval", "100ms"], cwd=server.folder, env=environment(), stdout=subprocess.PIPE
    ) as top:
        assert top.stdout is not None
        first, second = (json.loads(top.stdout.readline()) for _ in range(2))
        top.send_signal(signal.SIGTERM)
        assert top.wait(60) == 0
    assert first["totals"]["requests_per_second"] is None
    assert second["totals"]["requests_per_second"] is not None


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["--interval", "1"], '--interval "1": has no unit; write "1s" for seconds'),
        (["--interval", "1ms"], '--interval "1ms": is too short; at least 0.1s'),
        (["htp"], "no such plugin: htp; the server has: http, jobs"),
    ],
)
def test_a_wrong_call_says_what_to_write(server: Server, flags: list[str], error: str) -> None:
    done = rr("top", "--once", *flags, cwd=server.folder)
    assert (done.code, done.stdout, done.stderr) == (1, "", f"{error}\n")
