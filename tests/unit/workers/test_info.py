"""A worker as RPC clients see it."""

from __future__ import annotations

import msgspec

from pyroadrunner.workers.info import WorkerInfo

INFO = WorkerInfo(
    pid=7,
    status=2,
    num_execs=3,
    created=1_700_000_000_000_000_000,
    memory_usage=1 << 20,
    cpu_percent=1.5,
    status_str="working",
    pool="http",
    activity="GET /slow",
    activity_since=1_700_000_000_000_000_001,
    cpu_seconds=0.25,
)


THEIRS = {
    "pid": 7,
    "status": 2,
    "numExecs": 3,
    "created": 1_700_000_000_000_000_000,
    "memoryUsage": 1 << 20,
    "CPUPercent": 1.5,
    "command": "",
    "statusStr": "working",
}
OURS = {"pool": "http", "activity": "GET /slow", "activitySince": 1_700_000_000_000_000_001, "cpuSeconds": 0.25}


def test_the_keys_are_those_of_roadrunner_and_four_of_ours() -> None:
    assert msgspec.json.decode(msgspec.json.encode(INFO)) == THEIRS | OURS


def test_the_public_info_has_only_the_keys_of_roadrunner() -> None:
    assert msgspec.json.decode(msgspec.json.encode(INFO.public())) == THEIRS


def test_encoded_info_is_decoded_to_the_same() -> None:
    assert msgspec.json.decode(msgspec.json.encode(INFO), type=WorkerInfo) == INFO


def test_a_reply_of_roadrunner_is_decoded() -> None:
    """The commands also work with a RoadRunner written in Go."""
    theirs = (
        b'{"pid":7,"status":1,"numExecs":0,"created":1,"memoryUsage":2,"CPUPercent":0.5,"command":"",'
        b'"statusStr":"ready"}'
    )
    info = msgspec.json.decode(theirs, type=WorkerInfo)
    assert (info.pid, info.status_str, info.cpu_percent, info.activity) == (7, "ready", 0.5, "")
