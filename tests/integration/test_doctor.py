"""`rr doctor` on this machine."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import yaml

from support.php import require_php
from support.server import Server, completed, free_port, rr
from support.tls import Authority

WORKER = Path(__file__).parents[1] / "support" / "workers" / "http.php"


def inspect(folder: Path, config: dict[str, Any] | None = None) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit code, and the findings by name of the check."""
    if config is not None:
        (folder / ".rr.yaml").write_text(yaml.safe_dump(completed(config)))
    done = rr("doctor", "--json", cwd=folder)
    assert done.stderr == ""
    reported = json.loads(done.stdout)
    assert reported["ok"] is (done.code == 0)
    return done.code, {one["what"]: one for one in reported["findings"]}


def config(*command: str, **sections: Any) -> dict[str, Any]:
    return {
        "server": {"command": list(command) or [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 1, "allocate_timeout": "5s"}},
        **sections,
    }


def test_a_complete_setup(tmp_path: Path) -> None:
    code, found = inspect(tmp_path, config())
    assert code == 0
    assert found["version"]["found"].startswith("8.")
    assert "is free" in found["http.address"]["found"]
    assert "started in" in found[f"http: {require_php()} {WORKER}"]["found"]
    assert " checks: no failures, " in rr("doctor", cwd=tmp_path).stdout


def test_workers_over_a_socket_are_started_elsewhere(tmp_path: Path) -> None:
    with Server(tmp_path, config(server={"command": [require_php(), str(WORKER)], "relay": f"unix://{tmp_path}/r"})):
        code, found = inspect(tmp_path)
    assert code == 0
    assert "held by the running server" in found["http.address"]["found"]
    assert "held by the running server" in found["server.relay"]["found"]


