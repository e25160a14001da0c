"""What the pages on deployments, opcache and security say, tried: which code runs after a reset, what workers see."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from pyroadrunner.sdk.rpc import RpcClient
from support.php import require_php
from support.server import READY, Server, free_port, rr

LIBRARY = "require getenv('RR_PHP_LIBRARY') . '/autoload.php';\n"
SEES = (
    f"<?php {LIBRARY} PyRoadRunner\\Http\\Server::run("
    "static fn ($r) => json_encode([$r->remoteAddr, $r->uri, $r->headers]));"
)


def get(url: str, headers: dict[str, str] | None = None) -> str:
    with urlopen(Request(url, headers=headers or {}), timeout=20) as answer:
        return str(answer.read().decode())


# -- releases behind a symbolic link --------------------------------------------------------------------------------


def releases(folder: Path, command: str) -> tuple[Path, int]:
    """Two of them, and ``current``, which names the first; the port they listen on."""
    require_php()
    ports = free_port(), free_port()
    for name in ("first", "second"):
        (folder / name).mkdir()
        (folder / name / "worker.php").write_text(
            f"<?php {LIBRARY} PyRoadRunner\\Http\\Server::run(static fn () => '{name} in ' . basename(getcwd()));"
        )
        config = {
            "version": "3",
            "server": {"command": command.format(current=folder / "current")},
            "http": {"address": f"127.0.0.1:{ports[0]}", "pool": {"num_workers": 1}},
            "rpc": {"listen": f"tcp://127.0.0.1:{ports[1]}"},
            "endure": {"retirement": "300ms"},
        }
        (folder / name / ".rr.yaml").write_text(json.dumps(config))
    (folder / "current").symlink_to("first")
    return folder / "current", ports[0]


@pytest.mark.parametrize(
    ("command", "with_work_dir", "after_reset", "after_restart"),
    [
        ("php worker.php", True, "first in first", "second in second"),
        ("php worker.php", False, "first in first", "first in first"),
        ("php {current}/worker.php", True, "second in first", "second in second"),
        ("php {current}/worker.php", False, "second in first", "second in first"),
    ],
)
def test_what_runs_after_the_link_to_the_release_has_changed(
    tmp_path: Path, command: str, with_work_dir: bool, after_reset: str, after_restart: str
) -> None:
    current, port = releases(tmp_path, command)
    arguments = ("serve", "-w", str(current)) if with_work_dir else ("serve",)
    with Server(tmp_path if with_work_dir else current, None, command=arguments) as server:
        assert get(f"http://127.0.0.1:{port}") == "first in first"
        current.unlink()
        current.symlink_to("second")
        assert rr("reset", cwd=current).code == 0
        assert get(f"http://127.0.0.1:{port}") == after_reset
        server.send(signal.SIGUSR2)
        server.wait_for(READY, times=2)
        assert get(f"http://127.0.0.1:{port}") == after_restart


# -- opcache ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "after_reset"),
    [
        ("", "new"),
        ("-d opcache.validate_timestamps=0", "new"),
        ("-d opcache.file_cache={folder}/cache", "new"),
        ("-d opcache.file_cache={folder}/cache -d opcache.validate_timestamps=0", "old"),
    ],
)
def test_which_code_a_reset_loads_with_opcache(tmp_path: Path, settings: str, after_reset: str) -> None:
    code, written = tmp_path / "text.php", time.time() - 3600
    (tmp_path / "cache").mkdir()
    (tmp_path / "worker.php").write_text(
        f"<?php {LIBRARY} require 'text.php'; PyRoadRunner\\Http\\Server::run(static fn () => text());"
    )
    code.write_text("<?php function text() { return 'old'; }")
    os.utime(code, (written, written))  # opcache leaves out files that have just been written
    command = f"{require_php()} -d opcache.enable_cli=1 {settings.format(folder=tmp_path)} worker.php"
    with Server(tmp_path, {"server": {"command": command}, "http": {"pool": {"num_workers": 1}}}) as server:
        assert get(server.url) == "old"
        code.write_text("<?php function text() { return 'new'; }")
        os.utime(code, (written + 60, written + 60))
        assert rr("reset", cwd=tmp_path).code == 0
        assert get(server.url) == after_reset


# -- security ---------------------------------------------------------------------------------------------------------


def sees(folder: Path, **sections: Any) -> dict[str, Any]:
    (folder / "worker.php").write_text(SEES)
    return {
        "server": {"command": [require_php(), "worker.php"]},
        "logs": {"mode": "production", "level": "info"},
        **sections,
        "http": {"pool": {"num_workers": 1}, **sections.get("http", {})},
    }


def test_headers_of_clients_reach_workers_as_they_are_and_count_for_nothing(tmp_path: Path) -> None:
    forged = {"X-Forwarded-For": "1.1.1.1", "X-Forwarded-Proto": "https", "X_Real_IP": "2.2.2.2", "Host": "other.test"}
    with Server(tmp_path, sees(tmp_path)) as server:
        address, uri, headers = json.loads(get(f"{server.url}/?token=abc", forged))
        server.wait_for('"URI":"/?token=abc"')  # the request log has queries
    assert (address, uri) == ("127.0.0.1", "http://other.test/?token=abc")
    assert headers["X-Forwarded-For"] == ["1.1.1.1"]
    assert headers["X-Forwarded-Proto"] == ["https"]
    assert headers["X_real_ip"] == ["2.2.2.2"]


def test_a_trusted_proxy_is_believed_by_the_header_that_is_named(tmp_path: Path) -> None:
    http = {"middleware": ["proxy_ip_parser"], "trusted_subnets": ["127.0.0.1"], "trusted_headers": ["X-Real-IP"]}
    with Server(tmp_path, sees(tmp_path, http=http)) as server:
        assert json.loads(get(server.url, {"X-Forwarded-For": "1.1.1.1", "X_Real_IP": "2.2.2.2"}))[0] == "127.0.0.1"
        assert json.loads(get(server.url, {"X-Forwarded-For": "1.1.1.1", "X-Real-IP": "3.3.3.3"}))[0] == "3.3.3.3"


@pytest.mark.parametrize("present", [True, False])
def test_a_client_of_rpc_runs_commands_only_with_a_section_service(tmp_path: Path, present: bool) -> None:
    config = sees(tmp_path, **({"service": {}} if present else {}))
    service = {"name": "x", "command": "id -u", "process_num": 1}
    with Server(tmp_path, config) as server, RpcClient(server.rpc) as client:
        if present:
            client.call("service.Create", service)
            server.wait_for(f'"msg":"{os.getuid()}"')
        else:
            with pytest.raises(Exception, match="can't find service"):
                client.call("service.Create", service)


def test_files_of_the_server_have_the_modes_of_the_table(tmp_path: Path) -> None:
    sockets = {name: f"unix://{tmp_path}/{name}.sock" for name in ("http", "rpc", "metrics", "status")}
    config = {
        **sees(tmp_path, http={"address": sockets["http"]}),
        "rpc": {"listen": sockets["rpc"]},
        "metrics": {"address": sockets["metrics"]},
        "status": {"address": sockets["status"]},
        "kv": {
            "open": {"driver": "boltdb", "config": {"file": "open.db"}},
            "closed": {"driver": "boltdb", "config": {"file": "closed.db", "permissions": 0o600}},
        },
        "logs": {"output": ["rr.log"]},
    }
    mask = os.umask(0)
    try:
        with Server(tmp_path, config, command=("serve", "-p")):
            modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(mask)
    expected = {"http.sock": 0o660, "rpc.sock": 0o600, "metrics.sock": 0o600, "status.sock": 0o600}
    expected |= {"rr.log": 0o644, ".pid": 0o644, "open.db": 0o755, "closed.db": 0o600}
    assert {name: modes[name] for name in expected} == expected
