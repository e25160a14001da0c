"""Servers find each other in real registries."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from support.brokers import Brokers
from support.consul import ConsulApi, shared_consul
from support.discovery import TTL, cluster, discovering, notice, page, until, wait_for_names
from support.etcd import EtcdApi, shared_etcd
from support.php import require_php
from support.ports import kept_port
from support.programs import Program, require, running_program
from support.server import Server, rr
from support.tls import Authority

ROOT = Path(__file__).parents[2]
SECRET = "0123456789abcdef0123456789abcdef"
Registry = Mapping[str, Any]


@pytest.fixture(params=["etcd", "consul"])
def registry(request: pytest.FixtureRequest, brokers: Brokers) -> Registry:
    """A registry that all tests share; each has its own name of a cluster."""
    if request.param == "etcd":
        return {"driver": "etcd", "addresses": [f"http://127.0.0.1:{brokers.use('etcd', shared_etcd)['port']}"]}
    return {"driver": "consul", "address": f"http://127.0.0.1:{brokers.use('consul', shared_consul)['port']}"}


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"c{abs(hash(request.node.nodeid)):x}"


def start(stack: ExitStack, server: Server) -> Server:
    return stack.enter_context(server)


def test_two_servers_know_each_other_until_one_is_killed(tmp_path: Path, registry: Registry, name: str) -> None:
    with ExitStack() as stack:
        one = start(stack, discovering(tmp_path / "1", registry, "one", name=name, tags=["eu"], metadata={"zone": "a"}))
        two = start(stack, discovering(tmp_path / "2", registry, "two", name=name))
        for server in (one, two):
            wait_for_names(server, "one", "two")
        found = cluster(two)["servers"][0]
        assert found["endpoints"] == [
            {"kind": "metrics", "host": "127.0.0.1", "port": int(one.config["metrics"]["address"].rpartition(":")[2])}
        ]
        assert (found["health"], found["tags"], found["metadata"]) == ("passing", ["eu"], {"zone": "a"})
        assert found["version"]
        assert notice(one) == ""
        status, body = page(two, "/sd", "metrics")
        assert status == 200
        assert [group["labels"]["rr_server"] for group in json.loads(body)] == ["one", "two"]
        listed = rr("cluster", cwd=two.folder)
        assert (listed.code, "one" in listed.stdout, "passing" in listed.stdout) == (0, True, True)

        killed = time.monotonic()
        one.kill()
        wait_for_names(two, "two")
        assert time.monotonic() - killed < TTL + 20  # a busy machine; the registry itself is asked below
        assert '"one"' not in page(two, "/sd", "metrics")[1]


def test_a_server_that_stops_is_gone_at_once(tmp_path: Path, registry: Registry, name: str) -> None:
    with discovering(tmp_path / "1", registry, "one", name=name, ttl="1h", refresh="200ms") as one:
        with discovering(tmp_path / "2", registry, "two", name=name, ttl="1h") as two:
            wait_for_names(one, "one", "two")
            assert two.stop() == 0
        wait_for_names(one, "one")


def test_a_second_server_with_the_same_id_is_refused_in_words(tmp_path: Path, registry: Registry, name: str) -> None:
    with ExitStack() as stack:
        one = start(stack, discovering(tmp_path / "1", registry, "web", name=name))
        wait_for_names(one, "web")
        two = start(stack, discovering(tmp_path / "2", registry, "web", name=name))
        text = until(lambda: notice(two), lambda text: text.startswith("id taken"))
        address = one.config["metrics"]["address"]
        assert f"the id 'web' belongs to another live server ({address}" in text
        assert "give each server its own discovery.id" in text
        assert cluster(two)["servers"][0]["endpoints"][0]["port"] == int(address.rpartition(":")[2])
        assert two.stderr.count("its id is taken") == 1
        one.kill()  # its entry ends, and the id is free
        until(lambda: notice(two), lambda text: text == "")
        wait_for_names(two, "web")


def test_a_server_that_was_killed_gets_its_id_back(tmp_path: Path, registry: Registry, name: str) -> None:
    first = discovering(tmp_path, registry, "web", name=name)
    with first:
        wait_for_names(first, "web")
        first.kill()
    with Server(tmp_path, first.config) as again:
        until(lambda: cluster(again)["state"], lambda state: state == "registered")


def test_all_servers_are_reset_and_reloaded(tmp_path: Path, registry: Registry, name: str) -> None:
    command = [sys.executable, str(ROOT / "examples/python/worker.py")]
    workers = {"server": {"command": command}, "http": {"pool": {"num_workers": 1}}}
    with ExitStack() as stack:
        servers = [
            start(stack, discovering(tmp_path / one, registry, one, sections=workers, name=name, secret=SECRET))
            for one in ("a", "b")
        ]
        for server in servers:
            wait_for_names(server, "a", "b")
        before = [server.workers() for server in servers]
        done = rr("cluster", "reset", "http", cwd=servers[0].folder)
        assert (done.code, done.stderr) == (0, "")
        assert done.stdout == "a  done  reset: http\nb  done  reset: http\n"
        assert all(server.workers().isdisjoint(old) for server, old in zip(servers, before, strict=True))
        wrong = rr("cluster", "reset", "nothing", cwd=servers[0].folder)
        assert wrong.code == 1
        assert "no such plugin: nothing" in wrong.stdout
        assert "reset failed on 2 of 2 servers: a, b" in wrong.stderr
        reloaded = rr("cluster", "reload", "--json", cwd=servers[1].folder)
        assert [(one["server"], one["ok"], one["message"]) for one in json.loads(reloaded.stdout)] == [
            ("a", True, "nothing has changed"),
            ("b", True, "nothing has changed"),
        ]


@pytest.mark.parametrize("registry", ["consul"], indirect=True)  # etcd: test_discovery_page.py
def test_prometheus_finds_all_servers(tmp_path: Path, registry: Registry, name: str) -> None:
    with ExitStack() as stack:
        one, two = (start(stack, discovering(tmp_path / one, registry, one, name=name)) for one in ("a", "b"))
        wait_for_names(one, "a", "b")
        url = f"http://{one.config['metrics']['address']}/sd"
        port = prometheus(stack, tmp_path / "prometheus", url)

        def up() -> dict[str, str]:
            with urlopen(f"http://127.0.0.1:{port}/api/v1/targets", timeout=30) as response:
                active = json.load(response)["data"]["activeTargets"]
            return {target["labels"]["rr_server"]: target["health"] for target in active}

        until(up, lambda found: found == {"a": "up", "b": "up"})
        two.kill()
        until(up, lambda found: found == {"a": "up"})


def prometheus(stack: ExitStack, folder: Path, url: str) -> int:
    """A Prometheus that finds its targets at ``url``; returns its port."""
    folder.mkdir()
    port = kept_port()
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "rr", "http_sd_configs": [{"url": url, "refresh_interval": "1s"}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    command = [
        require("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    program = stack.enter_context(running_program(command, folder / "log"))
    wait_for_answer(port, program)
    return port


def wait_for_answer(port: int, program: Program) -> None:
    def answers() -> bool:
        assert not program.ended, program.log.read_text()
        try:
            with urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=30) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    until(answers, bool)


def test_a_restart_without_a_pause_keeps_the_entry(tmp_path: Path, registry: Registry, name: str) -> None:
    endure = {"endure": {"retirement": "100ms"}}
    with discovering(tmp_path / "1", registry, "web", sections=endure, name=name, ttl="1h") as server:
        wait_for_names(server, "web")
        before = cluster(server)["servers"][0]["instance"]
        server.send(signal.SIGUSR2)
        seen = set()
        while (found := entries(registry, name)) == {before} or len(found) != 1:
            seen.add(len(found))
            time.sleep(0.02)
        assert seen <= {1, 2}
        until(lambda: [one["instance"] for one in cluster(server)["servers"]], lambda now: now == list(found))
        assert "its id is taken" not in server.stderr


def entries(registry: Registry, name: str) -> set[str]:
    """The instances in a registry, as other programs see them."""
    if registry["driver"] == "etcd":
        keys = EtcdApi(int(registry["addresses"][0].rpartition(":")[2])).keys(f"/pyroadrunner/{name}/servers/")
        return {key.rpartition("/")[2] for key in keys}
    passing = ConsulApi(int(registry["address"].rpartition(":")[2])).passing(name)
    return {entry["Service"]["Meta"]["rr_instance"] for entry in passing}


def test_a_server_without_workers_is_listed_as_critical(tmp_path: Path, registry: Registry, name: str) -> None:
    example = ROOT / "examples/python/worker.py"
    down = tmp_path / "down"
    code = f"import os, runpy, sys\nif os.path.exists({str(down)!r}):\n    sys.exit(1)\n"
    (tmp_path / "worker_that_fails.py").write_text(f"{code}runpy.run_path({str(example)!r})\n", encoding="utf-8")
    command = [sys.executable, str(tmp_path / "worker_that_fails.py")]
    workers = {"server": {"command": command}, "http": {"pool": {"num_workers": 1}}}
    with ExitStack() as stack:
        one = start(stack, discovering(tmp_path / "1", registry, "one", sections=workers, name=name))
        two = start(stack, discovering(tmp_path / "2", registry, "two", name=name))
        wait_for_names(two, "one", "two")

        def health() -> tuple[str, str]:
            found = cluster(two)["servers"][0]
            return found["health"], found.get("reason", "")

        assert health() == ("passing", "")
        down.touch()
        for pid in one.workers():
            os.kill(pid, signal.SIGKILL)
        until(health, lambda found: found == ("critical", "not healthy: http"))
        listed = rr("cluster", cwd=two.folder)
        assert listed.code == 1
        assert "one: not healthy: http" in listed.stdout
        down.unlink()
        until(health, lambda found: found == ("passing", ""))


@pytest.mark.parametrize("registry", ["etcd"], indirect=True)
def test_every_kind_of_address_is_announced(tmp_path: Path, registry: Registry, name: str) -> None:
    identity = Authority(tmp_path).server()
    workers = ROOT / "tests/support/workers"
    php = require_php()
    https, grpc = kept_port(), kept_port()

    def pool(script: str) -> dict[str, Any]:
        return {"num_workers": 1, "command": f"{php} {script}"}

    sections = {
        "server": {"command": f"{php} {ROOT / 'examples/tcp/worker.php'}"},
        "tcp": {"servers": {"lines": {"addr": "127.0.0.1:0"}}, "pool": {"num_workers": 1}},
        "http": {
            "address": "127.0.0.1:0",
            "ssl": {"address": f"127.0.0.1:{https}", "cert": str(identity.cert), "key": str(identity.key)},
            "pool": pool(f"{ROOT / 'examples/hello-php/worker.php'}"),
        },
        "grpc": {
            "listen": f"tcp://127.0.0.1:{grpc}",
            "proto": [str(workers / "greeter.proto")],
            "pool": pool(f"{workers / 'grpc.php'}"),
        },
        "websocket": {"events": []},
    }
    kinds = ["rpc", "status", "metrics", "websocket", "tcp", "grpc", "https", "http"]
    with discovering(tmp_path / "1", registry, "one", sections=sections, name=name, announce=kinds) as server:
        wait_for_names(server, "one")
        found = cluster(server)["servers"][0]["endpoints"]
        assert [one["kind"] for one in found] == [*kinds[:4], *kinds[3:]]
        by_kind = {one["kind"]: one for one in found}
        assert by_kind["tcp"]["name"] == "lines"
        assert (by_kind["https"]["port"], by_kind["grpc"]["port"]) == (https, grpc)
        assert {one["path"] for one in found if one["kind"] == "websocket"} == {"/ws"}
        # The ports in use, where the config says 0.
        assert urlopen(f"http://127.0.0.1:{by_kind['http']['port']}/", timeout=30).read() == b"Hello, world!\n"
        socket.create_connection(("127.0.0.1", by_kind["tcp"]["port"]), 30).close()
