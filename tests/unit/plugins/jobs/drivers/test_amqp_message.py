"""Jobs as messages of AMQP: what does not need a broker."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pyroadrunner.plugins.jobs.drivers.amqp.message import LONGEST_DELAY, Message, Route, job_of, message_of
from pyroadrunner.plugins.jobs.drivers.contract import Job, PushRefused

ROUTE = Route(exchange="e", routing_key="k", queue="q", keyless=False)


def message(route: Route = ROUTE, **fields: Any) -> Message:
    return message_of(Job(**{"id": "1", "name": "Job", "payload": b"", "pipeline": "p", **fields}), route)


def test_the_routing_key_of_a_job_is_not_sent_as_header() -> None:
    found = message(headers={"x-routing-key": ["other"], "a": ["b"]})
    assert (found.exchange, found.routing_key, found.headers["rr_headers"]) == ("e", "other", b'{"a":["b"]}')
    for values in ([], ["a", "b"], [""]):
        assert message(headers={"x-routing-key": values}).routing_key == "k"
    with pytest.raises(PushRefused, match="longer than 255 bytes"):
        message(headers={"x-routing-key": ["k" * 256]})


def test_headers_that_workers_send_back_are_not_sent_twice() -> None:
    found = message(headers={"rr_id": ["old"], "rr_headers": ["{}"], "rr_attempts": ["1"]})
    assert (found.headers["rr_id"], found.headers["rr_headers"]) == ("1", b'{"rr_attempts":["1"]}')


def test_exchanges_without_keys() -> None:
    assert message(Route(exchange="e", routing_key="", queue="", keyless=True)).routing_key == ""
    with pytest.raises(PushRefused, match="empty routing key"):
        message(Route(exchange="e", routing_key="", queue="q", keyless=False))


def test_queues_of_delays() -> None:
    found = message(delay=5)
    assert (found.exchange, found.routing_key) == ("", "delayed-5000.e.q")
    assert found.delayed_by is not None
    assert found.delayed_by.arguments == {
        "x-dead-letter-exchange": "e",
        "x-dead-letter-routing-key": "k",
        "x-message-ttl": 5000,
        "x-expires": 10_000,
    }
    producer = Route(exchange="e", routing_key="k", queue="", keyless=False)
    assert message(producer, delay=5).routing_key == "delayed-5000.e.k"
    assert message(delay=LONGEST_DELAY).routing_key == f"delayed-{LONGEST_DELAY}000.e.q"
    with pytest.raises(PushRefused, match="the longest delay is"):
        message(delay=LONGEST_DELAY + 1)
    with pytest.raises(PushRefused, match="the name of the queue for delayed jobs is longer than 255 bytes"):
        message(Route(exchange="e" * 200, routing_key="k", queue="q" * 50, keyless=False), delay=1)


def test_headers_of_all_types() -> None:
    table = {
        "number": 1,
        "float": 1.5,
        "decimal": Decimal("1.20"),
        "no": False,
        "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "list": ["a", [1, True], {"deep": b"\xff"}],
        "void": None,
        b"bytes": "x",
    }
    job, added = job_of(table, b"body", "p", 10)
    assert job.headers == {
        "number": ["1"],
        "float": ["1.50000"],
        "decimal": ["1.20"],
        "no": ["false"],
        "time": ["2026-01-02T03:04:05Z"],
        "list": ["true"],
        "deep": ["\ufffd"],
        "bytes": ["x"],
    }
    assert added == {}


@pytest.mark.parametrize("headers", [b"nonsense", b"[]", b'{"a":1}', b"\xff", 5, None])
def test_broken_headers_of_a_job_are_not_its_end(headers: object) -> None:
    job, added = job_of({"rr_id": "1", "rr_headers": headers}, b"", "p", 10)
    assert (job.id, added) == ("1", {})


@pytest.mark.parametrize(
    ("encoded", "headers"),
    [(b"null", {}), (b'{"a":null,"b":["c"]}', {"a": [], "b": ["c"]}), ('{"b":["c"]}', {"b": ["c"]})],
)
def test_headers_of_a_job(encoded: object, headers: dict[str, list[str]]) -> None:
    job, added = job_of({"rr_headers": encoded, "x": 1}, b"", "p", 10)
    assert {name: job.headers[name] for name in headers} == headers
    assert set(added) == {"rr_headers", "x"}


def test_wrong_types_of_our_headers() -> None:
    wrong = {"rr_id": 1, "rr_job": b"x", "rr_pipeline": 2, "rr_priority": "9", "rr_delay": True, "rr_auto_ack": "true"}
    job, _ = job_of(wrong, b"", "p", 7)
    assert (len(job.id), job.name, job.pipeline, job.priority, job.delay) == (36, "deduced_by_rr", "p", 7, 0)
    assert job.auto_ack is False
    assert job_of({"rr_priority": 0}, b"", "p", 7)[0].priority == 7
    assert job_of({"rr_priority": -3}, b"", "p", 7)[0].priority == -3
    assert job_of(None, b"", "p", 7)[0].headers == {}
