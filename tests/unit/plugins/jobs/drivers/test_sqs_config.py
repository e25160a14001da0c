"""Settings of the driver ``sqs``."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.plugins.jobs.declaration import read_declaration
from pyroadrunner.plugins.jobs.drivers.sqs.config import DRIVER, SqsConfig, SqsSection
from pyroadrunner.plugins.jobs.errors import BadDeclaration


def declared(**values: str) -> SqsConfig:
    found = read_declaration("sqs", DRIVER, values).config
    assert isinstance(found, SqsConfig)
    return found


def test_what_the_php_package_declares() -> None:
    values = {
        "prefetch": "10",
        "visibility_timeout": "5",
        "wait_time": "3",
        "queue": "q.fifo",
        "skip_queue_declaration": "false",
        "attributes": '{"DelaySeconds":"7"}',
        "tags": "[]",
        "message_group_id": "g",
    }
    found = declared(**values)
    assert found == SqsConfig(
        prefetch=10,
        visibility_timeout=5,
        wait_time=3,
        queue="q.fifo",
        attributes={"DelaySeconds": "7"},
        message_group_id="g",
    )
    assert (found.fifo, found.wait, found.in_flight) == (True, 3, 10)


def test_defaults() -> None:
    found = SqsConfig(prefetch=0, queue="")
    assert (found.queue, found.prefetch, found.in_flight, found.wait, found.fifo) == ("default", 1, 1, 1, False)
    assert SqsConfig(wait_time_seconds=5, wait_time=3).wait == 5
    assert SqsConfig(prefetch=10, max_messages_in_flight=40).in_flight == 40


@pytest.mark.parametrize(
    ("key", "value"), [("prefetch", "11"), ("visibility_timeout", "43201"), ("wait_time_seconds", "21")]
)
def test_limits_of_the_service(key: str, value: str) -> None:
    with pytest.raises(BadDeclaration, match=key):
        declared(**{key: value})


def test_attributes_by_names_in_any_case() -> None:
    given: dict[str, Any] = {
        "delayseconds": 7,
        "VISIBILITYTIMEOUT": "33",
        "contentbaseddeduplication": True,
        "redrivepolicy": {"maxReceiveCount": 3},
        "fifothroughputlimit": "permessagegroupid",
        "deduplicationscope": "messagegroup",
        "nonsense": 1,
    }
    assert SqsConfig(queue="q.fifo", attributes=given).queue_attributes() == {
        "DelaySeconds": "7",
        "VisibilityTimeout": "33",
        "ContentBasedDeduplication": "true",
        "RedrivePolicy": '{"maxReceiveCount":3}',
        "FifoThroughputLimit": "perMessageGroupId",
        "DeduplicationScope": "messageGroup",
        "FifoQueue": "true",
    }


def test_a_key_needs_its_secret() -> None:
    assert [key for key, _ in SqsSection(key="k").faults()] == ["secret"]
    assert [key for key, _ in SqsSection(endpoint="host").faults()] == ["endpoint"]
