"""The contract of all drivers, tested over RPC on a real server."""

from __future__ import annotations

import base64
import threading

import pytest

from pyroadrunner.proto.kv.v1.kv_pb2 import Item
from support.kv import KvClient, Refused, instant, now
from support.kv_subjects import Subject

BINARY = bytes(range(256))
HOUR = 3_600_000


# values and keys


def test_values_are_returned_byte_for_byte(kv: KvClient, subject: Subject) -> None:
    values = {"binary": BINARY, "empty": b"", "text": "ключ ☃".encode(), "lines": b"a\r\nEND\r\nb\0"}
    kv.set(values)
    assert kv.get(*values, "missing") == values


@pytest.mark.parametrize("key", ["a:b/c{d}", "ключ-☃", "UPPER.lower", "x" * 250, "'; DROP TABLE items; --", "%", "*"])
def test_keys_are_any_text(kv: KvClient, subject: Subject, key: str) -> None:
    if subject.name == "memcached" and " " in key:
        with pytest.raises(Refused, match="malformed: key"):
            kv.set({key: b"v"})
        return
    kv.set({key: b"v"})
    assert kv.get(key) == {key: b"v"}
    assert kv.has(key, "missing") == {key}
    kv.delete(key)
    assert kv.get(key) == {}


def test_large_values(kv: KvClient, subject: Subject) -> None:
    # The second looks like the end of a memcached reply wherever it is split.
    values = {"large": BINARY * (subject.largest // 256), "ends": b"END\r\n" * (subject.largest // 5), "small": b"s"}
    kv.set(values)
    for _ in range(5):
        assert kv.get(*values) == values


def test_many_keys_in_one_call(kv: KvClient, subject: Subject) -> None:
    values = {f"key-{number}": str(number).encode() for number in range(1000)}
    kv.set(values)
    assert kv.get(*values) == values
    assert kv.has(*values) == set(values)
    kv.delete(*values)
    assert kv.has(*values) == set()


def test_setting_replaces(kv: KvClient, subject: Subject) -> None:
    kv.set({"k": b"old", "other": b"o"})
    kv.set({"k": b"new"})
    assert kv.get("k", "other") == {"k": b"new", "other": b"o"}


def test_no_keys_give_no_items(kv: KvClient, subject: Subject) -> None:
    assert kv.get() == {}
    assert kv.has() == set()
    kv.set({})
    kv.delete()
    kv.expire({})
    assert kv.has("missing") == set()
    kv.delete("missing")


def test_clear_removes_everything(kv: KvClient, subject: Subject) -> None:
    kv.set({f"key-{number}": b"v" for number in range(100)})
    kv.set({"timed": b"v"}, now() + HOUR)
    kv.clear()
    assert kv.has("timed", *(f"key-{number}" for number in range(100))) == set()


# times; what happens when they pass is in test_kv_times.py


def test_times_are_returned_or_refused_as_php_expects(kv: KvClient, subject: Subject) -> None:
    expires = (now() // 1000 + 100) * 1000
    kv.set({"timed": b"v"}, expires)
    kv.set({"forever": b"v"})
    if not subject.tells_times:
        with pytest.raises(Refused) as refused:
            kv.ttl("timed")
        assert str(refused.value).startswith(f"rpc_ttl:\n\t{subject.operations}_ttl: ")
        return
    told = kv.ttl("timed", "forever", "missing")
    assert told.pop("timed") == pytest.approx(expires, abs=1000 if subject.late else 0)
    assert told == ({"forever": None} if subject.tells_forever else {})
    kv.expire({"timed": expires + HOUR, "forever": expires + HOUR})
    assert kv.ttl("timed", "forever") == {
        "timed": pytest.approx(expires + HOUR, abs=1000 if subject.late else 0),
        "forever": pytest.approx(expires + HOUR, abs=1000 if subject.late else 0),
    }


def test_a_new_time_in_the_past_deletes(kv: KvClient, subject: Subject) -> None:
    kv.set({"k": b"v", "other": b"o"})
    kv.expire({"k": now() - 5000})
    assert kv.has("k", "other") == {"other"}


def test_a_new_time_does_not_create_an_item(kv: KvClient, subject: Subject) -> None:
    if subject.refuses_unknown:
        with pytest.raises(Refused) as refused:
            kv.expire({"missing": now() + HOUR})
        assert str(refused.value).startswith(f"rpc_mexpire:\n\t{subject.operations}_mexpire: ")
    else:
        kv.expire({"missing": now() + HOUR})
    assert kv.has("missing") == set()


def test_setting_with_a_time_in_the_past(kv: KvClient, subject: Subject) -> None:
    kv.set({"k": b"v"}, now() - 5000)
    assert kv.has("k") == ({"k"} if subject.keeps_past else set())


# what is refused


@pytest.mark.parametrize("key", ["", "   "])
@pytest.mark.parametrize(
    ("method", "operation", "inner"),
    [
        ("Has", "rpc_has", "has"),
        ("MGet", "rpc_mget", "mget"),
        ("TTL", "rpc_ttl", "ttl"),
        ("Delete", "rcp_delete", "delete"),
        ("MExpire", "rpc_mexpire", "mexpire"),
        ("SetNX", "rpc_setnx", "setnx"),
    ],
)
def test_a_blank_key_is_refused(
    kv: KvClient, subject: Subject, key: str, method: str, operation: str, inner: str
) -> None:
    with pytest.raises(Refused) as refused:
        kv.call(method, [Item(key="fine"), Item(key=key, timeout=instant(now()))])
    assert str(refused.value) == f"{operation}: key can't be empty string:\n\t{subject.operations}_{inner}"


@pytest.mark.parametrize("key", ["", "  "])
def test_setting_a_blank_key(kv: KvClient, subject: Subject, key: str) -> None:
    if key in subject.blank_keys:
        kv.set({key: b"v"})
    else:
        with pytest.raises(Refused) as refused:
            kv.set({key: b"v"})
        assert f"{subject.operations}_set" in str(refused.value)


@pytest.mark.parametrize("storage", ["nope", "STORE"])
@pytest.mark.parametrize(
    ("method", "operation"),
    [
        ("Has", "rpc_has"),
        ("MGet", "rpc_mget"),
        ("TTL", "rpc_ttl"),
        ("Set", "rpc_set"),
        ("MExpire", "rpc_mexpire"),
        ("Delete", "rcp_delete"),
        ("Clear", "rcp_delete"),
    ],
)
def test_an_unknown_storage(kv: KvClient, storage: str, method: str, operation: str) -> None:
    kv.storage = storage
    with pytest.raises(Refused) as refused:
        kv.call(method, [Item(key="k")])
    assert str(refused.value) == f"{operation}: no such storage: {storage}"


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("Has", "rpc_has: no storage provided"),
        ("Set", "rpc_set: no such storage: "),
        ("Clear", "rcp_delete: no storage provided"),
    ],
)
def test_no_storage_named(kv: KvClient, method: str, text: str) -> None:
    kv.storage = ""
    with pytest.raises(Refused) as refused:
        kv.call(method)
    assert str(refused.value) == text


@pytest.mark.parametrize(("method", "operation"), [("Set", "rpc_set"), ("MExpire", "rpc_mexpire")])
def test_an_invalid_time_is_refused_and_nothing_is_stored(kv: KvClient, method: str, operation: str) -> None:
    with pytest.raises(Refused) as refused:
        kv.call(
            method, [Item(key="fine", value=b"v"), Item(key="k", timeout="soon")][1 if method == "MExpire" else 0 :]
        )
    assert str(refused.value).startswith(f'{operation}: parsing time "soon" as "2006-01-02T15:04:05Z07:00": ')
    assert kv.has("fine", "k") == set()


def test_mexpire_requires_a_time(kv: KvClient, subject: Subject) -> None:
    with pytest.raises(Refused, match="should set timeout"):
        kv.call("MExpire", [Item(key="k")])


def test_json_has_bytes_in_base64(kv: KvClient) -> None:
    item = {"key": "k", "value": base64.b64encode(BINARY).decode()}
    assert kv.json("Set", {"storage": "store", "items": [item]}) == {}
    assert kv.get("k") == {"k": BINARY}
    assert kv.json("MGet", {"storage": "store", "items": [{"key": "k"}]}) == {"items": [item]}
    assert kv.json("Has", {"storage": "store", "items": [{"key": "missing"}]}) == {}


# not in RoadRunner


def test_counters(kv: KvClient, subject: Subject) -> None:
    assert kv.count("Incr", "c") == 1
    assert kv.count("Incr", "c", 41) == 42
    assert kv.count("Decr", "c") == 41
    assert kv.count("Decr", "c", 40) == 1
    assert kv.get("c")["c"].rstrip() == b"1"  # memcached keeps the length and fills with blanks
    assert kv.count("Decr", "c", 3) == (-2 if subject.below_zero else 0)


def test_a_value_that_is_not_a_number_can_not_be_counted_and_is_kept(kv: KvClient, subject: Subject) -> None:
    kv.set({"k": b"text"})
    with pytest.raises(Refused, match=f"rpc_incr:\n\t{subject.operations}_incr: "):
        kv.count("Incr", "k")
    assert kv.get("k") == {"k": b"text"}


def test_only_absent_keys_are_set(kv: KvClient, subject: Subject) -> None:
    kv.set({"there": b"old"})
    assert kv.set_absent({"there": b"new", "absent": b"new"}) == {"absent"}
    assert kv.get("there", "absent") == {"there": b"old", "absent": b"new"}


def test_concurrent_counting_loses_nothing(kv: KvClient, served: tuple[Subject, object]) -> None:
    def work(results: list[int]) -> None:
        with KvClient(address, "store") as client:
            results += [client.count("Incr", "c") for _ in range(100)]

    address = str(served[1].rpc)  # type: ignore[attr-defined]
    results: list[list[int]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=work, args=(result,)) for result in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for result in results for number in result) == list(range(1, 401))


def test_the_storage_is_listed(kv: KvClient, subject: Subject) -> None:
    kv.set({"a": b"1", "b": b"2"})
    (listed,) = kv.json("List", True)
    assert listed.pop("items") >= 2  # memcached counts what was cleared until it needs the place
    assert listed == {"name": "store", "driver": subject.config["driver"], "error": ""}
