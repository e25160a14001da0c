"""Messages of `jobs`."""

from __future__ import annotations

from pyroadrunner.sdk.jobs import NewJob
from pyroadrunner.sdk.jobs.messages import declare, push, push_many


def test_a_job_has_all_its_fields() -> None:
    job = NewJob(
        name="send",
        payload="текст",
        headers={"a": "1", "b": ["2", "3"]},
        delay=5,
        priority=-1,
        auto_ack=True,
        id="mine",
    )
    sent = push("mails", job).job
    assert (sent.job, sent.id, sent.payload) == ("send", "mine", "текст".encode())
    assert {name: list(header.value) for name, header in sent.headers.items()} == {"a": ["1"], "b": ["2", "3"]}
    options = sent.options
    assert (options.pipeline, options.delay, options.priority, options.auto_ack) == ("mails", 5, -1, True)


def test_each_job_has_an_id_of_its_own() -> None:
    sent = push_many("mails", [NewJob(name="a"), NewJob(name="a")]).jobs
    assert len({job.id for job in sent}) == 2


def test_options_of_a_declaration_are_texts() -> None:
    sent = dict(
        declare("p", "amqp", {"prefetch": 5, "durable": True, "queue_headers": {"x": 1}, "queue": "q"}).pipeline
    )
    assert sent == {
        "name": "p",
        "driver": "amqp",
        "prefetch": "5",
        "durable": "true",
        "queue_headers": '{"x": 1}',
        "queue": "q",
    }
