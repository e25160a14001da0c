"""The redis driver: outages, failover, passwords and certificates."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from support.kv import KvClient, Refused, now
from support.redis import redis_cluster, redis_sentinel, redis_server
from support.server import Server, free_port


@contextmanager
def kv_of(folder: Path, config: Mapping[str, Any]) -> Iterator[KvClient]:
    """A client of a storage with these settings."""
    storage = {"driver": "redis", "config": dict(config)}
    with Server(folder, {"kv": {"far": storage}}) as server, KvClient(server.rpc, "far") as kv:
        yield kv


def retried(kv: KvClient, key: str, value: bytes) -> list[str]:
    """Call ``set`` until it succeeds; return the errors before."""
    errors = []
    deadline = time.monotonic() + 60
    while True:
        try:
            kv.set({key: value})
            return errors
        except Refused as error:
            errors.append(str(error))
            assert time.monotonic() < deadline, errors[-1]


def answer_or_error(kv: KvClient, key: str) -> dict[str, bytes] | str:
    try:
        return kv.get(key)
    except Refused as error:
        return str(error)


def test_an_unreachable_server_is_an_error_until_it_is_back(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis, kv_of(tmp_path, {"addrs": redis.address}) as kv:
        kv.set({"k": b"v"})
        redis.program.kill()
        with pytest.raises(Refused) as refused:
            kv.get("k")
        assert str(refused.value).startswith("rpc_mget:\n\tredis_driver_mget: ")
        assert str(redis.port) in str(refused.value)
        assert kv.json("List", True)[0]["error"]
        redis.program.start()
        redis.wait_for("PING", "PONG")
        assert retried(kv, "k", b"again") == []
        assert kv.get("k") == {"k": b"again"}


def test_the_server_may_start_later(tmp_path: Path) -> None:
    config = {"addrs": f"127.0.0.1:{free_port()}", "max_retries": -1}
    with kv_of(tmp_path, config) as kv, pytest.raises(Refused, match=r"redis_driver_set: .*(refused|Connect)"):
        kv.set({"k": b"v"})


def test_an_unreachable_cluster_node_is_an_error_only_for_its_keys(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as nodes, kv_of(tmp_path, {"addrs": [node.address for node in nodes]}) as kv:
        keys = [f"key-{number}" for number in range(60)]
        kv.set(dict.fromkeys(keys, b"v"))
        assert kv.json("List", True)[0]["items"] == 60
        nodes[0].program.kill()
        answers = {key: answer_or_error(kv, key) for key in keys[:6]}
        failed = [key for key, answer in answers.items() if answer != {key: b"v"}]
        assert failed
        assert all(str(answers[key]).startswith("rpc_mget:\n\tredis_driver_mget: ") for key in failed)
        nodes[0].program.start()
        for node in nodes:
            node.wait_for("CLUSTER INFO", "cluster_state:ok")
        assert all("rpc_set" in error for key in failed for error in retried(kv, key, b"new"))
        assert kv.get(*failed) == dict.fromkeys(failed, b"new")


def test_the_sentinels_replica_takes_over(tmp_path: Path) -> None:
    with redis_sentinel(tmp_path) as (master, replica, sentinel):
        config = {"addrs": sentinel.address, "master_name": "mymaster"}
        with kv_of(tmp_path, config) as kv:
            kv.set({"before": b"b"}, now() + 600_000)
            replica.wait_for("DBSIZE", ":1")
            master.program.kill()
            retried(kv, "after", b"a")
            assert "role:master" in replica.ask("INFO replication")
            assert kv.get("before", "after") == {"before": b"b", "after": b"a"}
        unknown = {**config, "master_name": "nobody", "max_retries": -1}
        with kv_of(tmp_path, unknown) as kv, pytest.raises(Refused, match="nobody"):
            kv.set({"k": b"v"})


def test_user_password_and_database(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--user", "php", "on", ">secret", "~*", "+@all", "--requirepass", "other") as redis:
        settings = {"addrs": redis.address, "username": "php", "password": "secret", "db": 3}
        with kv_of(tmp_path, settings) as kv:
            kv.set({"k": b"v"})
            assert kv.get("k") == {"k": b"v"}
        assert "db3:keys=1" in redis.ask("AUTH other\r\nINFO keyspace")
        with kv_of(tmp_path, {**settings, "password": "wrong"}) as kv, pytest.raises(Refused) as refused:
            kv.get("k")
        assert "invalid username-password pair" in str(refused.value)
        assert "wrong" not in str(refused.value).replace("WRONGPASS", "")


@pytest.mark.parametrize("client_certificate", [False, True])
def test_tls(tmp_path: Path, client_certificate: bool) -> None:
    authority, other = trustme.CA(), trustme.CA()
    files = {name: tmp_path / name for name in ("ca.pem", "other.pem", "server.pem", "client.pem", "client.key")}
    authority.cert_pem.write_to_path(files["ca.pem"])
    other.cert_pem.write_to_path(files["other.pem"])
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(files["server.pem"])
    own = authority.issue_cert("php@example.com")
    own.cert_chain_pems[0].write_to_path(files["client.pem"])
    own.private_key_pem.write_to_path(files["client.key"])
    certificates = [
        *("--tls-cert-file", str(files["server.pem"]), "--tls-key-file", str(files["server.pem"])),
        *("--tls-ca-cert-file", str(files["ca.pem"]), "--tls-auth-clients", "yes" if client_certificate else "no"),
    ]
    with redis_server(tmp_path, *certificates, tls=True) as redis:
        tls = {"root_ca": str(files["ca.pem"])}
        if client_certificate:
            tls |= {"cert": str(files["client.pem"]), "key": str(files["client.key"])}
        with kv_of(tmp_path, {"addrs": redis.address, "tls": tls}) as kv:
            kv.set({"k": b"v"})
            assert kv.get("k") == {"k": b"v"}
        settings = {"addrs": redis.address, "tls": {**tls, "root_ca": str(files["other.pem"])}, "max_retries": -1}
        with kv_of(tmp_path, settings) as kv, pytest.raises(Refused, match="certificate verify failed"):
            kv.get("k")


def test_a_server_that_does_not_answer_is_a_timeout_and_a_full_pool_is_reported(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis:
        limits = {"read_timeout": "600ms", "max_retries": -1, "pool_size": 1, "pool_timeout": "50ms"}
        with kv_of(tmp_path, {"addrs": redis.address, **limits}) as kv:
            kv.set({"k": b"v"})
            redis.ask("CLIENT PAUSE 60000 ALL")
            errors = kv.together("Has", ["k", "k", "k"])
            assert any("no answer within 0.6 s" in error for error in errors)
            assert any("no connection became free within 0.05 s; see `pool_size`" in error for error in errors)


def test_a_command_is_not_sent_again_to_a_server_that_hangs(tmp_path: Path) -> None:
    """The server runs the command when it continues. The caller waits for one timeout only."""
    config = {"read_timeout": "300ms"}
    with redis_server(tmp_path) as redis, kv_of(tmp_path, {"addrs": redis.address, **config}) as kv:
        assert kv.count("Incr", "visits") == 1
        with redis.hanging():
            for _ in range(2):  # on the existing connection, on a new one
                with pytest.raises(Refused, match=rf"redis_driver_incr: {redis.address}: no answer within 0\.3 s"):
                    kv.count("Incr", "visits")
        assert kv.count("Incr", "visits") == 4


def test_calls_wait_together_for_a_connection_to_a_server_that_hangs(tmp_path: Path) -> None:
    config = {"read_timeout": "300ms", "db": 3}
    with redis_server(tmp_path) as redis, kv_of(tmp_path, {"addrs": redis.address, **config}) as kv:
        with redis.hanging():
            assert len(kv.together("Has", ["k"] * 5)) == 5
        assert redis.calls("select") == 1


def test_a_command_is_not_sent_again_to_a_node_that_hangs(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as nodes:
        config = {"addrs": [node.address for node in nodes], "read_timeout": "500ms"}
        hung = nodes[0]
        every = [f"key-{number}" for number in range(60)]
        keys = [key for key in every if "MOVED" not in hung.ask(f"GET {key}")]
        other = next(key for key in every if key not in keys)
        with kv_of(tmp_path, config) as kv:
            for key in keys:
                kv.set({key: b"1"})
            before, connections = hung.calls("set"), hung.connections()
            with hung.hanging(), pytest.raises(Refused, match=r"redis_driver_incr: .*[Tt]imeout"):
                kv.count("Incr", keys[0])
            assert (hung.calls("incrby"), hung.connections()) == (1, connections)
            assert kv.get(*keys[1:3]) == dict.fromkeys(keys[1:3], b"1")
            connections = hung.connections()
            with hung.hanging(), pytest.raises(Refused, match=r"redis_driver_set: .*[Tt]imeout"):
                kv.set(dict.fromkeys(keys[1:3], b"2"))
            assert (hung.calls("set") - before, hung.connections()) == (2, connections)
            with hung.hanging():
                for _ in range(3):  # the nodes are discovered again, and keys of the others are found
                    with pytest.raises(Refused):
                        kv.get(*keys[:3])
                    kv.set({other: b"there"})
            assert kv.get(*keys[1:3]) == dict.fromkeys(keys[1:3], b"2")


def test_a_hanging_sentinel_is_asked_once_and_does_not_delay_calls(tmp_path: Path) -> None:
    with redis_sentinel(tmp_path) as (_, _, sentinel), socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        addresses = [f"127.0.0.1:{silent.getsockname()[1]}", sentinel.address]
        with kv_of(tmp_path, {"addrs": addresses, "master_name": "mymaster", "read_timeout": "500ms"}) as kv:
            kv.set({"k": b"v"})
            silent.accept()[0].close()
            with pytest.raises(BlockingIOError):
                silent.accept()


def test_invalid_settings_prevent_the_start(tmp_path: Path) -> None:
    for config, text in (
        ({"addrs": "localhost:redis"}, "'localhost:redis' is not a valid address; write host:port"),
        ({"addrs": ["127.0.0.1:1", "127.0.0.1:2"], "db": 4}, "a cluster has only the database 0, not 4"),
    ):
        server = Server(tmp_path, {"kv": {"far": {"driver": "redis", "config": config}}})
        server.start()
        try:
            assert server.wait() == 1
            assert f"kv.far: the driver redis can't be used: {text}" in server.stderr
        finally:
            server.kill()
