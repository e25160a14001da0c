"""The memcached driver with several servers, and with servers that are unreachable, hang, or are not memcached."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pyroadrunner.plugins.kv.config import MemcachedConfig
from pyroadrunner.plugins.kv.drivers.memcached import MemcachedStore
from support.kv import KvClient, Refused
from support.memcached import memcached
from support.programs import wait_for_port
from support.server import Server, free_port

KEYS = [f"key-{number}" for number in range(300)]


@contextmanager
def kv_of(folder: Path, addresses: Sequence[str], timeout: str = "20s") -> Iterator[KvClient]:
    storage = {"driver": "memcached", "config": {"addr": list(addresses), "timeout": timeout}}
    with Server(folder, {"kv": {"far": storage}}) as server, KvClient(server.rpc, "far") as kv:
        yield kv


def items_of(address: str) -> int:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(b"stats\r\nquit\r\n")
        stats = b"".join(iter(lambda: connection.recv(65536), b"")).split()
    return int(stats[stats.index(b"curr_items") + 1])


def test_servers_share_the_keys_and_all_are_cleared(tmp_path: Path) -> None:
    with ExitStack() as stack:
        addresses = [stack.enter_context(memcached(tmp_path))[0] for _ in range(3)]
        kv = stack.enter_context(kv_of(tmp_path, addresses))
        kv.set(dict.fromkeys(KEYS, b"v"))
        assert sum(map(items_of, addresses)) == len(KEYS)
        assert all(items_of(address) > 50 for address in addresses)
        assert kv.get(*KEYS) == dict.fromkeys(KEYS, b"v")
        kv.clear()
        assert kv.get(*KEYS) == {}


def test_an_unreachable_server_is_an_error_for_its_keys_until_it_is_back(tmp_path: Path) -> None:
    with ExitStack() as stack:
        (first, program), (second, _) = [stack.enter_context(memcached(tmp_path)) for _ in range(2)]
        kv = stack.enter_context(kv_of(tmp_path, [first, second]))
        kv.set(dict.fromkeys(KEYS, b"v"))
        program.kill()
        answers = {key: answer_or_error(kv, key) for key in KEYS}
        lost = [key for key, answer in answers.items() if answer != {key: b"v"}]
        assert 50 < len(lost) < 250
        assert all(str(answers[key]).startswith("rpc_mget:\n\tmemcached_plugin_mget: ") for key in lost)
        assert f"dial tcp {first}: connection refused" in str(answers[lost[-1]])
        program.start()
        wait_for_port(int(first.rpartition(":")[2]), program)
        kv.set({lost[0]: b"new"})
        assert kv.get(lost[0], lost[1]) == {lost[0]: b"new"}


def answer_or_error(kv: KvClient, key: str) -> dict[str, bytes] | str:
    try:
        return kv.get(key)
    except Refused as error:
        return str(error)


def test_a_hanging_server_is_a_timeout(tmp_path: Path) -> None:
    with memcached(tmp_path) as (address, program), kv_of(tmp_path, [address], "2s") as kv:
        kv.set({"k": b"v"})
        os.kill(program.pid, signal.SIGSTOP)
        try:
            with pytest.raises(Refused, match=r"no answer within 2 s"):
                kv.get("k")
        finally:
            os.kill(program.pid, signal.SIGCONT)
        assert kv.get("k") == {"k": b"v"}


def test_a_server_that_is_not_memcached_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1000)
                client.sendall(b"\x15\x08" * 4000)
                client.recv(1000)

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with kv_of(tmp_path, [address]) as kv, pytest.raises(Refused, match="does not speak memcached's text protocol"):
            kv.get("k")
        thread.join()


def test_a_value_that_is_too_large_is_an_error_without_side_effects(tmp_path: Path) -> None:
    with memcached(tmp_path) as (address, _), kv_of(tmp_path, [address]) as kv:
        kv.set({"k": b"v"})
        with pytest.raises(Refused, match="SERVER_ERROR object too large for cache"):
            kv.set({"large": b"x" * 2_000_000})
        assert kv.get("k", "large") == {"k": b"v"}


def test_the_start_does_not_need_a_running_server(tmp_path: Path) -> None:
    with kv_of(tmp_path, [f"127.0.0.1:{free_port()}"]) as kv:
        with pytest.raises(Refused, match="connection refused"):
            kv.set({"k": b"v"})
        assert "connection refused" in kv.json("List", True)[0]["error"]


def test_only_the_share_of_a_new_server_moves() -> None:
    addresses = [f"127.0.0.1:{port}" for port in range(11211, 11215)]
    old, new = (MemcachedStore(MemcachedConfig(addr=addresses[:count])) for count in (3, 4))
    homes = [(old._server(key.encode()).address, new._server(key.encode()).address) for key in KEYS]
    moved = [after for before, after in homes if before != after]
    assert set(moved) == {addresses[3]}
    assert 30 < len(moved) < 130
