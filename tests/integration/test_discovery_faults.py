"""Registries that are away, empty, paused or hostile, and passwords, tokens and certificates."""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import trustme

from pyroadrunner.plugins.discovery.server import Endpoint
from pyroadrunner.plugins.discovery.server import Server as Entry
from pyroadrunner.plugins.discovery.signing import Command, Signer
from support.brokers import Brokers
from support.consul import ConsulApi, consul_agent, shared_consul
from support.discovery import cluster, discovering, names, notice, page, until, wait_for_names
from support.etcd import Etcd, etcd_server
from support.hostile import Behaviour, answering, dripping, endless, hanging, hostile, redirecting
from support.ports import kept_port
from support.server import Server, rr

SECRET = "0123456789abcdef0123456789abcdef"
AWAY = "registry does not answer"


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    (tmp_path / "etcd").mkdir()
    with etcd_server(tmp_path / "etcd") as server:
        yield server


def registry(etcd: Etcd) -> dict[str, Any]:
    return {"driver": "etcd", "addresses": [etcd.url]}


def reason(server: Server) -> str:
    """Wait until ``/health`` says what is wrong."""
    return until(lambda: notice(server), lambda text: ": " in text)


def state(server: Server) -> str:
    return str(cluster(server)["state"])


def test_a_server_registers_again_when_its_registry_comes_back_empty(tmp_path: Path, etcd: Etcd) -> None:
    with discovering(tmp_path / "a", registry(etcd), "a", timeout="1s") as server:
        wait_for_names(server, "a")
        etcd.program.kill()
        assert "connection refused" in reason(server).lower()
        assert names(server) == ["a"]  # the last list stays
        assert page(server, "/sd")[0] == 200
        listed = rr("cluster", cwd=server.folder)
        assert listed.code == 1
        assert "shop in etcd: connecting: " in listed.stdout
        etcd.start(empty=True)
        until(lambda: notice(server), lambda text: not text)
        until(etcd.keys, lambda keys: any(key.startswith("/pyroadrunner/shop/servers/a/") for key in keys))
        assert server.stderr.count(AWAY) == 1
        assert server.stderr.count("registered again") == 1


def test_the_next_member_of_etcd_is_used_when_one_is_away(tmp_path: Path, etcd: Etcd) -> None:
    members = [f"http://127.0.0.1:{kept_port()}", etcd.url]
    with discovering(tmp_path / "a", {"driver": "etcd", "addresses": members}, "a") as server:
        wait_for_names(server, "a")
        until(lambda: state(server), lambda text: text == "registered")


def test_a_paused_registry_is_noticed_and_slows_nothing(tmp_path: Path, etcd: Etcd) -> None:
    with discovering(tmp_path / "a", registry(etcd), "a", timeout="1s") as server:
        wait_for_names(server, "a")
        etcd.pause()
        try:
            assert "no answer within 1 s" in reason(server)
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < 20
        finally:
            etcd.resume()
        assert "its entry ends by itself" in server.stderr


def test_a_server_that_was_paused_registers_again(tmp_path: Path, etcd: Etcd) -> None:
    with discovering(tmp_path / "a", registry(etcd), "a", ttl="2s") as server:
        wait_for_names(server, "a")
        os.kill(server.pid, signal.SIGSTOP)
        until(etcd.keys, lambda keys: not keys)
        os.kill(server.pid, signal.SIGCONT)
        until(etcd.keys, bool)
        server.wait_for("registry has forgotten the server")
        until(lambda: state(server), lambda text: text == "registered")


