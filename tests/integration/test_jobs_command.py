"""``rr jobs`` against a running server: its output and exit codes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.job_runs import WORKER, Runs
from support.php import require_php
from support.server import RR, Finished, Server, environment, rr

PIPELINES = {
    "mails": {"driver": "memory", "max_attempts": 1, "dead_letter": "dead"},
    "dead": {"driver": "memory"},
    "idle": {"driver": "memory"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("jobs")
    config = {
        "server": {"command": f"{require_php()} {WORKER}", "env": {"RUNS": str(folder / "runs")}},
        "jobs": {"pool": {"num_workers": 1}, "consume": ["mails"], "pipelines": PIPELINES},
    }
    with Server(folder, config) as server:
        yield server


@pytest.fixture
def runs(server: Server) -> Runs:
    return Runs(server.folder / "runs")


def run(server: Server, *arguments: str) -> Finished:
    return rr("jobs", *arguments, cwd=server.folder)


ONE = """\
┌────────────────┐
│ PIPELINE ( S ) │
├────────────────┤
│ mails          │
└────────────────┘
"""


def test_roadrunners_flags(server: Server) -> None:
    listed = run(server, "--list")
    assert (listed.code, listed.stderr) == (0, "")
    assert listed.stdout.splitlines()[1] == "│ PIPELINE ( S ) │"
    assert {line.strip("│ ") for line in listed.stdout.splitlines()[3:-1]} == set(PIPELINES)
    assert run(server, "--pause", "mails").stdout == ONE
    again = run(server, "--pause", "mails")
    assert (again.code, again.stdout, again.stderr) == (1, "", "no active listeners, nothing to pause\n")
    assert run(server, "--resume", "mails", "-s").stdout == ""
    unknown = run(server, "--resume", "zzz")
    assert (unknown.code, unknown.stderr) == (1, "no such pipeline, requested: zzz\n")
    bare = run(server)
    form = "command should be in form of: `rr jobs --<destroy/resume/pause> pipe1,pipe2`\n"
    assert (bare.code, bare.stdout, bare.stderr) == (1, "", form)
    nothing = run(server, "--pause")
    usage = "incorrect command usage, should be: rr jobs --pause pipe1,pipe2\n"
    assert (nothing.code, nothing.stderr) == (1, usage)


def test_pipelines_are_listed_with_their_states(server: Server) -> None:
    listed = run(server, "list")
    assert listed.code == 0
    assert "│ mails    │ memory │ ready  │" in listed.stdout
    assert "│ idle     │ memory │ paused │" in listed.stdout
    found = {one["pipeline"]: one for one in json.loads(run(server, "list", "--json").stdout)}
    assert (found["mails"]["state"], found["mails"]["ready"]) == ("ready", True)


def test_pause_and_resume_with_words(server: Server) -> None:
    assert run(server, "resume", "idle").code == 0
    assert "idle     │ memory │ ready" in run(server, "list").stdout
    assert run(server, "pause", "idle").code == 0
    assert run(server, "pause").code == 1


def test_a_pushed_job_runs(server: Server, runs: Runs) -> None:
    pushed = run(server, "push", "mails", "send", "{}", "--header", "a=1", "--header", "a=2", "--priority", "3")
    assert pushed.code == 0
    (found,) = runs.wait([pushed.stdout.strip()])
    assert (found.name, found.headers, found.payload) == ("send", {"a": ["1", "2"]}, b"{}")


def test_a_payload_from_stdin_and_an_id(server: Server, runs: Runs) -> None:
    command = [str(RR), "jobs", "push", "mails", "send", "-", "--id", "mine", "--auto-ack"]
    subprocess.run(command, cwd=server.folder, input=bytes(range(256)), env=environment(), check=True, timeout=30)
    (found,) = runs.wait(["mine"])
    assert found.payload == bytes(range(256))


def test_waiting_jobs_are_shown_and_purged(server: Server) -> None:
    ids = [run(server, "push", "idle", "one", f"text {number}").stdout.strip() for number in range(3)]
    later = run(server, "push", "idle", "later", "--delay", "3600")
    assert later.code == 0
    shown = run(server, "peek", "idle").stdout
    assert all(one in shown for one in (*ids, "text 0", "one"))
    (job,) = json.loads(run(server, "peek", "idle", ids[1], "--json").stdout)
    assert (job["id"], job["payload"], job["priority"]) == (ids[1], {"text": "text 1"}, 10)
    assert len(json.loads(run(server, "peek", "idle", "--limit", "2", "--json").stdout)) == 2
    assert "│ idle     │ idle  │ 3      │ 1       │ 0        │ 10       │" in run(server, "stats").stdout
    purged = run(server, "purge", "idle", ids[0], "nope")
    assert (purged.code, purged.stdout) == (1, "1 job deleted\n")
    assert run(server, "purge", "idle").code == 1
    assert run(server, "purge", "idle", "--all").stdout == "2 jobs deleted\n"
    assert run(server, "peek", "idle").stdout == "no jobs\n"


def test_failed_jobs_are_shown_and_retried(server: Server, runs: Runs) -> None:
    assert run(server, "failed").stdout == "no failed jobs\n"
    failed = run(server, "push", "mails", "send", '{"do": "throw"}').stdout.strip()
    runs.wait([failed])
    server.wait_for("job was moved to the dead letter pipeline")
    shown = run(server, "failed").stdout
    assert all(text in shown for text in (failed, "mails", "max_attempts", "the job has failed", "throw"))
    (job,) = json.loads(run(server, "failed", "dead", "--json").stdout)
    assert job["headers"]["rr_dead_attempts"] == ["1"]
    assert run(server, "retry", "dead", failed).stdout == "1 job retried\n"
    runs.wait([failed], times=2)
    server.wait_for("job was moved to the dead letter pipeline", times=2)
    assert run(server, "retry", "dead", "nope").code == 1
    assert run(server, "purge", "dead", "--all").stdout == "1 job deleted\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("push", "mails"), "name a pipeline and a job: rr jobs push PIPELINE JOB [PAYLOAD]"),
        (("push", "mails", "x", "--delay", "soon"), "--delay is a whole number: soon"),
        (("push", "mails", "x", "--header", "x"), "a header is NAME=VALUE: x"),
        (("peek",), "name a pipeline"),
        (("retry",), "name the dead letter pipeline"),
        (("destroy",), "name a pipeline"),
    ],
)
def test_usage(server: Server, arguments: tuple[str, ...], text: str) -> None:
    done = run(server, *arguments)
    assert done.code == 1
    assert text in done.stderr


def test_an_unknown_pipeline_or_job_is_named_and_where_to_look(server: Server) -> None:
    pushed = run(server, "push", "zzz", "send")
    assert pushed.stderr == (
        "rpc_push:\n\tjobs_plugin_push: no such pipeline, requested: zzz\nrr jobs list shows the pipelines\n"
    )
    paused = run(server, "pause", "zzz")
    assert paused.stderr == "no such pipeline, requested: zzz\nrr jobs list shows the pipelines\n"
    retried = run(server, "retry", "dead", "nope", "neither")
    assert (retried.code, retried.stdout) == (1, "0 jobs retried\n")
    assert retried.stderr == "not in dead: 2 of 2; rr jobs peek dead shows those that are\n"
    unknown = run(server, "frobnicate")
    assert (unknown.code, unknown.stderr.splitlines()[0]) == (1, 'unknown command "frobnicate" for "rr jobs"')


def test_a_server_without_jobs(tmp_path: Path) -> None:
    with Server(tmp_path, {}) as server:
        listed = run(server, "list")
    assert listed.code == 1
    assert "rpc: can't find service jobs.Stat\nthe server runs without jobs: " in listed.stderr


def test_the_workers_command_shows_the_pipelines(server: Server) -> None:
    shown = rr("workers", "jobs", cwd=server.folder).stdout
    assert "Jobs of [jobs]:" in shown
    assert "READY" in shown


def test_a_destroyed_pipeline_is_gone(server: Server) -> None:
    assert run(server, "destroy", "idle").code == 0
    assert "idle" not in run(server, "list").stdout
