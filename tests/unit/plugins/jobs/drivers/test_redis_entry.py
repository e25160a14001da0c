"""Jobs as fields of an entry in Redis."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.jobs.drivers.contract import FOREIGN, Job
from pyroadrunner.plugins.jobs.drivers.redis.entry import fields_of, job_of

_ENTRY = b"1700000000000-0"


def stored(job: Job) -> list[bytes]:
    """The fields as Redis gives them back."""
    return [one if isinstance(one, bytes) else str(one).encode() for one in fields_of(job)]


@pytest.mark.parametrize(
    "job",
    [
        Job(id="1", name="J", payload=b"", pipeline="p"),
        Job(id="1", name="J", payload=b"\x00\xff", pipeline="p", priority=-5, auto_ack=True),
        Job(id="ключ", name="J", payload=b"x", pipeline="p", headers={"h": ["1", "ключ"], "empty": []}),
    ],
)
def test_what_is_written_is_read(job: Job) -> None:
    assert job_of(_ENTRY, stored(job), "other", 10) == job


def test_the_fields_of_a_plain_job() -> None:
    fields = fields_of(Job(id="1", name="J", payload=b"x", pipeline="p"))
    assert dict(zip(fields[::2], fields[1::2], strict=True)) == {
        "id": "1",
        "job": "J",
        "payload": b"x",
        "pipeline": "p",
        "priority": 10,
    }


def test_an_entry_of_another_program_with_a_payload() -> None:
    found = job_of(_ENTRY, [b"job", b"App\\Job", b"payload", b"x", b"tenant", b"7"], "p", 3)
    assert found == Job(
        id=_ENTRY.decode(), name="App\\Job", payload=b"x", headers={"tenant": ["7"]}, pipeline="p", priority=3
    )


def test_an_entry_of_another_program_without_a_payload() -> None:
    found = job_of(_ENTRY, [b"user", b"7", b"event", "вход".encode()], "p", 3)
    assert (found.name, found.payload) == (FOREIGN, b'{"user": "7", "event": "\\u0432\\u0445\\u043e\\u0434"}')
    assert found.headers == {}


@pytest.mark.parametrize(
    ("headers", "read"),
    [
        (b"{", {}),
        (b"[1]", {}),
        (b"\xff", {}),
        (b'{"a": "\\ud800"}', {}),
        (b'{"a":' + b"[" * 30_000, {}),
        (b'{"a": "1", "b": [1, "2"], "c": true}', {"a": ["1"], "b": ["1", "2"], "c": ["true"]}),
    ],
)
def test_headers_of_another_shape(headers: bytes, read: dict[str, list[str]]) -> None:
    assert job_of(_ENTRY, [b"payload", b"", b"headers", headers], "p", 3).headers == read


@pytest.mark.parametrize("priority", [b"", b"high", b"0", b"9" * 30])
def test_a_priority_that_is_none_is_the_pipelines(priority: bytes) -> None:
    assert job_of(_ENTRY, [b"payload", b"", b"priority", priority], "p", 3).priority == 3