def many_servers(number: int) -> bytes:
    """An answer of etcd with so many servers."""

    def item(at: int) -> dict[str, str]:
        endpoint = Endpoint(kind="metrics", host=f"10.0.{at >> 8}.{at & 255}", port=2112)
        entry = Entry(id=f"s{at:05}", instance=f"{at:08x}", version="1", started=1.0, endpoints=[endpoint])
        key = f"/pyroadrunner/shop/servers/{entry.id}/{entry.instance}".encode()
        return {"key": base64.b64encode(key).decode(), "value": base64.b64encode(msgspec.json.encode(entry)).decode()}

    return json.dumps({"kvs": [item(at) for at in range(number)], "ID": "1", "result": {"TTL": "9"}}).encode()


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        pytest.param(answering(b"<html>not a registry"), "not an answer of this registry", id="garbage"),
        pytest.param(answering(b'{"kvs": [1], "ID": 5}'), "not an answer of this registry", id="other JSON"),
        pytest.param(answering(b"[" * 100_000), "not an answer of this registry", id="deep"),
        pytest.param(answering(b"", 500), "status 500", id="error"),
        pytest.param(endless, "the answer is larger than 16 MB", id="a gigabyte"),
        pytest.param(redirecting("http://127.0.0.1:1/"), "status 307", id="redirect"),
    ],
)
def test_a_hostile_registry_costs_a_line_in_the_log(tmp_path: Path, behaviour: Behaviour, said: str) -> None:
    with hostile(behaviour) as bad:
        settings = {"driver": "etcd", "addresses": [bad.url]}
        with discovering(tmp_path, settings, timeout="2s", refresh="5s") as server:
            assert said in reason(server)
            assert page(server, "/sd")[0] == 503
            assert psutil.Process(server.pid).memory_info().rss < 300 << 20
            assert server.stop() == 0
        assert server.stderr.count(AWAY) == 1


@pytest.mark.parametrize("behaviour", [hanging, dripping])
def test_a_registry_that_hangs_is_given_up(tmp_path: Path, behaviour: Any) -> None:
    release = threading.Event()
    with hostile(behaviour(release)) as bad:
        settings = {"driver": "consul", "address": bad.url}
        with discovering(tmp_path, settings, timeout="500ms") as server:
            assert "no answer within 0.5 s" in reason(server)
            assert server.stop() == 0
        release.set()


def test_ten_thousand_servers_are_listed_and_more_are_not(tmp_path: Path) -> None:
    with hostile(answering(many_servers(10_001))) as bad:
        settings = {"driver": "etcd", "addresses": [bad.url]}
        with discovering(tmp_path, settings, refresh="10s") as server:
            found = until(lambda: cluster(server), lambda found: bool(found["servers"]))
            assert len(found["servers"]) == 10_000
            assert len(json.loads(page(server, "/sd")[1])) == 10_000
            assert "registry has too many servers" in server.stderr
            listed = rr("cluster", cwd=server.folder)
            assert listed.stdout.count("unknown") == 10_000


def test_an_absent_registry_does_not_hold_up_the_start_or_requests(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).parents[2] / "examples/python/worker.py")]
    sections = {"server": {"command": command}, "http": {"pool": {"num_workers": 1}}}
    settings = {"driver": "consul", "address": f"http://127.0.0.1:{kept_port()}"}
    with discovering(tmp_path, settings, sections=sections) as server:
        assert reason(server).startswith("connecting: ")
        status, body = page(server, "/", "http")
        assert status == 200
        assert body


def test_only_commands_with_the_secret_are_run_and_each_once(tmp_path: Path, etcd: Etcd) -> None:
    with discovering(tmp_path / "a", registry(etcd), "a", secret=SECRET) as server:
        wait_for_names(server, "a")

        def put(key: str, secret: str, name: str = "shop", age: float = 0.0) -> None:
            issued = time.time() - age
            command = Command(id=key, action="reload", plugins=[], issued=issued, by="x")
            etcd.put(f"/pyroadrunner/shop/commands/{key}", Signer(secret, name).sign(command))

        etcd.put("/pyroadrunner/shop/commands/nonsense", b'{"action": "reload"}')
        put("forged", "another secret, long enough")
        put("other-cluster", SECRET, name="blog")
        refused = 'rr_discovery_commands_total{outcome="refused"} 3'
        until(lambda: page(server, "/metrics", "metrics")[1], lambda text: refused in text)
        put("mine", SECRET)
        server.wait_for("command for all servers is run")
        results = until(lambda: etcd.keys("/pyroadrunner/shop/results/"), bool)
        data = next(iter(results.values()))
        result = Signer(SECRET, "shop").result(data)
        assert result is not None
        assert (result.command, result.server, result.ok) == ("mine", "a", True)
        put("mine", SECRET)  # again, under another date
        put("before its start", SECRET, age=3600)
        put("last", SECRET)
        server.wait_for("the config was reloaded", times=2)
        assert server.stderr.count("command for all servers is run") == 2
        assert refused in page(server, "/metrics", "metrics")[1]


