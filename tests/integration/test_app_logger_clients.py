"""The clients of `app`: Python, blocking and with asyncio, and PHP."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.sdk.log import AppLogger, AsyncAppLogger
from pyroadrunner.sdk.rpc import AsyncRpcClient, RpcClient, Unreachable
from support.php import require_php
from support.server import Server, free_port

AUTOLOAD = Path(__file__).parents[2] / "php" / "autoload.php"
CONFIG = {"logs": {"mode": "production", "output": "app.log"}}


def written(folder: Path) -> list[dict[str, Any]]:
    """Lines of the application, without the parts that vary."""
    lines = [json.loads(line) for line in (folder / "app.log").read_text("utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k not in ("ts", "logger")} for line in lines if line["logger"] == "app"]


def test_python_logs(tmp_path: Path) -> None:
    with Server(tmp_path, CONFIG) as server, AppLogger(RpcClient(server.rpc)) as log:
        log.error("plain ä")
        log.error("e", self="s", message=None)
        log.warning("w", n=1.5)
        log.info("i", user=42)
        log.debug("d", on=True)
        log.log("raw|")
        log.log("raw")
        server.wait_for("raw|raw")
    assert written(tmp_path) == [
        {"level": "error", "msg": "plain ä"},
        {"level": "error", "msg": "e", "self": "s", "message": "None"},
        {"level": "warn", "msg": "w", "n": "1.5"},
        {"level": "info", "msg": "i", "user": "42"},
        {"level": "debug", "msg": "d", "on": "True"},
    ]


def test_python_logs_with_asyncio(tmp_path: Path) -> None:
    async def scene(address: str) -> None:
        async with AsyncAppLogger(AsyncRpcClient(address)) as log:
            await log.error("e")
            await log.warning("w", n=1)
            await log.info("i", self="s")
            await log.debug("d")
            await log.log("raw|async")

    with Server(tmp_path, CONFIG) as server:
        asyncio.run(scene(server.rpc))
        server.wait_for("raw|async")
    assert written(tmp_path) == [
        {"level": "error", "msg": "e"},
        {"level": "warn", "msg": "w", "n": "1"},
        {"level": "info", "msg": "i", "self": "s"},
        {"level": "debug", "msg": "d"},
    ]


def test_an_unsent_line_is_an_error() -> None:
    with AppLogger(RpcClient(f"tcp://127.0.0.1:{free_port()}")) as log, pytest.raises(Unreachable):
        log.info("lost", user=42)


def test_php_logs(tmp_path: Path) -> None:
    script = f"""
        require {json.dumps(str(AUTOLOAD))};
        $log = PyRoadRunner\\AppLogger::create();
        $log->error('plain ä');
        $log->error('e', ['text' => 'ö', 'none' => null, 7 => 'number']);
        $log->warning('w', ['n' => 1.5, 'why' => new class {{ public function __toString() {{ return 'so'; }} }}]);
        $log->info('i', ['list' => ['a/b', 'ä']]);
        $log->debug('d', ['on' => true]);
        $log->log('raw|php');
    """
    with Server(tmp_path, CONFIG) as server:
        done = subprocess.run(
            [require_php(), "-d", "display_errors=stderr", "-r", script],
            env={**os.environ, "RR_RPC": server.rpc},
            capture_output=True,
            timeout=30,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        server.wait_for("raw|php")
    assert written(tmp_path) == [
        {"level": "error", "msg": "plain ä"},
        {"level": "error", "msg": "e", "text": "ö", "none": "null", "7": "number"},
        {"level": "warn", "msg": "w", "n": "1.5", "why": "so"},
        {"level": "info", "msg": "i", "list": '["a/b","ä"]'},
        {"level": "debug", "msg": "d", "on": "true"},
    ]
