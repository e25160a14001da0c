"""A worker that pushes jobs although its server has no section ``rpc``: the error says so."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.php import require_php
from support.server import RR, free_port

LIBRARY = Path(__file__).parents[2] / "php" / "autoload.php"
PHP = f"require '{LIBRARY}'; (new PyRoadRunner\\Rpc\\Rpc('tcp://127.0.0.1:PORT'))->call('jobs.List');"
PYTHON = "from pyroadrunner.sdk.rpc import RpcClient; RpcClient('tcp://127.0.0.1:PORT').call('jobs.List')"


def stderr_of(language: str, **variables: str) -> str:
    code = (PHP if language == "php" else PYTHON).replace("PORT", str(free_port()))
    command = [require_php(), "-r", code] if language == "php" else [sys.executable, "-c", code]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RR_")}
    done = subprocess.run(command, env=inherited | variables, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize("language", ["php", "python"])
def test_in_a_worker_without_rpc(language: str) -> None:
    assert "RR_RPC is not set: the server's config has no section `rpc`" in stderr_of(language, RR_MODE="jobs")


@pytest.mark.parametrize("language", ["php", "python"])
def test_elsewhere(language: str) -> None:
    assert "is the server running (rr serve), with this `rpc.listen`?" in stderr_of(language)


def test_a_server_that_hangs_is_not_waited_for_without_end(tmp_path: Path) -> None:
    """Also by the commands whose own call has no time limit."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        address = f"rpc.listen=tcp://127.0.0.1:{hanging.getsockname()[1]}"
        commands = [["reload"], ["reset"], ["schedule", "run", "entry"]]
        running = [
            subprocess.Popen([RR, *command, "-o", address], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
            for command in commands
        ]
        for command, process in zip(commands, running, strict=True):
            _, said = process.communicate(timeout=120)
            assert process.returncode == 1, command
            assert "did not answer within 10 s" in said
