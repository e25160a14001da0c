"""`rr doctor` on real machines: this one."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import yaml

from support.php import require_php
from support.server import Server, completed, rr

WORKER = Path(__file__).parents[1] / "support" / "workers" / "http.php"


def look(folder: Path, config: dict[str, Any] | None = None) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit code, and the findings by what was looked at."""
    if config is not None:
        (folder / ".rr.yaml").write_text(yaml.safe_dump(completed(config)))
    done = rr("doctor", "--json", cwd=folder)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["ok"] is (done.code == 0)
    return done.code, {one["what"]: one for one in told["findings"]}


def config(*command: str, **sections: Any) -> dict[str, Any]:
    return {
        "server": {"command": list(command) or [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 1, "allocate_timeout": "5s"}},
        **sections,
    }


def test_a_machine_that_is_ready(tmp_path: Path) -> None:
    code, found = look(tmp_path, config())
    assert code == 0
    assert found["version"]["found"].startswith("8.")
    assert "is free" in found["http.address"]["found"]
    assert "came up in" in found[f"http: {require_php()} {WORKER}"]["found"]
    assert " looked at: no failures, " in rr("doctor", cwd=tmp_path).stdout


def test_workers_over_a_socket_are_started_elsewhere(tmp_path: Path) -> None:
    with Server(tmp_path, config(server={"command": [require_php(), str(WORKER)], "relay": f"unix://{tmp_path}/r"})):
        code, found = look(tmp_path)
    assert code == 0
    assert "held by a running server" in found["http.address"]["found"]
    assert "held by a running server" in found["server.relay"]["found"]


def test_a_port_that_somebody_else_has(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, found = look(tmp_path, config(http={"address": f"127.0.0.1:{port}"}))
    assert code == 1
    assert found["http.address"]["verdict"] == "fail"
    assert f"process {os.getpid()} (" in found["http.address"]["found"]


def test_workers_that_do_not_come_up(tmp_path: Path) -> None:
    code, found = look(tmp_path, config(sys.executable, "-c", "import sys; sys.exit('no database')"))
    assert code == 1
    [worker] = [one for what, one in found.items() if what.startswith("http: ")]
    assert worker["verdict"] == "fail"
    assert "no database" in worker["found"]


def test_a_php_that_is_not_there(tmp_path: Path) -> None:
    code, found = look(tmp_path, config("php-of-tomorrow", "worker.php"))
    assert code == 1
    assert found["php-of-tomorrow"]["found"] == "not found"


def test_brokers(tmp_path: Path) -> None:
    with socket.socket() as redis:
        redis.bind(("127.0.0.1", 0))
        redis.listen()
        there = f"127.0.0.1:{redis.getsockname()[1]}"
        stores = {
            "fast": {"driver": "redis", "config": {"addrs": [there]}},
            "gone": {"driver": "memcached", "config": {"addr": ["127.0.0.1:1"]}},
        }
        code, found = look(tmp_path, config(kv=stores, lock={"driver": "redis", "config": {"addrs": there}}))
    assert code == 1
    assert found["lock.config.addrs"]["found"] == f"{there} answers"
    assert found["lock.driver"]["found"] == "the modules redis, hiredis are installed"
    assert found["kv.fast.config.addrs"]["found"] == f"{there} answers"
    assert found["kv.gone.config.addr"]["found"] == "127.0.0.1:1: connection refused"


def test_faults_of_the_config_do_not_hide_the_rest(tmp_path: Path) -> None:
    broken = config(http={"pool": {"num_workers": "many"}}, logs={"output": ["/proc/none/rr.log"]})
    code, found = look(tmp_path, broken)
    assert code == 1
    assert ".rr.yaml:" in found["http.pool.num_workers"]["found"]
    assert found["rpc.listen"]["verdict"] == "ok"


def test_no_config_at_all(tmp_path: Path) -> None:
    code, found = look(tmp_path)
    assert code == 1
    assert "no such file" in found["config"]["found"]
    assert found["memory"]["verdict"] in ("ok", "warn")


def test_middleware_and_packages_that_are_not_there(tmp_path: Path) -> None:
    """Where tests run the codings are installed, so one is hidden."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['brotli'] = None\n")
    (tmp_path / ".rr.yaml").write_text(
        yaml.safe_dump(completed(config(http={"middleware": ["gzip", "mine:Layer"], "pool": {"num_workers": 1}})))
    )
    done = rr("doctor", "--json", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    found = {one["what"]: one for one in json.loads(done.stdout)["findings"]}
    assert done.code == 1
    assert "mine:Layer can't be imported: No module named 'mine'" in found["http.middleware[1]"]["found"]
    assert found["http.gzip.encodings: zstd"]["verdict"] == "ok"
    assert found["http.gzip.encodings: br"]["verdict"] == "warn"
    assert found["http.gzip.encodings: br"]["todo"] == "pip install 'pyroadrunner[compress]'"