def test_a_port_held_by_another_process(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, found = inspect(tmp_path, config(http={"address": f"127.0.0.1:{port}"}))
    assert code == 1
    assert found["http.address"]["verdict"] == "fail"
    assert f"process {os.getpid()} (" in found["http.address"]["found"]


def test_a_port_held_by_a_server_of_another_folder(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    relay = {"command": [require_php(), str(WORKER)], "relay": f"unix://{tmp_path}/relay.sock"}
    with Server(theirs, config(server=relay)) as other:
        code, found = inspect(ours, config(server=relay, http={"address": other.config["http"]["address"]}))
    assert code == 1
    for key in ("http.address", "server.relay"):
        assert found[key]["verdict"] == "fail"
        assert f"is held by process {other_pid(found[key]['found'])} (" in found[key]["found"]
        assert f"rr serve in {theirs})" in found[key]["found"]
        assert found[key]["found"].startswith(".rr.yaml:")


def other_pid(text: str) -> str:
    return text.split("process ")[1].split(" ")[0]


def test_a_unix_socket_held_by_another_program(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "http.sock"))
        other.listen()
        code, found = inspect(tmp_path, config(http={"address": f"unix://{tmp_path}/http.sock"}))
    assert code == 1
    assert f"is held by process {os.getpid()} (" in found["http.address"]["found"]
    # No process listens any longer: the server replaces the file.
    assert inspect(tmp_path, config(http={"address": f"unix://{tmp_path}/http.sock"}))[0] == 0
    (tmp_path / "http.sock").unlink()
    (tmp_path / "http.sock").write_text("data")
    code, found = inspect(tmp_path, config(http={"address": f"unix://{tmp_path}/http.sock"}))
    assert (code, "exists and is not a socket" in found["http.address"]["found"]) == (1, True)


def test_two_sections_on_one_address(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / ".rr.yaml").write_text(
        f'version: "3"\nrpc:\n  listen: tcp://127.0.0.1:{free_port()}\nstatus:\n  address: 127.0.0.1:{port}\n'
        f"metrics:\n  address: :{port}\n"
    )
    code, found = inspect(tmp_path)
    assert code == 1
    places = [found["metrics.address"]["found"], found["status.address"]["found"]]
    assert places == [
        f".rr.yaml:7: :{port} is also the address of status.address (.rr.yaml:5)",
        f"127.0.0.1:{port} is free",
    ] or places == [
        f":{port} is free",
        f".rr.yaml:5: 127.0.0.1:{port} is also the address of metrics.address (.rr.yaml:7)",
    ]


def test_a_missing_static_folder(tmp_path: Path) -> None:
    http = {"middleware": ["static"], "static": {"dir": "public"}, "pool": {"num_workers": 1}}
    code, found = inspect(tmp_path, config(http=http))
    assert code == 1
    assert found["http.static.dir"]["verdict"] == "fail"
    assert found["http.static.dir"]["found"].startswith(".rr.yaml:")
    assert f"public is not a folder (looked in {tmp_path})" in found["http.static.dir"]["found"]
    checked = rr("config", "check", cwd=tmp_path)
    assert (checked.code, "http.static.dir: public is not a folder" in checked.stdout) == (1, True)
    (tmp_path / "public").mkdir()
    assert inspect(tmp_path, config(http=http))[0] == 0


def test_unusable_tls_files(tmp_path: Path) -> None:
    good = Authority(tmp_path).server()
    ssl = {"address": f"127.0.0.1:{free_port()}", "cert": str(good.cert), "key": "gone.key"}
    code, found = inspect(tmp_path, config(http={"ssl": ssl, "pool": {"num_workers": 1}}))
    assert code == 1
    assert found["http.ssl.key"]["verdict"] == "fail"
    assert f"http.ssl.key: key file 'gone.key' does not exists (looked in {tmp_path})" in found["http.ssl.key"]["found"]
    assert found["http.ssl.key"]["found"].startswith(".rr.yaml:")
    # `rr config check` and `rr serve` say the same.
    words = f"key file 'gone.key' does not exists (looked in {tmp_path})"
    checked, served = rr("config", "check", cwd=tmp_path), rr("serve", cwd=tmp_path)
    assert (checked.code, served.code) == (1, 1)
    assert words in checked.stdout
    assert words in served.stderr


def test_a_certificate_that_has_expired_is_a_warning(tmp_path: Path) -> None:
    expired = Authority(tmp_path).server(expired=True)
    ssl = {"address": f"127.0.0.1:{free_port()}", "cert": str(expired.cert), "key": str(expired.key)}
    code, found = inspect(tmp_path, config(http={"ssl": ssl, "pool": {"num_workers": 1}}))
    assert code == 0
    words = f"the certificate in '{expired.cert}' expired on 2001-01-01 00:00 UTC"
    assert found["http.ssl.cert"]["verdict"] == "warn"
    assert words in found["http.ssl.cert"]["found"]
    checked = rr("config", "check", cwd=tmp_path)
    assert (checked.code, words in checked.stdout) == (0, True)
    with Server(tmp_path, config(http={"ssl": ssl, "pool": {"num_workers": 1}})) as server:
        server.wait_for(words)


def test_redis_with_unusable_tls_files(tmp_path: Path) -> None:
    redis = {"addrs": "127.0.0.1:1", "tls": {"root_ca": "/no/ca.pem"}}
    kv = {"fast": {"driver": "redis", "config": redis}, "redis": {"driver": "redis"}}
    lock = {"driver": "redis", "config": redis}
    _, found = inspect(tmp_path, config(kv=kv, lock=lock, redis=redis))
    for key in ("kv.fast.config", "lock.config", "redis"):
        assert "root_ca file '/no/ca.pem' does not exists" in found[f"{key}.tls.root_ca"]["found"]


def test_workers_that_fail_to_start(tmp_path: Path) -> None:
    code, found = inspect(tmp_path, config(sys.executable, "-c", "import sys; sys.exit('no database')"))
    assert code == 1
    [worker] = [one for what, one in found.items() if what.startswith("http: ")]
    assert worker["verdict"] == "fail"
    assert "no database" in worker["found"]


def test_a_missing_php(tmp_path: Path) -> None:
    code, found = inspect(tmp_path, config("php-of-tomorrow", "worker.php"))
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
        code, found = inspect(tmp_path, config(kv=stores, lock={"driver": "redis", "config": {"addrs": there}}))
    assert code == 1
    assert found["lock.config.addrs"]["found"] == f"{there} answers"
    assert found["lock.driver"]["found"] == "the modules redis, hiredis are installed"
    assert found["kv.fast.config.addrs"]["found"] == f"{there} answers"
    assert found["kv.gone.config.addr"]["found"].endswith(": 127.0.0.1:1: connection refused")


def test_brokers_of_jobs(tmp_path: Path) -> None:
    with socket.socket() as there, socket.socket(socket.AF_UNIX) as tubes:
        there.bind(("127.0.0.1", 0))
        there.listen()
        tubes.bind(str(tmp_path / "b"))
        tubes.listen()
        port = there.getsockname()[1]
        sections: dict[str, Any] = {
            "beanstalk": {"addr": f"unix://{tmp_path}/b"},
            "nats": {"addr": f"nats://127.0.0.1:{port}"},
            "kafka": {"brokers": [f"127.0.0.1:{port}"]},
            "sqs": {"key": "k", "secret": "s", "region": "r", "endpoint": "http://127.0.0.1:1"},
            "sql": {"dsn": "postgresql://app:secret@127.0.0.1:1/jobs"},
        }
        pipelines = {name: {"driver": name} for name in ("beanstalk", "nats", "sqs", "sql")}
        pipelines["kafka"] = {"driver": "kafka", "config": {"topic": "t"}}
        code, found = inspect(tmp_path, config(jobs={"pipelines": pipelines}, **sections))
    assert code == 1
    assert found["beanstalk.addr"]["found"] == f"unix:{tmp_path}/b answers"
    for key in ("nats.addr", "kafka.brokers"):
        assert found[key]["found"] == f"127.0.0.1:{port} answers"
    for key in ("sqs.endpoint", "sql.dsn"):
        assert found[key]["found"].endswith(": 127.0.0.1:1: connection refused")
    for name in ("nats", "sqs", "sql", "kafka"):
        assert found[f"jobs.pipelines.{name}.driver"]["verdict"] == "ok"


def test_config_errors_do_not_hide_other_checks(tmp_path: Path) -> None:
    broken = config(http={"pool": {"num_workers": "many"}}, logs={"output": ["/proc/none/rr.log"]})
    code, found = inspect(tmp_path, broken)
    assert code == 1
    assert ".rr.yaml:" in found["http.pool.num_workers"]["found"]
    assert found["rpc.listen"]["verdict"] == "ok"


def test_no_config_at_all(tmp_path: Path) -> None:
    code, found = inspect(tmp_path)
    assert code == 1
    assert "no such file" in found["config"]["found"]
    assert found["memory"]["verdict"] in ("ok", "warn")


def test_missing_middleware_and_packages(tmp_path: Path) -> None:
    """The codings are installed for tests, so one is hidden."""
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
