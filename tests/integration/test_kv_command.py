"""``rr kv`` against a running server: its output and exit codes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.kv import KvClient
from support.server import RR, Finished, Server, environment, rr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    storages = {
        "cache": {"driver": "memory"},
        "far": {"driver": "memcached", "config": {"addr": "127.0.0.1:9"}},
    }
    with Server(tmp_path_factory.mktemp("kv"), {"kv": storages}) as server:
        yield server


@pytest.fixture
def kv(server: Server) -> Iterator[KvClient]:
    with KvClient(server.rpc, "cache") as client:
        client.clear()
        yield client


def run(server: Server, *arguments: str) -> Finished:
    return rr("kv", *arguments, cwd=server.folder)


def test_storages_are_listed_with_unreachable_ones_marked(server: Server, kv: KvClient) -> None:
    kv.set({"a": b"1", "b": b"2"})
    listed = run(server, "list", "--json")
    assert listed.code == 1
    assert [(one["name"], one["driver"], one["items"]) for one in json.loads(listed.stdout)] == [
        ("cache", "memory", 2),
        ("far", "memcached", -1),
    ]
    shown = run(server, "list")
    assert shown.code == 1
    assert "connection refused" in shown.stdout


def test_a_value_is_set_and_printed_as_it_is(server: Server, kv: KvClient) -> None:
    assert run(server, "set", "cache", "k", "hello ☃").code == 0
    assert kv.get("k") == {"k": "hello ☃".encode()}
    got = run(server, "get", "cache", "k")
    assert (got.code, got.stdout, got.stderr) == (0, "hello ☃\n", "")


def test_a_binary_value_is_read_from_stdin_and_printed_unchanged(server: Server, kv: KvClient) -> None:
    data = bytes(range(256))
    command = [str(RR), "kv", "set", "cache", "bin", "-"]
    subprocess.run(command, cwd=server.folder, env=environment(), input=data, check=True, timeout=30)
    assert kv.get("bin") == {"bin": data}
    command = [str(RR), "kv", "get", "cache", "bin"]
    got = subprocess.run(command, cwd=server.folder, env=environment(), capture_output=True, check=True, timeout=30)
    assert got.stdout == data + b"\n"


def test_several_values_and_a_missing_one(server: Server, kv: KvClient) -> None:
    kv.set({"a": b"one", "b": b"\xff"})
    got = run(server, "get", "cache", "a", "b", "c", "--json")
    assert got.code == 1
    assert json.loads(got.stdout) == {"a": {"text": "one"}, "b": {"base64": "/w=="}}
    assert got.stderr == "no such key: c\n"
    table = run(server, "get", "cache", "a", "b").stdout
    assert "one" in table
    assert r"\xff" in table


def test_times_are_set_and_printed(server: Server, kv: KvClient) -> None:
    begun = time.time()
    assert run(server, "set", "cache", "timed", "v", "--ttl", "1h30m").code == 0
    kv.set({"forever": b"v"})
    told = run(server, "ttl", "cache", "timed", "forever", "missing", "--json")
    times = json.loads(told.stdout)
    assert told.code == 1
    assert begun + 5400 <= times.pop("timed") <= time.time() + 5401
    assert times == {"forever": None}
    assert "never" in run(server, "ttl", "cache", "forever").stdout


def test_keys_are_deleted_and_storages_cleared(server: Server, kv: KvClient) -> None:
    kv.set(dict.fromkeys(("a", "b", "c"), b"v"))
    deleted = run(server, "delete", "cache", "a", "missing", "--json")
    assert (deleted.code, json.loads(deleted.stdout)) == (1, {"deleted": ["a"]})
    assert kv.has("a", "b", "c") == {"b", "c"}
    assert run(server, "clear", "cache").code == 0
    assert kv.has("b", "c") == set()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["get"], "name a storage: rr kv get STORAGE ...; rr kv list shows them"),
        (["get", "cache"], "name a key: rr kv get STORAGE KEY..."),
        (["set", "cache", "k"], "rr kv set STORAGE KEY VALUE; a VALUE of - is read from stdin"),
        (["set", "cache", "k", "v", "--ttl", "soon"], "--ttl soon: "),
        (["get", "nope", "k"], "rpc_mget: no such storage: nope"),
        (["get", "cache", " "], "rpc_mget: key can't be empty string"),
        (["ttl", "far", "k"], "dial tcp 127.0.0.1:9: connection refused"),
    ],
)
def test_errors_are_reported(server: Server, arguments: list[str], text: str) -> None:
    failed = run(server, *arguments)
    assert failed.code == 1
    assert text in failed.stderr
    assert failed.stdout == ""


def test_a_server_without_storages_is_reported(tmp_path: Path) -> None:
    with Server(tmp_path, {}) as server:
        failed = run(server, "list")
    assert (failed.code, failed.stderr) == (1, "the server has no storages; add the section `kv` to its config\n")
