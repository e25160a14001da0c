"""The verdicts of `rr doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.cli.doctor import endpoints, machine, php, remote_servers
from pyroadrunner.cli.doctor.finding import Verdict
from pyroadrunner.cli.doctor.holders import Holder

PHP = {
    "version": "8.3.1",
    "binary": "/usr/bin/php",
    "ini": "/etc/php.ini",
    "json": True,
    "sockets": True,
    "pcntl": True,
    "protobuf": False,
    "opcache": True,
    "opcache_cli": True,
    "xdebug": False,
    "display_errors": "0",
    "memory_limit": "128M",
}


def verdicts(reported: dict[str, Any], *, protobuf: bool = False) -> dict[str, Verdict]:
    return {one.what: one.verdict for one in php.judge(reported, "/usr/bin/php", protobuf=protobuf)}


def test_a_good_php_gives_no_warning() -> None:
    assert set(verdicts(PHP).values()) == {Verdict.OK}


@pytest.mark.parametrize(
    ("change", "what", "verdict"),
    [
        ({"version": "8.0.30"}, "version", Verdict.WARN),
        ({"version": "7.4.3"}, "version", Verdict.WARN),
        ({"json": False}, "json", Verdict.FAIL),
        ({"sockets": False}, "sockets", Verdict.WARN),
        ({"pcntl": False}, "pcntl", Verdict.WARN),
        ({"opcache": False}, "opcache", Verdict.WARN),
        ({"opcache_cli": False}, "opcache", Verdict.WARN),
        ({"xdebug": True}, "xdebug", Verdict.WARN),
        ({"display_errors": "stdout"}, "display_errors", Verdict.WARN),
    ],
)
def test_problems_of_a_php(change: dict[str, Any], what: str, verdict: Verdict) -> None:
    assert verdicts({**PHP, **change})[what] is verdict


def test_protobuf_is_checked_only_if_it_is_used() -> None:
    assert "protobuf" not in verdicts(PHP)
    assert verdicts(PHP, protobuf=True)["protobuf"] is Verdict.WARN


@pytest.mark.parametrize(
    ("command", "binary"),
    [(["php", "w.php"], "php"), (["/opt/php8.3", "w.php"], "/opt/php8.3"), (["python", "w.py"], ""), ([], "")],
)
def test_the_php_of_a_command(command: list[str], binary: str) -> None:
    assert php.binary_of(command) == binary


@pytest.mark.parametrize(
    ("free", "workers", "verdict"),
    [(8 << 30, 4, Verdict.OK), (100 << 20, 1, Verdict.WARN), (1 << 30, 100, Verdict.WARN), (300 << 20, 0, Verdict.OK)],
)
def test_memory(free: int, workers: int, verdict: Verdict) -> None:
    assert machine.memory(free, workers).verdict is verdict


@pytest.mark.parametrize(("limit", "verdict"), [(1024, Verdict.WARN), (4096, Verdict.OK)])
def test_open_files(limit: int, verdict: Verdict) -> None:
    assert machine.files(limit).verdict is verdict


def test_the_addresses_of_a_config() -> None:
    config = {
        "http": {"address": ":80", "ssl": {"address": ":443", "cert": ""}},
        "rpc": {"listen": "tcp://127.0.0.1:6001"},
        "server": {"relay": "pipes"},
        "centrifuge": {"proxy_address": "tcp://127.0.0.1:30000"},
        "tcp": {"servers": {"smtp": {"addr": ":25"}}},
    }
    found = [
        ("http.address", ":80"),
        ("rpc.listen", "tcp://127.0.0.1:6001"),
        ("centrifuge.proxy_address", "tcp://127.0.0.1:30000"),
        ("tcp.servers.smtp.addr", ":25"),
    ]
    assert list(endpoints.addresses(config)) == found
    config["http"]["ssl"]["acme"] = {"email": "me@example.com"}
    assert ("http.ssl.address", ":443") in list(endpoints.addresses(config))
    del config["http"]["ssl"]["acme"]
    config["http"]["ssl"]["cert"] = "a.pem"
    assert ("http.ssl.address", ":443") in list(endpoints.addresses(config))


def test_the_folders_of_a_config() -> None:
    config = {
        "http": {"uploads": {"dir": "up"}},
        "logs": {"output": ["stderr", "log/a.log", "b.log"]},
        "kv": {"boxes": {"driver": "boltdb", "config": {"file": "data/rr.db"}}, "mem": {"driver": "memory"}},
    }
    assert list(endpoints.folders(config)) == [
        ("http.uploads.dir", "up"),
        ("logs.output", "log"),
        ("logs.output", "."),
        ("kv.boxes.config.file", "data"),
    ]


def test_the_brokers_of_a_config() -> None:
    config = {
        "amqp": {"addr": "amqp://guest:***@rabbit/vhost"},
        "kafka": {"brokers": ["a:1", "b"]},
        "centrifuge": {"grpc_api_address": "tcp://centrifugo:10001"},
        "kv": {
            "fast": {"driver": "redis", "config": {"addrs": ["redis:7000"]}},
            "plain": {"driver": "memcached"},
            "own": {"driver": "memory"},
        },
    }
    assert list(remote_servers.brokers(config)) == [
        ("amqp.addr", "rabbit", 5672),
        ("kafka.brokers", "a", 1),
        ("kafka.brokers", "b", 9092),
        ("centrifuge.grpc_api_address", "centrifugo", 10001),
        ("kv.fast.config.addrs", "redis", 7000),
        ("kv.plain.config.addr", "127.0.0.1", 11211),
    ]


def test_the_brokers_of_pipelines() -> None:
    pipelines = {
        "own": {"driver": "redis", "config": {"redis": {"addrs": ["a:1", "b:2"]}}},
        "shared": {"driver": "redis"},
        "tube": {"driver": "beanstalk"},
        "memory": {"driver": "memory"},
    }
    own = [("jobs.pipelines.own.config.redis.addrs", "a", 1), ("jobs.pipelines.own.config.redis.addrs", "b", 2)]
    assert list(remote_servers.brokers({"jobs": {"pipelines": pipelines}})) == [
        *own,
        ("jobs.pipelines.shared.driver", "127.0.0.1", 6379),
        ("jobs.pipelines.tube.driver", "127.0.0.1", 11300),
    ]
    sections = {"redis": {"addrs": ["c:3"]}, "beanstalk": {"addr": "unix:///run/beanstalkd.sock"}}
    assert list(remote_servers.brokers({**sections, "jobs": {"pipelines": pipelines}})) == [
        ("beanstalk.addr", "unix:/run/beanstalkd.sock", 0),
        ("redis.addrs", "c", 3),
        *own,
    ]


def test_every_broker_of_jobs() -> None:
    drivers = ("amqp", "beanstalk", "nats", "redis", "sql", "memory", "boltdb", "amqp")
    pipelines = {f"p{number}": {"driver": driver} for number, driver in enumerate(drivers)}
    assert list(remote_servers.brokers({"jobs": {"pipelines": pipelines}})) == [
        ("jobs.pipelines.p0.driver", "127.0.0.1", 5672),
        ("jobs.pipelines.p1.driver", "127.0.0.1", 11300),
        ("jobs.pipelines.p2.driver", "127.0.0.1", 4222),
        ("jobs.pipelines.p3.driver", "127.0.0.1", 6379),
        ("jobs.pipelines.p4.driver", "127.0.0.1", 5432),
    ]
    sections = {
        "amqp": {"addr": "amqps://guest:***@rabbit/vhost"},
        "nats": {"addr": "nats://a:1, tls://b"},
        "kafka": {"brokers": ["c:3"]},
        "sql": {"dsn": "postgresql://app:***@d,e:6/jobs?sslmode=verify-full"},
        "sqs": {"endpoint": "https://sqs.example.test/"},
    }
    assert list(remote_servers.brokers({**sections, "jobs": {"pipelines": {"p": {"driver": "sql"}}}})) == [
        ("amqp.addr", "rabbit", 5671),
        ("nats.addr", "a", 1),
        ("nats.addr", "b", 4222),
        ("kafka.brokers", "c", 3),
        ("sql.dsn", "d", 5432),
        ("sql.dsn", "e", 6),
        ("sqs.endpoint", "sqs.example.test", 443),
    ]


@pytest.mark.parametrize(
    ("dsn", "servers"),
    [
        ("sqlite:///jobs.db", []),
        ("postgres://u:***@h/db", [("h", 5432)]),
        ("postgresql:///db?host=h&port=7", [("h", 7)]),
        ("postgresql:///db?host=/run/postgresql", [("unix:/run/postgresql/.s.PGSQL.5432", 0)]),
        ("postgresql:///db", []),
    ],
)
def test_the_databases_of_pipelines(dsn: str, servers: list[tuple[str, int]]) -> None:
    pipelines = {"p": {"driver": "sql", "config": {"dsn": dsn}}}
    found = list(remote_servers.brokers({"jobs": {"pipelines": pipelines}}))
    assert found == [("jobs.pipelines.p.config.dsn", *server) for server in servers]


def test_the_folders_of_files_of_jobs() -> None:
    pipelines = {
        "file": {"driver": "boltdb"},
        "own": {"driver": "sql", "config": {"dsn": "sqlite:////data/jobs.db"}},
        "far": {"driver": "sql", "config": {"dsn": "postgresql://h/db"}},
    }
    config = {"sql": {"dsn": "sqlite:///data/jobs.db"}, "jobs": {"pipelines": pipelines}}
    assert list(endpoints.folders(config)) == [
        ("jobs.pipelines.file.config.file", "."),
        ("sql.dsn", "data"),
        ("jobs.pipelines.own.config.dsn", "/data"),
    ]


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        ({"memory.max": "1000\n", "memory.current": "700\n", "memory.stat": "anon 9\ninactive_file 200\n"}, 500),
        ({"memory.max": "1000\n", "memory.current": "1200\n", "memory.stat": ""}, 0),
        ({"memory.max": "max\n", "memory.current": "700\n", "memory.stat": ""}, None),
        (
            {
                "memory/memory.limit_in_bytes": "1000\n",
                "memory/memory.usage_in_bytes": "700\n",
                "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 200\n",
            },
            500,
        ),
    ],
)
def test_free_memory_of_a_control_group(tmp_path: Path, files: dict[str, str], free: int | None) -> None:
    (tmp_path / "memory").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert machine.free_in_group(tmp_path) == free


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("127.0.0.1:80", "tcp://127.0.0.1:80", True),
        ("127.0.0.1:80", "127.0.0.1:81", False),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        (":80", "127.0.0.1:80", True),
        ("0.0.0.0:80", "127.0.0.1:80", True),
        ("0.0.0.0:80", "[::1]:80", False),
        ("[::]:80", "[::1]:80", True),
        ("localhost:80", "127.0.0.1:80", True),
        ("localhost:80", "[::1]:80", True),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("unix:///run/rr.sock", "unix:///run/x/../rr.sock", True),
        ("unix:///run/rr.sock", "unix:///run/http.sock", False),
        ("unix:///run/rr.sock", "127.0.0.1:80", False),
        ("no address", "no address", False),
    ],
)
def test_two_sections_on_one_address(one: str, other: str, clash: bool) -> None:
    found = [("http.address", other, "rpc.listen")] if clash else []
    assert list(endpoints.shared([("rpc.listen", one), ("http.address", other)])) == found


def test_no_host_means_ipv4_only_in_http_and_all_addresses_elsewhere() -> None:
    assert list(endpoints.shared([("http.address", ":80"), ("rpc.listen", "tcp://[::1]:80")])) == []
    assert list(endpoints.shared([("rpc.listen", "tcp://:80"), ("http.address", "[::1]:80")])) != []


def server(*arguments: str, python: bool = True, folder: str = "/srv/app") -> Holder:
    return Holder(7, "rr", folder, ("/usr/bin/python3", "/srv/rr/bin/rr", *arguments), python)


@pytest.mark.parametrize(
    ("holder", "ours"),
    [
        (server("serve"), True),
        (server("-o", "http.address=:80", "serve", "-p"), True),
        (server("serve", "-c", ".rr.yaml"), True),
        (server("serve", "-c", "/srv/app/.rr.yaml"), True),
        (server("serve", "-c", "app/.rr.yaml"), True),  # it works in the folder of its config since
        (server("serve", "-w", "/srv/app", "-c", ".rr.yaml"), True),
        (server("serve", "-c", "other.yaml"), False),
        (server("serve", folder="/srv/other"), False),
        (server("serve", python=False), False),  # RoadRunner itself
        (server("workers", "-i"), False),
        (Holder(7, "nginx", "/", ("nginx: master process",)), False),
        (Holder(7, "nginx"), False),
    ],
)
def test_the_running_server_of_a_config(holder: Holder, ours: bool) -> None:
    assert holder.is_server_of("/srv/app/.rr.yaml") is ours
    found = endpoints.held("http.address", ":80", [Holder(8, "rr"), holder], "/srv/app/.rr.yaml")
    assert found.verdict is (Verdict.OK if ours else Verdict.FAIL)


def test_the_holder_of_an_address_is_named() -> None:
    nginx = Holder(3, "nginx", "/", ("nginx: master process",))
    other = server("serve", folder="/srv/other")
    found = endpoints.held("http.address", ":80", [nginx, other], "/srv/app/.rr.yaml")
    assert found.found == ":80 is held by process 3 (nginx) and process 7 (/srv/rr/bin/rr serve in /srv/other)"
    assert "a process of another user" in endpoints.held("http.address", ":80", [], "/srv/app/.rr.yaml").found


def test_a_socket_opened_by_systemd_is_ok() -> None:
    systemd = Holder(1, "systemd", "/", ("/sbin/init",))
    assert endpoints.held("http.address", ":80", [systemd], "/srv/app/.rr.yaml").verdict is Verdict.OK
