"""What the commands print on a terminal, and in a pipe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.job_runs import WORKER
from support.php import require_php
from support.server import RR, Server, rr
from support.tmux import Tmux

_LONG = "x" * 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("console")
    config = {
        "server": {"command": f"{require_php()} {WORKER}"},
        "jobs": {"pool": {"num_workers": 1}, "consume": ["mails"], "pipelines": {"mails": {"driver": "memory"}}},
        "kv": {"cache": {"driver": "memory", "config": {}}},
    }
    with Server(folder, config, env={"RUNS": str(folder / "runs")}) as server:
        assert rr("kv", "set", "cache", "long", _LONG, cwd=folder).code == 0
        yield server


COMMANDS = [
    ["help"],
    ["workers"],
    ["top", "--once", "--interval", "100ms"],
    ["jobs", "list"],
    ["jobs", "stats"],
    ["kv", "list"],
    ["kv", "get", "cache", "long", "other"],
    ["lock", "list"],
    ["reset"],
    ["reload"],
    ["config", "check"],
    ["config", "show"],
    ["schedule", "list"],
    ["no-such-command"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_in_a_pipe_nothing_is_coloured(server: Server, command: list[str]) -> None:
    done = rr(*command, cwd=server.folder, env={"TERM": "xterm-256color"})
    assert "\x1b" not in done.stdout + done.stderr
    assert "error: " not in done.stderr


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["workers"], "\x1b[36mready"),
        (["jobs", "list"], "\x1b[32mready"),
        (["reset"], "\x1b[32mjobs: workers replaced in "),
        (["config", "check"], "\x1b[32m"),
        (["config", "show"], "\x1b[2m# "),
        (["help", "top"], "\x1b[1;32mUsage:"),
        (["schedule", "list"], "\x1b[1;31merror:"),
        (["no-such-command"], "\x1b[1;31merror:"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_on_a_terminal_what_counts_is_coloured(server: Server, command: list[str], shown: str) -> None:
    with Tmux([str(RR), *command], server.folder) as tmux:
        tmux.wait_for("exit code")
        assert _plain_codes(shown) in _plain_codes(tmux.screen(colours=True))
    with Tmux([str(RR), *command], server.folder, env={"NO_COLOR": "1"}) as tmux:
        tmux.wait_for("exit code")
        assert "\x1b" not in tmux.screen(colours=True)


def _plain_codes(text: str) -> str:
    """tmux writes ``1`` and ``31`` as two sequences, or as one."""
    return re.sub(r"\x1b\[([\d;]*)m", lambda code: "".join(f"<{one}>" for one in code[1].split(";")), text)


def test_a_table_fits_into_its_terminal(server: Server) -> None:
    with Tmux([str(RR), "kv", "get", "cache", "long", "other"], server.folder, size=(60, 20)) as tmux:
        screen = tmux.wait_for("exit code")
    assert "x ≈ │" in screen
    assert screen.splitlines()[0][-1] == "┐"


def test_errors_name_the_next_step(server: Server) -> None:
    done = rr("schedule", "list", cwd=server.folder)
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr == (
        "rpc: can't find service schedule.List\n"
        "the server runs without schedule: its config has no section `schedule`, or its log says why schedule was not "
        "started\n"
    )


def test_stop_on_a_terminal_says_when_it_has_stopped(tmp_path: Path) -> None:
    with Server(tmp_path, {"server": {"command": f"{require_php()} {WORKER}"}, "kv": {}}) as server:
        with Tmux([str(RR), "stop"], tmp_path) as tmux:
            screen = tmux.wait_for("exit code 0")
        assert server.wait() == 0
    first, second, *_ = screen.splitlines()
    assert first == f"stopping the server (PID {server.pid})"
    assert re.fullmatch(r"stopped after \d+\.\d s", second)
