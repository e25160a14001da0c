"""What a worker gets: the keys of RoadRunner (jobs.md, section 2.1)."""

from __future__ import annotations

from pyroadrunner.plugins.jobs.context import payload_of
from pyroadrunner.plugins.jobs.drivers.contract import Delivery, Job
from pyroadrunner.workers.payload import Codec


def test_the_head_is_that_of_roadrunner() -> None:
    job = Job(id="A", name="App\\Job", payload=b"\x00\xff", headers={"h": ["1", "2"]}, pipeline="p")
    payload = payload_of(Delivery(job=job), "memory")
    assert (
        payload.context == b'{"id":"A","job":"App\\\\Job","driver":"memory","headers":{"h":["1","2"]},"pipeline":"p"}'
    )
    assert payload.body == b"\x00\xff"
    assert payload.codec == Codec.RAW


def test_a_queue_and_the_keys_of_a_driver_are_added_and_no_headers_are_null() -> None:
    job = Job(id="A", name="J", payload=b"", pipeline="p")
    delivery = Delivery(job=job, queue="t", more={"topic": "t", "partition": 1, "offset": 7})
    head = b'{"id":"A","job":"J","driver":"kafka","headers":null,"queue":"t","pipeline":"p"'
    assert payload_of(delivery, "kafka").context == head + b',"topic":"t","partition":1,"offset":7}'
