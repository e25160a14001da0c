"""What a dead letter keeps of its job."""

from __future__ import annotations

from pyroadrunner.plugins.jobs.dead_letters import buried, revived
from pyroadrunner.plugins.jobs.drivers.contract import Delivery, Job
from pyroadrunner.plugins.jobs.outcome import Bury


def test_a_dead_letter_does_not_go_back_to_the_place_of_its_job() -> None:
    job = Job(id="1", name="J", payload=b"x", topic="mails", partition=3, offset=7, metadata="m")
    dead = buried(Delivery(job=job), "p", Bury("rejected", "no"), 0.0)
    for one in (dead, revived(job)):
        assert (one.topic, one.partition, one.offset, one.metadata) == ("", 0, 0, "m")
