"""`rr serve` with PHP workers that misbehave: one request fails, the next is answered, the log says what happened."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from support.php import require_php
from support.server import Server, free_port

BAD = Path(__file__).parents[1] / "support" / "workers" / "bad.php"
RELAYS = ("pipes", "tcp", "unix")
MARK = "/a-test-begins"  # a path; its line of the log is where those of a test begin


def config(relay: str, folder: Path, command: list[str] | None = None, **pool: Any) -> dict[str, Any]:
    address = {"pipes": "pipes", "tcp": f"tcp://127.0.0.1:{free_port()}", "unix": f"unix://{folder}/relay.sock"}[relay]
    return {
        "server": {"command": command or [require_php(), str(BAD)], "relay": address},
        "http": {"pool": {"num_workers": 1, "allocate_timeout": "20s", **pool}},
        "logs": {"mode": "production", "encoding": "json", "output": ["stderr"], "level": "info"},
    }


@pytest.fixture(scope="module", params=RELAYS)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all faults over a relay: it has to live through them all the same."""
    folder = tmp_path_factory.mktemp(request.param)
    with Server(folder, config(request.param, folder)) as running:
        yield running


@pytest.fixture
def server(shared: Server) -> Server:
    """The shared one. What was logged before is cut off by :func:`log_of`."""
    asked = shared.stderr.count(MARK)
    assert get(shared, MARK) == (200, "fine")
    shared.wait_for(MARK, times=asked + 1)
    return shared


