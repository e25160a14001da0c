"""A worker that the server starts for a plugin which it does not serve: the log says so."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from pyroadrunner.sdk.jobs import Jobs
from pyroadrunner.sdk.rpc import RpcClient
from support.php import require_php
from support.server import Server, free_port

LIBRARY = Path(__file__).parents[2] / "php" / "autoload.php"
PHP = f"<?php require '{LIBRARY}';\n"
JOBS_ONLY = {
    "worker.php": PHP + "PyRoadRunner\\Jobs\\JobsWorker::create()->run(static function ($task): void {});",
    "worker.py": "from pyroadrunner.sdk.jobs import serve\nserve(lambda task: None)",
}
HTTP_ONLY = {
    "worker.php": PHP + "PyRoadRunner\\Http\\Server::run(static fn ($request): string => 'hello');",
    "worker.py": "from pyroadrunner.sdk import http\nhttp.serve(lambda request: 'hello')",
}


def started(folder: Path, name: str, text: str) -> Server:
    (folder / name).write_text(text, "utf-8")
    program = require_php() if name.endswith(".php") else sys.executable
    return Server(
        folder,
        {
            "server": {"command": f"{program} {name}"},
            "http": {"address": f"127.0.0.1:{free_port()}", "pool": {"num_workers": 1}},
            "jobs": {
                "pool": {"num_workers": 1},
                "consume": ["mails"],
                "pipelines": {"mails": {"driver": "memory", "max_attempts": 1}},
            },
        },
    )


@pytest.mark.parametrize("name", JOBS_ONLY)
def test_a_worker_for_jobs_refuses_requests(tmp_path: Path, name: str) -> None:
    with started(tmp_path, name, JOBS_ONLY[name]) as server:
        with pytest.raises(HTTPError) as refused:
            urlopen(server.url, timeout=20)
        refused.value.close()
        assert refused.value.code == 500
        server.wait_for("the server started this worker for `http`, but it serves `jobs` (see RR_MODE)")


@pytest.mark.parametrize("name", HTTP_ONLY)
def test_a_worker_for_http_fails_jobs(tmp_path: Path, name: str) -> None:
    with started(tmp_path, name, HTTP_ONLY[name]) as server:
        with Jobs(RpcClient(server.rpc)) as jobs:
            jobs.push("mails", "send-mail")
        server.wait_for("the server started this worker for `jobs`, but it serves `http` (see RR_MODE)")
