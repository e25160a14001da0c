"""The order in which waiting jobs run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroadrunner.plugins.jobs.drivers.contract import Delivery, Job
from pyroadrunner.plugins.jobs.job_queue import JobQueue, Lane


def delivery(name: str, priority: int = 10, key: str | None = None) -> Delivery:
    return Delivery(job=Job(id=name, name="J", payload=b"", priority=priority), order_key=key)


def taken(queue: JobQueue) -> list[str]:
    found = []
    while (one := queue.take()) is not None:
        found.append(one[1].job.id)
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2))))
def test_lower_numbers_first_then_the_order_of_arrival_over_all_pipelines(jobs: list[tuple[int, int]]) -> None:
    queue = JobQueue(1000)
    lanes = [queue.open_lane(0) for _ in range(3)]
    for number, (priority, lane) in enumerate(jobs):
        queue.add(lanes[lane], delivery(str(number), priority))
    expected = sorted(range(len(jobs)), key=lambda number: (jobs[number][0], number))
    assert len(queue) == len(jobs)
    assert taken(queue) == [str(number) for number in expected]
    assert len(queue) == 0


def test_a_pipeline_at_its_concurrency_lets_the_others_pass() -> None:
    queue = JobQueue(1000)
    slow, fast = queue.open_lane(1), queue.open_lane(0)
    first, second = delivery("s1", 1), delivery("s2", 1)
    queue.add(slow, first)
    queue.add(slow, second)
    queue.add(fast, delivery("f", 9))
    assert taken(queue) == ["s1", "f"]
    assert not queue.runnable
    slow.done(first)
    assert queue.runnable
    assert taken(queue) == ["s2"]


def test_jobs_with_the_same_order_key_run_one_after_another() -> None:
    queue = JobQueue(1000)
    lane = queue.open_lane(0)
    jobs = [delivery("a1", key="a"), delivery("a2", 1, key="a"), delivery("b1", key="b"), delivery("a3", key="a")]
    for job in jobs:
        queue.add(lane, job)
    assert len(lane) == 4
    assert taken(queue) == ["a1", "b1"]
    lane.done(jobs[0])
    assert taken(queue) == ["a2"]
    lane.done(jobs[1])
    lane.done(jobs[2])
    assert taken(queue) == ["a3"]
    lane.done(jobs[3])
    queue.add(lane, delivery("a4", key="a"))
    assert taken(queue) == ["a4"]


def test_draining_gives_all_waiting_jobs_back_in_their_order() -> None:
    queue = JobQueue(1000)
    lane = queue.open_lane(0)
    running = delivery("r", key="a")
    for job in (running, delivery("1", key="a"), delivery("2", 3), delivery("3", key="a")):
        queue.add(lane, job)
    taken_one = queue.take()
    assert taken_one is not None
    assert taken_one[1].job.id == "2"
    assert [one.job.id for one in lane.drain()] == ["r", "1", "3"]
    assert len(queue) == 0


def test_a_drained_key_is_still_held_by_its_running_job() -> None:
    queue = JobQueue(1000)
    lane = queue.open_lane(0)
    running = delivery("r", key="a")
    queue.add(lane, running)
    queue.take()
    lane.drain()
    queue.add(lane, delivery("next", key="a"))
    assert queue.take() is None
    lane.done(running)
    assert taken(queue) == ["next"]


def test_a_full_queue_has_room_again_when_half_of_it_has_gone() -> None:
    queue = JobQueue(4)
    lane = queue.open_lane(0)
    told: list[str] = []
    assert queue.room(lambda: told.append("no")) == 4
    for number in range(5):
        queue.add(lane, delivery(str(number)))
    assert queue.room(lambda: told.append("room")) == 0
    queue.take()
    queue.take()
    assert told == []
    assert queue.room(lambda: told.append("again")) == 0
    queue.take()
    assert told == ["room", "again"]
    assert queue.room(lambda: None) == 2


def test_one_that_asks_for_room_again_and_again_is_told_once() -> None:
    queue = JobQueue(1)
    lane = queue.open_lane(0)
    queue.add(lane, delivery("1"))
    told: list[int] = []

    def note() -> None:
        told.append(1)

    for _ in range(3):
        assert queue.room(note) == 0
    queue.take()
    assert told == [1]


def test_a_closed_lane_is_forgotten() -> None:
    queue = JobQueue(4)
    lane = queue.open_lane(0)
    queue.close_lane(lane)
    assert repr(queue) == "JobQueue([])"
    with pytest.raises(ValueError):
        queue.close_lane(Lane(0))
