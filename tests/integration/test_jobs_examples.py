"""The examples with jobs, as they are shipped."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from pyroadrunner.sdk.jobs import Jobs
from pyroadrunner.sdk.rpc import RpcClient
from support.packages import EXAMPLES
from support.php import require_php
from support.server import Server, free_port, rr


@contextmanager
def example(name: str, folder: Path, command: str) -> Iterator[Server]:
    """The example's server on free ports; failed jobs run again at once."""
    shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True)
    config = yaml.safe_load((EXAMPLES / name / ".rr.yaml").read_text("utf-8"))
    config["rpc"]["listen"] = f"tcp://127.0.0.1:{free_port()}"
    if "http" in config:
        config["http"]["address"] = f"127.0.0.1:{free_port()}"
    config["server"]["command"] = command
    config["jobs"]["pipelines"]["mails"]["backoff"] = {"initial": "0s"}
    with Server(folder, config) as server:
        yield server
        assert server.stop() == 0


def failed(server: Server) -> None:
    """The job for an unknown address ends as a dead letter."""
    server.wait_for("job was moved to the dead letter pipeline")
    shown = rr("jobs", "failed", cwd=server.folder).stdout
    assert "there is no such address" in shown
    assert "send-mail" in shown


@pytest.mark.parametrize(("name", "worker"), [("jobs", "worker.php"), ("jobs-http-python", "app.py")])
def test_a_worker_serves_http_and_runs_its_own_jobs(tmp_path: Path, name: str, worker: str) -> None:
    program = require_php() if worker.endswith(".php") else sys.executable
    with example(name, tmp_path, f"{program} {worker}") as server:
        with urlopen(f"{server.url}/?to=me", timeout=60) as answer:
            assert answer.read().startswith(b"queued as ")
        server.wait_for("mail to me, attempt 1")
        urlopen(f"{server.url}/?to=unknown", timeout=60).close()
        failed(server)


def test_a_python_worker(tmp_path: Path) -> None:
    with example("jobs-python", tmp_path, f"{sys.executable} worker.py") as server:
        with Jobs(RpcClient(server.rpc)) as jobs:
            jobs.push("mails", "send-mail", '{"to": "me"}')
            jobs.push("mails", "send-later")
            jobs.push("mails", "send-mail", '{"to": "unknown"}')
        server.wait_for("mail to me, attempt 1")
        server.wait_for("the gateway is busy")
        failed(server)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("jobs-*/**/*.php")), ids=lambda path: path.name)
def test_the_files_for_frameworks_are_php_without_errors(path: Path) -> None:
    """What they do needs a framework; the pages that show them say with which version they were run."""
    done = subprocess.run([require_php(), "-l", str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
