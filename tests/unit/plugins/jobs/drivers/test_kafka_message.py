"""Jobs as Kafka's records."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.jobs.drivers.contract import Job
from pyroadrunner.plugins.jobs.drivers.kafka.message import headers_of, read_record


def test_the_headers_of_a_job_are_those_of_roadrunner() -> None:
    job = Job(id="1", name="App\\Job", payload=b"", headers={"h": ["é"]}, pipeline="p", priority=7)
    assert headers_of(job, 0) == [
        ("h", "é".encode()),
        ("rr_job", b"App\\Job"),
        ("rr_pipeline", b"p"),
        ("rr_priority", b"\x07\0\0\0\0\0\0\0"),
    ]


def test_a_job_comes_back_as_it_was() -> None:
    job = Job(
        id="1", name="J", payload=b"\xff", headers={"h": ["1", "2"]}, pipeline="q", priority=-3, delay=5, auto_ack=True
    )
    record = read_record(b"1", b"\xff", headers_of(job, 100.0), "p", 10)
    assert record.job == Job(
        id="1", name="J", payload=b"\xff", headers={"h": ["1", "2"]}, pipeline="q", priority=-3, auto_ack=True
    )
    assert record.due == 105.0


@pytest.mark.parametrize("key", [None, b"", b"\xff"])
def test_a_record_without_a_usable_key_has_a_new_id(key: bytes | None) -> None:
    one, two = (read_record(key, None, None, "p", 4).job for _ in range(2))
    assert len(one.id) == 36
    assert one.id != two.id
    assert (one.name, one.payload, one.pipeline, one.priority, one.headers) == ("deduced_by_rr", b"", "p", 4, {})


@pytest.mark.parametrize("value", [None, b"", b"\x01", b"\0" * 8, b"\0" * 9])
def test_a_priority_that_is_none(value: bytes | None) -> None:
    assert read_record(b"1", b"", [("rr_priority", value)], "p", 4).job.priority == 4


@pytest.mark.parametrize("value", [None, b"", b"x", b"-1", b"9" * 5000, "٣".encode()])
def test_a_time_that_is_none(value: bytes | None) -> None:
    assert read_record(b"1", b"", [("rr_not_before", value)], "p", 4).due == 0.0


def test_a_copy_keeps_the_bytes_of_headers_that_are_no_text() -> None:
    received = read_record(b"\xfe", b"", [("b", b"\xff\0"), ("n", None), ("c", b"1"), ("b", b"2")], "p", 4)
    assert received.job.headers == {"b": ["\ufffd\0", "2"], "n": [""], "c": ["1"]}
    copy = received.job.copy({"c": ["2"], "new": ["3"]}, 0)
    assert headers_of(copy, 0, received)[:5] == [
        ("b", b"\xff\0"),
        ("b", b"2"),
        ("n", None),
        ("c", b"2"),
        ("new", b"3"),
    ]
    assert received.key_of_copy() == b"\xfe"
