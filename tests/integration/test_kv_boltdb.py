"""The boltdb driver loses no acknowledged write, whatever happens to the server or the disk."""

from __future__ import annotations

import resource
import signal
import sqlite3
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from support.kv import Gone, KvClient, Refused, now
from support.server import Server, rr


def server(folder: Path, **config: Any) -> Server:
    return Server(folder, {"kv": {"disk": {"driver": "boltdb", "config": config}}})


def write_until_it_ends(address: str, name: str, acknowledged: dict[str, bytes], enough: threading.Event) -> None:
    """Write new keys until the connection ends; note each acknowledged one."""
    with KvClient(address, "disk") as kv:
        for number in range(1_000_000):
            key, value = f"{name}-{number}", f"value of {number} ".encode() * 50
            try:
                kv.set({key: value})
            except (Gone, OSError):
                return
            acknowledged[key] = value
            if number == 100:
                enough.set()


@pytest.mark.parametrize("synchronous", ["full", "normal"])
def test_a_kill_during_writes_loses_no_acknowledged_item(tmp_path: Path, synchronous: str) -> None:
    written: list[dict[str, bytes]] = [{} for _ in range(4)]
    with server(tmp_path, synchronous=synchronous) as first:
        enough = [threading.Event() for _ in written]
        threads = [
            threading.Thread(target=write_until_it_ends, args=(first.rpc, str(n), written[n], enough[n]))
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        assert all(event.wait(30) for event in enough)
        first.send(signal.SIGKILL)
        for thread in threads:
            thread.join(30)
        assert first.wait() == -signal.SIGKILL
    with server(tmp_path, synchronous=synchronous) as second, KvClient(second.rpc, "disk") as kv:
        for values in written:
            assert len(values) > 100
            assert kv.get(*values) == values


def fill(kv: KvClient, stored: dict[str, bytes]) -> None:
    """Store items until one is refused; note each stored one."""
    for number in range(1000):
        kv.set({f"k{number}": b"x" * 5000})
        stored[f"k{number}"] = b"x" * 5000


def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    with server(tmp_path) as running, KvClient(running.rpc, "disk") as kv:
        kv.set({"before": b"b" * 1000})
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        stored: dict[str, bytes] = {}
        with pytest.raises(Refused) as refused:
            fill(kv, stored)
        assert str(refused.value).startswith("rpc_set:\n\tboltdb_driver_set: ")
        assert len(stored) < 1000
        assert kv.get("before", *stored) == {"before": b"b" * 1000, **stored}
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        kv.set({"after": b"a"})
        assert kv.get("after") == {"after": b"a"}
    with server(tmp_path) as running, KvClient(running.rpc, "disk") as kv:
        assert kv.get("before", "after", *stored) == {"before": b"b" * 1000, "after": b"a", **stored}


def test_items_and_times_survive_a_restart(tmp_path: Path) -> None:
    soon, later = now() + 1500, (now() // 1000 + 3600) * 1000
    with server(tmp_path, file="cache.db", permissions=0o640) as running, KvClient(running.rpc, "disk") as kv:
        kv.set({"soon": b"s"}, soon)
        kv.set({"later": b"l"}, later)
        kv.set({"forever": b"f"})
        modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("cache.db*")}
        assert modes == {0o640}
    assert [file.name for file in tmp_path.glob("cache.db*")] == ["cache.db"]
    with server(tmp_path, file="cache.db", permissions=0o640) as running, KvClient(running.rpc, "disk") as kv:
        assert kv.ttl("later", "forever") == {"later": later}
        before = now()
        while kv.has("soon"):
            assert before < soon
            before = now()
        assert kv.get("soon", "later", "forever") == {"later": b"l", "forever": b"f"}


def test_expired_items_are_deleted_by_the_sweep(tmp_path: Path) -> None:
    with server(tmp_path, interval=1) as running, KvClient(running.rpc, "disk") as kv:
        kv.set({f"k{number}": b"v" for number in range(2500)}, now() + 10)
        kv.set({"stays": b"v"})
        with sqlite3.connect(tmp_path / "rr.db") as file:
            deadline = time.monotonic() + 20
            while file.execute("SELECT count(*) FROM items").fetchone()[0] > 1:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        file.close()
        assert kv.get("stays") == {"stays": b"v"}


def test_two_servers_may_share_a_file(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    file = str(tmp_path / "shared.db")
    with (
        server(tmp_path / "one", file=file) as one,
        server(tmp_path / "two", file=file) as two,
        KvClient(one.rpc, "disk") as first,
        KvClient(two.rpc, "disk") as second,
    ):
        first.set({"k": b"1"})
        assert second.get("k") == {"k": b"1"}
        assert [first.count("Incr", "k"), second.count("Incr", "k"), first.count("Incr", "k")] == [2, 3, 4]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (bytes(16) + b"\xed\xda\x0c\xed" + bytes(8192), "the file is a BoltDB file of RoadRunner and can't be read"),
        (b"some notes\n" * 500, "the file is not an SQLite database and can't be read; set another `file`"),
    ],
)
def test_a_foreign_file_is_left_alone_and_named(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "rr.db").write_bytes(content)
    refused = start_refused(tmp_path, {})
    assert f"kv.disk: the driver boltdb can't be used: {tmp_path / 'rr.db'}: {text}" in refused
    assert (tmp_path / "rr.db").read_bytes() == content


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'no/rr.db'}: no such file or directory; set `file` to" in start_refused(
        tmp_path, {"file": "no/rr.db"}
    )


def start_refused(folder: Path, config: dict[str, Any]) -> str:
    server(folder, **config)  # writes the config
    finished = rr("serve", cwd=folder)
    assert finished.code == 1
    return finished.stderr
