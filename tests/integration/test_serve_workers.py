"""`rr serve` with workers: from a worker file without config, as started by Laravel Octane, and when killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from support.php import require_php
from support.server import READY, Server, free_port, rr

ROOT = Path(__file__).resolve().parents[2]
PHP_WORKER = ROOT / "examples" / "hello-php" / "worker.php"

PYTHON_WORKER = """
import sys
from pyroadrunner.sdk.http import serve
from pyroadrunner.sdk.request import Request

print("worker says hi", file=sys.stderr, flush=True)
serve(lambda request: "hello from python")
"""


def get(url: str) -> str:
    with urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
        return text


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def python_worker(tmp_path: Path) -> Path:
    file = tmp_path / "my worker.py"
    file.write_text(PYTHON_WORKER, encoding="utf-8")
    return file


def overrides(port: int, rpc: int) -> list[str]:
    flags = [f"http.address=127.0.0.1:{port}", f"rpc.listen=tcp://127.0.0.1:{rpc}", "http.pool.num_workers=1"]
    return [word for flag in flags for word in ("-o", flag)]


def test_a_worker_file_needs_no_config(tmp_path: Path, python_worker: Path) -> None:
    port, rpc = free_port(), free_port()
    command = ("serve", python_worker.name, *overrides(port, rpc))
    with Server(tmp_path, None, command=command, ready="no .rr.yaml found here") as server:
        assert get(f"http://127.0.0.1:{port}/") == "hello from python"
        listed = rr("workers", "--json", "-o", f"rpc.listen=tcp://127.0.0.1:{rpc}", "-c", "empty.yaml", cwd=tmp_path)
        assert listed.code == 1  # the file named by -c must exist
        (tmp_path / "empty.yaml").touch()
        listed = rr("workers", "--json", "-o", f"rpc.listen=tcp://127.0.0.1:{rpc}", "-c", "empty.yaml", cwd=tmp_path)
        assert listed.code == 0, listed
        assert server.stop() == 0
    assert f"[INFO] serving my worker.py on http://127.0.0.1:{port} (rpc on tcp://127.0.0.1:{rpc})" in server.stdout


def test_a_worker_file_replaces_the_command_of_the_config(tmp_path: Path, python_worker: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    config = {"server": {"command": "php no-such.php"}, "http": {"pool": {"num_workers": 1}}}
    with Server(app, config, command=("serve", "../my worker.py")) as server:
        assert get(server.url) == "hello from python"
    assert server.exit_code == 0


def test_a_worker_that_fails_to_start_ends_the_server_with_its_output(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text("import sys; sys.exit('I can not work')", encoding="utf-8")
    port, rpc = free_port(), free_port()
    served = rr("serve", "worker.py", *overrides(port, rpc), cwd=tmp_path)
    assert served.code == 1
    assert "I can not work" in served.stderr
    assert "Traceback" not in served.stderr


def test_octane_starts_it_reads_its_lines_and_resets_it(tmp_path: Path) -> None:
    """With an empty .rr.yaml and the command line of Octane's `StartRoadRunnerCommand`."""
    php = require_php()
    (tmp_path / ".rr.yaml").touch()
    (tmp_path / "public").mkdir()
    port, rpc = free_port(), free_port()
    flags = (
        f"-c {tmp_path}/.rr.yaml -o version=3 -o http.address=127.0.0.1:{port}"
        f" -o server.command={php},{PHP_WORKER} -o http.pool.num_workers=1"
        f" -o http.pool.max_jobs=500 -o rpc.listen=tcp://127.0.0.1:{rpc} -o http.pool.supervisor.exec_ttl=30s"
        f" -o http.static.dir={tmp_path}/public -o http.middleware=static -o logs.mode=production"
        " -o logs.level=debug -o logs.output=stdout -o logs.encoding=json serve"
    )
    env = {"APP_ENV": "local", "APP_BASE_PATH": str(tmp_path), "LARAVEL_OCTANE": "1"}
    with Server(tmp_path, None, command=flags.split(" "), env=env) as server:
        assert get(f"http://127.0.0.1:{port}/some?where=1") == "Hello, world!\n"
        server.wait_for('"http log"')
        reset = rr("reset", "-o", f"rpc.listen=tcp://127.0.0.1:{rpc}", "-s", cwd=tmp_path)
        assert (reset.code, reset.stderr) == (0, "")
        assert get(f"http://127.0.0.1:{port}/") == "Hello, world!\n"
        assert server.stop() == 0
    assert server.stderr == ""
    lines = [line for line in server.stdout.splitlines() if not line.startswith(("[INFO] ", "stop signal received"))]
    entries = [json.loads(line) for line in lines]
    assert all(isinstance(entry[key], str) for entry in entries for key in ("level", "logger", "msg"))
    request = next(entry for entry in entries if entry["msg"] == "http log")
    assert (request["level"], request["logger"], request["status"], request["URI"]) == (
        "info",
        "http",
        200,
        "/some?where=1",
    )
    assert isinstance(request["elapsed"], int)
    assert isinstance(request["start"], int)
    assert request["remote_address"].startswith("127.0.0.1:")


def test_stderr_of_a_worker_is_a_line_of_the_channel_server(tmp_path: Path, python_worker: Path) -> None:
    shutil.move(python_worker, tmp_path / "worker.py")
    config = {
        "server": {"command": [sys.executable, "worker.py"]},
        "http": {"pool": {"num_workers": 1}},
        "logs": {"mode": "production"},
    }
    with Server(tmp_path, config) as server:
        server.wait_for("worker says hi")
    entries = [json.loads(line) for line in server.stderr.splitlines()]
    (said,) = [entry for entry in entries if entry["msg"].startswith("worker says hi")]
    assert (said["level"], said["logger"]) == ("info", "server")


def test_workers_do_not_survive_a_killed_server(tmp_path: Path, python_worker: Path) -> None:
    config = {
        "server": {"command": [sys.executable, str(python_worker)]},
        "http": {"pool": {"num_workers": 2}},
    }
    with Server(tmp_path, config) as server:
        workers = [child.pid for child in psutil.Process(server.pid).children()]
        assert len(workers) == 2
        server.send(signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        server.kill()
        for pid in workers:
            while lives(pid):  # the test's timeout is the limit
                os.sched_yield()
    assert READY in server.stdout