def test_without_a_secret_servers_are_called_only_where_rpc_is_announced(tmp_path: Path, etcd: Etcd) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(discovering(tmp_path / "a", registry(etcd), "a"))
        wait_for_names(one, "a")
        refused = rr("cluster", "reload", cwd=one.folder)
        assert refused.code == 1
        assert "set the same discovery.secret on all of them" in refused.stderr
        two = stack.enter_context(discovering(tmp_path / "b", registry(etcd), "b", announce=["rpc"]))
        wait_for_names(one, "a", "b")
        called = rr("cluster", "reload", cwd=two.folder)
        assert called.code == 1
        assert called.stdout == (
            "a  FAILED  announces no RPC address, so it was not called\nb  done  nothing has changed\n"
        )


def test_rr_cluster_needs_the_section(tmp_path: Path) -> None:
    with Server(tmp_path, {"metrics": {"address": f"127.0.0.1:{kept_port()}"}}):
        found = rr("cluster", cwd=tmp_path)
        assert found.code == 1
        assert found.stderr == "the running server has no section `discovery`, so it knows no other servers\n"


def test_etcd_with_a_password(tmp_path: Path, etcd: Etcd) -> None:
    etcd.call("auth/user/add", {"name": "root", "password": "secret"})
    etcd.call("auth/user/grant", {"user": "root", "role": "root"})
    etcd.call("auth/enable", {})
    settings = {**registry(etcd), "username": "root", "password": "secret"}
    with discovering(tmp_path / "a", settings, "a") as server:
        wait_for_names(server, "a")
        assert "secret" not in server.stderr
    with discovering(tmp_path / "b", {**settings, "password": "wrong"}, "b") as server:
        text = reason(server)
        assert text.startswith("failed: ")
        assert "authentication failed" in text
        assert server.stderr.count("registry refuses the server") == 1
    with discovering(tmp_path / "c", registry(etcd), "c") as server:
        assert reason(server).startswith("failed: ")


def test_etcd_over_tls(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    client = authority.issue_cert("client@example.com")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "other", "server", "key", "client", "client-key")}
    authority.cert_pem.write_to_path(str(files["ca"]))
    stranger.cert_pem.write_to_path(str(files["other"]))
    certificate.private_key_pem.write_to_path(str(files["key"]))
    client.private_key_pem.write_to_path(str(files["client-key"]))
    for name, issued in (("server", certificate), ("client", client)):
        files[name].write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    more = ("--cert-file", str(files["server"]), "--key-file", str(files["key"]))
    trusted = ("--client-cert-auth", "--trusted-ca-file", str(files["ca"]))
    with etcd_server(tmp_path, *more, *trusted, scheme="https") as etcd:
        settings = {"driver": "etcd", "addresses": [f"https://127.0.0.1:{etcd.port}"]}
        own = {"cert": str(files["client"]), "key": str(files["client-key"])}
        with discovering(tmp_path / "a", {**settings, "tls": {"root_ca": str(files["ca"]), **own}}, "a") as server:
            wait_for_names(server, "a")
        with discovering(tmp_path / "b", {**settings, "tls": {"root_ca": str(files["other"]), **own}}, "b") as server:
            assert "certificate verify failed" in reason(server)


