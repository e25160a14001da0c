"""`rr reload` and SIGHUP on the real server: changes applied immediately, changes that need a restart, no failed
request."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml

from support.load import Load
from support.php import require_php
from support.server import Server, free_port, rr

WORKER = Path(__file__).parents[1] / "support" / "workers" / "http.php"
QUIET = {"level": "info", "mode": "production", "output": ["stderr"]}


def server(folder: Path, **sections: Any) -> Server:
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 1}},
        "logs": QUIET,
        **sections,
    }
    return Server(folder, config)


def change(server: Server, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit the config file of a running server."""
    edit(server.config)
    (server.folder / ".rr.yaml").write_text(yaml.safe_dump(server.config, sort_keys=False))


def test_the_size_of_the_pool_follows_the_config_and_no_request_fails(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        with Load(running.address) as load:
            for count in (4, 2):
                change(running, lambda config, count=count: config["http"]["pool"].update(num_workers=count))  # type: ignore[misc]
                done = rr("reload", cwd=tmp_path)
                assert (done.code, done.stderr) == (0, "")
                assert "http.pool.num_workers" in done.stdout
                assert done.stdout.endswith(f"-> {count}\n")
                running.wait_for_workers(count)
                load.wait_for_more(50)
        assert load.failures == []


def test_the_chain_and_limits_change_under_load(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        with Load(running.address) as load:
            change(
                running,
                lambda config: config["http"].update(
                    middleware=["gzip"], access_logs=True, max_request_size=1, pool={"num_workers": 1, "max_jobs": 5}
                ),
            )
            assert rr("reload", cwd=tmp_path).code == 0
            load.wait_for_more(50)
        assert load.failures == []
        running.wait_for("http access log")
        with pytest.raises(HTTPError) as refused:
            urlopen(running.url, data=b"x" * (2 << 20), timeout=20)
        refused.value.close()
        assert refused.value.code == 413
        shown = json.loads(rr("reload", "--check", "--json", cwd=tmp_path).stdout)
        assert shown == {"applied": [], "restart": [], "warnings": []}


def test_a_config_error_changes_nothing_and_is_reported(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        change(running, lambda config: config["http"]["pool"].update(num_workers="many", max_jobs=3))
        done = rr("reload", cwd=tmp_path)
        assert done.code == 1
        assert done.stderr.startswith("the config was not reloaded:\n")
        assert ".rr.yaml:" in done.stderr
        assert "http.pool.num_workers" in done.stderr
        running.send(signal.SIGHUP)
        running.wait_for("the config was not reloaded", times=2)
        assert urlopen(running.url, timeout=20).status == 200
        change(running, lambda config: config["http"]["pool"].update(num_workers=1))
        planned = rr("reload", "--check", cwd=tmp_path)
        assert planned.stdout == "would be reloaded:\n  http.pool.max_jobs  0 -> 3\n"


def test_changes_that_need_a_restart_are_named_and_others_are_applied(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        was = running.config["http"]["address"]
        port = free_port()
        change(
            running,
            lambda config: config["http"].update(address=f"127.0.0.1:{port}", pool={"num_workers": 2, "debug": True}),
        )
        done = rr("reload", cwd=tmp_path)
        assert done.code == 3
        applied, _, waiting = done.stdout.partition("needs a restart")
        assert "http.pool.num_workers  1 -> 2" in applied
        assert f'http.address     "{was}" -> "127.0.0.1:{port}"' in waiting
        assert "http.pool.debug  false -> true" in waiting
        running.wait_for_workers(2)
        assert urlopen(f"http://{was}", timeout=20).status == 200
        again = rr("reload", "--check", cwd=tmp_path)
        assert again.code == 3
        assert "would be reloaded" not in again.stdout


def test_sighup_reloads_and_is_logged(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        logs = {**QUIET, "output": ["stderr", "out.log"]}
        change(running, lambda config: config.update(endure={"grace_period": "7s"}, logs=logs))
        running.send(signal.SIGHUP)
        running.wait_for("the config was reloaded")
        running.stop()
    lines = [json.loads(line) for line in (tmp_path / "out.log").read_text().splitlines()]
    told = next(line for line in lines if line["msg"] == "the config was reloaded")
    assert {one["key"] for one in told["changes"]} == {"endure.grace_period", "logs.output"}
    assert "grace timeout is: 7 seconds" in running.stdout


def test_a_log_file_that_can_not_be_opened_refuses_the_reload(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        change(
            running,
            lambda config: config.update(logs={**QUIET, "output": ["/dev/null/no.log"]}, endure={"grace_period": "7s"}),
        )
        done = rr("reload", cwd=tmp_path)
        assert done.code == 1
        assert "logs: open /dev/null/no.log" in done.stderr
        assert "nothing was reloaded" in done.stderr
        running.stop()
        assert "grace timeout is: 30 seconds" in running.stdout
        assert "the config was not reloaded" in running.stderr


def test_a_stopped_server_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").write_text(f'version: "3"\nrpc: {{listen: "tcp://127.0.0.1:{free_port()}"}}\n')
    done = rr("reload", cwd=tmp_path)
    assert done.code == 1
    assert "connection refused" in done.stderr


def test_an_added_or_removed_service_or_storage_is_one_line(tmp_path: Path) -> None:
    sleep = {"command": ["sleep", "1000"]}
    with server(tmp_path, service={"old": sleep, "both": sleep}, kv={"near": {"driver": "memory"}}) as running:
        change(running, lambda config: config.update(service={"fresh": sleep, "both": {**sleep, "process_num": 2}}))
        change(running, lambda config: config["kv"].update(file={"driver": "boltdb"}))
        done = rr("reload", "--check", cwd=tmp_path)
    assert (done.code, done.stderr) == (3, "")
    assert sorted(done.stdout.splitlines()[1:]) == [
        "  kv.file                   new",
        "  service.both.process_num  1 -> 2",
        "  service.fresh             new",
        "  service.old               removed",
    ]
