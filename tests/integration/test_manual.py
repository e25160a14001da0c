"""The statements of the manual about RPC and PHP, tested on a running server."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyroadrunner.net.address import parse_address
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed
from support.php import require_php
from support.server import Server, environment

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "rpc.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with every section described on the page."""
    config = {
        "server": {"command": [require_php(), str(ROOT / "php" / "examples" / "hello.php")]},
        "http": {"pool": {"num_workers": 1}},
        "kv": {"memory": {"driver": "memory", "config": {}}},
    }
    with Server(tmp_path_factory.mktemp("manual"), config) as running:
        yield running


def methods() -> list[str]:
    """Every ``service.Method`` in a table of the page."""
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    return sorted({name for row in rows for name in re.findall(r"`(\w+\.[A-Z]\w+)`", row)})


def said(server: Server, method: str) -> str:
    """The error of the server for a call; most arguments are invalid."""
    with RpcClient(parse_address(server.rpc)) as client:
        try:
            client.call(method, "http")
        except CallFailed as error:
            return str(error)
    return ""


@pytest.mark.parametrize("method", methods())
def test_each_method_of_the_page_exists(server: Server, method: str) -> None:
    assert "can't find" not in said(server, method)


def test_an_unknown_method_is_recognized(server: Server) -> None:
    assert "can't find" in said(server, "informer.Nope")


def test_the_php_of_the_page_runs(server: Server) -> None:
    [code] = re.findall(r"^```php\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    script = f"require '{ROOT}/php/autoload.php'; {code} echo json_encode($workers);"
    env = environment({"RR_RPC": server.rpc})
    done = subprocess.run([require_php(), "-r", script], capture_output=True, env=env, check=True)
    [worker] = json.loads(done.stdout)
    assert worker["statusStr"] == "ready"