def get(server: Server, path: str) -> tuple[int, str]:
    """Status and body of a request that is answered in any case."""
    try:
        with urlopen(server.url + path, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def worker_pid(server: Server) -> int:
    status, body = get(server, "/pid")
    assert status == 200
    return int(body)


def log_of(server: Server) -> list[dict[str, Any]]:
    """The lines of the log as JSON, of this test only."""
    mine = server.stderr.rpartition(MARK)[2].partition("\n")[2] if MARK in server.stderr else server.stderr
    return [json.loads(line) for line in mine.splitlines() if line.startswith("{")]


def complaints(server: Server) -> list[dict[str, Any]]:
    return [line for line in log_of(server) if line["level"] in ("warn", "error")]


def children(server: Server) -> dict[int, str]:
    """The server's children with their states; ``Z`` is a zombie."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, *_ = (folder / "stat").read_text().rpartition(") ")[2].split()
        except OSError:  # it has just gone
            continue
        if int(parent) == server.pid:
            found[int(folder.name)] = state
    return found


# -- in the middle of a request ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """What a worker does at ``path``, and what the log says of it."""

    path: str
    exit: str
    message: str = "worker died"
    stderr: str = "last words"


FAULTS = [
    Fault("/exit", "exit code 9", stderr="first words\nlast words"),
    Fault("/kill", "signal SIGKILL"),
    Fault("/garbage", "signal SIGKILL"),
    Fault("/half-frame", "exit code 3"),
    Fault("/half-header", "exit code 3"),
    Fault("/four-gigabytes", "signal SIGKILL"),
    Fault("/no-option", "signal SIGKILL"),
    Fault("/long-context", "signal SIGKILL"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.path)
def test_only_the_request_of_a_worker_that_fails_fails(server: Server, fault: Fault) -> None:
    before = worker_pid(server)
    assert get(server, fault.path) == (500, "")
    assert get(server, "/") == (200, "fine")

    after = worker_pid(server)
    assert after != before
    assert set(children(server)) == {after}, "the old worker is gone, and is no zombie"

    (line,) = complaints(server)
    assert (line["msg"], line["logger"]) == (fault.message, "server")
    assert (line["pid"], line["exit"], line["stderr"]) == (before, fault.exit, fault.stderr)
    assert line["request"] == f"GET {fault.path}"


@pytest.mark.parametrize("shared", ["pipes", "unix"], indirect=True)
def test_what_a_worker_writes_instead_of_a_frame_is_shown(server: Server) -> None:
    assert get(server, "/garbage")[0] == 500
    assert get(server, "/")[0] == 200
    (line,) = complaints(server)
    assert line["stdout"].startswith("PHP Warning: it rains in index.php on line 1\n")


@pytest.mark.parametrize("shared", ["pipes"], indirect=True)
def test_a_frame_that_is_too_large_is_named_and_not_shown_as_text(server: Server) -> None:
    assert get(server, "/four-gigabytes")[0] == 500
    assert get(server, "/")[0] == 200
    (line,) = complaints(server)
    assert line["error"] == f"frame of {0xFFFFFFF0} bytes exceeds the limit of {1 << 30}"
    assert "stdout" not in line


@pytest.mark.parametrize("shared", ["pipes"], indirect=True)  # a socket does not tell what was never read
def test_a_worker_that_exits_after_its_answer_costs_no_request(server: Server) -> None:
    before = worker_pid(server)
    for _ in range(5):
        assert get(server, "/answer-and-exit") == (200, "bye")
        assert get(server, "/") == (200, "fine")
    after = worker_pid(server)
    assert after != before
    assert set(children(server)) == {after}
    assert complaints(server) == []


def test_an_answer_with_a_status_that_is_none_is_a_500_that_names_it(server: Server) -> None:
    assert get(server, "/status-99") == (500, "unknown status code from worker: 99\n")
    assert get(server, "/") == (200, "fine")


@pytest.mark.parametrize("path", ["/malformed-head", "/deep-head"])
def test_an_answer_whose_head_makes_no_sense_is_a_500_and_is_logged_once(server: Server, path: str) -> None:
    before = worker_pid(server)
    logged = server.stderr.count("can't be read")
    assert get(server, path) == (500, "")
    assert worker_pid(server) == before
    server.wait_for("can't be read", times=logged + 1)
    (line,) = complaints(server)
    assert line["logger"] == "http"
    assert line["error"].startswith("the head of the worker's reply can't be read: ")


def test_a_worker_that_says_it_failed_lives_on(server: Server) -> None:
    before = worker_pid(server)
    assert get(server, "/error-frame") == (500, "")
    assert worker_pid(server) == before
    (line,) = complaints(server)
    assert "the application says no" in json.dumps(line)


def test_a_flood_of_stderr_keeps_nobody_from_answering(tmp_path: Path) -> None:
    with Server(tmp_path, config("pipes", tmp_path)) as server:
        assert get(server, "/stderr") == (200, "written")
        assert get(server, "/") == (200, "fine")
        server.wait_for("x" * 99, times=50_000)
        assert complaints(server) == []


def test_many_faults_one_after_the_other_leave_nothing_behind(server: Server) -> None:
    get(server, "/")
    descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))
    for fault in FAULTS * 3:
        assert get(server, fault.path)[0] == 500
        assert get(server, "/")[0] == 200
    last = worker_pid(server)
    assert set(children(server)) == {last}
    assert len(os.listdir(f"/proc/{server.pid}/fd")) <= descriptors + 3, "the client's connections may still be open"
    assert len(complaints(server)) == len(FAULTS) * 3


# -- at the start ------------------------------------------------------------------------------------------------------


def fails_to_start(folder: Path, relay: str, start: str = "", **changes: Any) -> str:
    """Run ``rr serve`` until it gives up; what it printed."""
    server = Server(folder, config(relay, folder, **changes), env={"BAD_START": start})
    server.start()
    try:
        assert server.wait() == 1
        assert children_left(folder) == []
        return server.stderr
    finally:
        server.kill()


def children_left(folder: Path) -> list[str]:
    """Processes that still work in the test's folder."""
    left = []
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if cwd.readlink() == folder:
                left.append((cwd.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return left


@pytest.mark.parametrize("relay", RELAYS)
def test_a_worker_that_exits_at_its_start_ends_the_server_with_its_own_words(relay: str, tmp_path: Path) -> None:
    said = fails_to_start(tmp_path, relay, "exit")
    assert "cannot find the database" in said
    assert "exit code 7" in said


@pytest.mark.parametrize("relay", RELAYS)
def test_a_worker_that_exits_without_a_word_is_named_by_its_command(relay: str, tmp_path: Path) -> None:
    said = fails_to_start(tmp_path, relay, "exit-0")
    assert "exit code 0" in said
    assert str(BAD) in said


@pytest.mark.parametrize("relay", RELAYS)
def test_a_stop_while_workers_boot_is_no_failure(relay: str, tmp_path: Path) -> None:
    server = Server(tmp_path, config(relay, tmp_path), env={"BAD_START": "silence"})
    server.start()
    try:
        while not any("bad.php" in command for command in children_left(tmp_path)):
            pass
        assert server.stop() == 0
        assert children_left(tmp_path) == []
        assert '"level":"error"' not in server.stderr.lower()
        assert "never retrieved" not in server.stderr
    finally:
        server.kill()


@pytest.mark.parametrize("relay", RELAYS)
def test_a_worker_that_never_says_hello_ends_the_server_in_time(relay: str, tmp_path: Path) -> None:
    said = fails_to_start(tmp_path, relay, "silence", allocate_timeout="1s")
    help_page = "https://docs.roadrunner.dev/error-codes/allocate-timeout"
    assert f"failed to spawn a worker, possible reasons: {help_page}; " in said
    assert "it did not answer within allocate_timeout (1s)" in said


@pytest.mark.parametrize("relay", RELAYS)
def test_a_worker_that_floods_stderr_instead_of_saying_hello_ends_the_server_in_time(
    relay: str, tmp_path: Path
) -> None:
    said = fails_to_start(tmp_path, relay, "flood", allocate_timeout="1s")
    assert "failed to spawn a worker" in said


def test_text_on_stdout_before_the_hello_is_shown(tmp_path: Path) -> None:
    said = fails_to_start(tmp_path, "pipes", "print")
    assert "validation failed on the message sent to STDOUT" in said
    assert "Warning: printed before the worker was ready" in said


@pytest.mark.parametrize("relay", ["tcp", "unix"])
def test_text_on_stdout_does_not_matter_over_a_socket(relay: str, tmp_path: Path) -> None:
    with Server(tmp_path, config(relay, tmp_path), env={"BAD_START": "print"}) as server:
        assert get(server, "/") == (200, "fine")


@pytest.mark.parametrize("relay", RELAYS)
def test_a_missing_program_is_named(relay: str, tmp_path: Path) -> None:
    said = fails_to_start(tmp_path, relay, command=["phpx", "worker.php"])
    assert 'exec: "phpx": executable file not found in $PATH' in said


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    said = fails_to_start(tmp_path, "pipes", command=[require_php(), "/no/worker.php"])
    assert "Could not open input file: /no/worker.php" in said


@pytest.mark.parametrize("relay", ["tcp", "unix"])
def test_a_missing_script_over_a_socket_is_told_with_its_command(relay: str, tmp_path: Path) -> None:
    said = fails_to_start(tmp_path, relay, command=[require_php(), "/no/worker.php"])
    assert "/no/worker.php" in said
    assert "exit code 1" in said


def test_a_socket_relay_whose_port_is_taken_ends_the_server_by_name(tmp_path: Path) -> None:
    with Server(tmp_path, config("tcp", tmp_path)) as first:
        second = tmp_path / "second"
        second.mkdir()
        changed = config("tcp", second)
        changed["server"]["relay"] = first.config["server"]["relay"]
        server = Server(second, changed)
        server.start()
        try:
            assert server.wait() == 1
            assert f"cannot listen on {changed['server']['relay'].removeprefix('tcp://')}" in server.stderr
        finally:
            server.kill()
        assert get(first, "/") == (200, "fine")