def test_consul_with_a_token(tmp_path: Path) -> None:
    token = "2e8d6a3c-7a3b-4c57-9a6f-0c1d2e3f4a5b"
    with consul_agent(tmp_path, token) as agent:
        rules = 'service "shop" { policy = "write" } node_prefix "" { policy = "read" }'
        rules += ' key_prefix "pyroadrunner/" { policy = "write" }'
        agent.ask("/v1/acl/policy", "PUT", {"Name": "rr", "Rules": rules})
        made = agent.ask("/v1/acl/token", "PUT", {"Policies": [{"Name": "rr"}]})["SecretID"]
        settings = {"driver": "consul", "address": agent.url}
        with discovering(tmp_path / "a", {**settings, "token": made}, "a", secret=SECRET) as server:
            wait_for_names(server, "a")
            assert rr("cluster", "reload", cwd=server.folder).code == 0
            assert made not in server.stderr
            with discovering(tmp_path / "b", {**settings, "token": token[::-1]}, "b") as other:
                assert reason(other).startswith("failed: ")
                assert other.stderr.count("registry refuses the server") == 1


def test_consul_deletes_the_dead_and_keeps_the_critical(tmp_path: Path, brokers: Brokers) -> None:
    port = brokers.use("consul", shared_consul)["port"]
    settings = {"driver": "consul", "address": f"http://127.0.0.1:{port}"}
    name = "dead-and-critical"
    with discovering(tmp_path / "a", settings, "a", name=name, ttl="2s") as one:
        with discovering(tmp_path / "b", settings, "b", name=name, ttl="2s") as two:
            wait_for_names(one, "a", "b")
            two.kill()
        wait_for_names(one, "a")
        agent = ConsulApi(port)
        until(lambda: agent.ask(f"/v1/health/service/{name}"), lambda found: len(found) == 1)
        # Consul forgets a service that an operator deregisters.
        for entry in agent.passing(name):
            agent.ask(f"/v1/agent/service/deregister/{entry['Service']['ID']}", "PUT")
        one.wait_for("registry has forgotten the server")
        until(lambda: agent.passing(name), bool)


def test_srv_records_of_consul(tmp_path: Path, brokers: Brokers) -> None:
    facts = brokers.use("consul", shared_consul)
    name = "srv-records"
    settings = {"driver": "consul", "address": f"http://127.0.0.1:{facts['port']}"}
    with discovering(tmp_path / "a", settings, "a", name=name) as one:
        wait_for_names(one, "a")
        records = {"metrics": f"_{name}._metrics.service.consul"}
        dns = {"driver": "dns", "records": records, "nameserver": f"127.0.0.1:{facts['dns']}"}
        with discovering(tmp_path / "reader", dns, "reader") as reader:
            found = until(lambda: cluster(reader), lambda found: bool(found["servers"]))
            port = int(one.config["metrics"]["address"].rpartition(":")[2])
            assert found["servers"][0]["endpoints"] == [{"kind": "metrics", "host": "127.0.0.1", "port": port}]
            assert found["state"] == "connected"


def test_a_file_of_servers_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "servers.yaml"
    path.write_text("servers:\n  - id: web-1\n    addresses: {metrics: '10.0.0.5:2112', http: '10.0.0.5:80'}\n")
    with discovering(tmp_path / "a", {"driver": "file", "path": str(path)}) as server:
        wait_for_names(server, "web-1")
        assert json.loads(page(server, "/sd", "metrics")[1])[0]["targets"] == ["10.0.0.5:2112"]
        assert json.loads(page(server, "/sd?kind=http", "metrics")[1])[0]["targets"] == ["10.0.0.5:80"]
        path.write_text("servers:\n  - id: web-2\n  - idd: typo\n")
        text = reason(server)
        assert str(path) in text
        assert names(server) == ["web-1"]
        path.write_text(json.dumps({"servers": [{"id": "web-2"}]}))
        wait_for_names(server, "web-2")
        refused = rr("cluster", "reset", cwd=server.folder)
        assert refused.code == 1


def test_a_server_registers_again_when_consul_comes_back_empty(tmp_path: Path) -> None:
    with consul_agent(tmp_path) as agent:
        settings = {"driver": "consul", "address": agent.url}
        with discovering(tmp_path / "a", settings, "a", timeout="1s") as server:
            wait_for_names(server, "a")
            agent.program.kill()
            assert "connection refused" in reason(server)
            agent.start()
            until(lambda: agent.passing("shop"), bool)
            until(lambda: notice(server), lambda text: not text)
            assert server.stderr.count(AWAY) == 1
