"""The body of a job on beanstalkd, as RoadRunner writes it."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.jobs.drivers.beanstalk.gob import BOOL, BYTES, INT, STRING, fields, message, struct_definition
from pyroadrunner.plugins.jobs.drivers.beanstalk.gob import text as gob_text
from pyroadrunner.plugins.jobs.drivers.beanstalk.message import body_of, job_of
from pyroadrunner.plugins.jobs.drivers.contract import FOREIGN, Job

# Recorded from RoadRunner 2025.1.11.
_DEFINITIONS = bytes.fromhex(
    "3c7f030101044974656d01ff8000010401034a6f62010c0001054964656e74010c0001075061796c6f6164010a0001074f7074696f6e7301"
    "ff820000004fff81030101074f7074696f6e7301ff8200010501085072696f726974790104000108506970656c696e65010c00010544656c"
    "617901040001074175746f41636b01020001055175657565010c000000"
)
_VALUE = bytes.fromhex("27ff8001074170705c4a6f62010549442d6265010a7b226b223a22c3a9227d01010e010262650000")
_JOB = Job(id="ID-be", name="App\\Job", payload='{"k":"é"}'.encode(), pipeline="be", priority=7)


def test_a_job_is_written_as_by_roadrunner() -> None:
    assert body_of(_JOB) == _DEFINITIONS + _VALUE


def test_a_job_of_roadrunner_is_read() -> None:
    assert job_of(_DEFINITIONS + _VALUE, "other", 10) == _JOB


@pytest.mark.parametrize(
    "job",
    [
        Job(id="1", name="J", payload=b"", pipeline="p"),
        Job(id="1", name="J", payload=b"\x00\xff" * 100_000, pipeline="p", delay=1000, auto_ack=True, priority=-5),
        Job(id="", name="", payload=b"x", pipeline="p"),
        Job(id="ключ", name="J", payload=b"x", pipeline="p", headers={"h": ["1", "ключ"], "empty": []}),
    ],
)
def test_what_is_written_is_read(job: Job) -> None:
    assert job_of(body_of(job), "other", 10) == job


def test_headers_are_a_further_field_that_other_readers_skip() -> None:
    with_headers = body_of(Job(id="1", name="J", payload=b"x", pipeline="p", headers={"h": ["v"]}))
    assert b'{"h":["v"]}' in with_headers
    assert b"Hdrs" in with_headers


def test_a_job_without_priority_and_pipeline_gets_those_of_its_pipeline() -> None:
    body = body_of(Job(id="1", name="J", payload=b"x", priority=0))
    found = job_of(body, "mine", 3)
    assert (found.pipeline, found.priority) == ("mine", 3)


@pytest.mark.parametrize("body", [b"", b"hello", b'{"job": "x"}', b"\x00" * 50, b"\xff" * 50, _DEFINITIONS])
def test_what_is_no_gob_is_the_payload_of_a_new_job(body: bytes) -> None:
    found, again = job_of(body, "mine", 3), job_of(body, "mine", 3)
    assert (found.name, found.payload, found.pipeline, found.priority) == (FOREIGN, body, "mine", 3)
    assert found.id != again.id


def test_another_struct_is_the_payload_of_a_new_job() -> None:
    body = struct_definition(66, "Point", {"X": INT}) + message(66, fields([b"\x02"]))
    assert job_of(body, "mine", 3).payload == body


def test_a_field_of_another_type_makes_it_the_payload_of_a_new_job() -> None:
    body = struct_definition(66, "Item", {"Job": INT}) + message(66, fields([b"\x02"]))
    assert job_of(body, "mine", 3).payload == body


@pytest.mark.parametrize(
    "headers", [b"[]", b"{", b'{"a": 1}', b'{"a": [1]}', b'{"a": ["\\ud800"]}', b"\xff", b'{"a":' + b"[" * 30_000]
)
def test_headers_of_another_shape_are_left_out(headers: bytes) -> None:
    definition = struct_definition(66, "Item", {"Job": STRING, "Hdrs": BYTES, "New": BOOL})
    body = definition + message(66, fields([gob_text(b"J"), gob_text(headers), b"\x01"]))
    found = job_of(body, "mine", 3)
    assert (found.name, found.headers) == ("J", {})
