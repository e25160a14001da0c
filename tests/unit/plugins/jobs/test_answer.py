"""Answers of workers, of both generations."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.jobs.answer import Answer, BadAnswer, Kind, read_answer

REQUEUE = Kind.REQUEUE


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"type":0,"data":[]}', Answer(kind=Kind.DONE)),
        (b'{"type":0}', Answer(kind=Kind.DONE)),
        (b"{}", Answer(kind=Kind.DONE)),
        (b'{"type":2,"data":{}}', Answer(kind=Kind.ACK, number=2)),
        (b'{"type":"2"}', Answer(kind=Kind.ACK, number=2)),
        (b'{"type":77,"data":[]}', Answer(kind=None, number=77)),
        (
            b'{"type":1,"data":{"message":"no","requeue":true,"delay_seconds":5,"headers":{"a":["1","2"]}}}',
            Answer(kind=Kind.ERROR, number=1, message="no", again=True, delay=5, headers={"a": ["1", "2"]}),
        ),
        (b'{"type":1,"data":{"message":"no"}}', Answer(kind=Kind.ERROR, number=1, message="no")),
        (
            b'{"type":3,"data":{"message":"no","requeue":true,"delay_seconds":5,"headers":{"a":["1"]}}}',
            Answer(kind=Kind.NACK, number=3, message="no", again=True, delay=5),
        ),
        (b'{"type":3,"data":{"requeue":false}}', Answer(kind=Kind.NACK, number=3)),
        (b'{"type":4,"data":{"delay_seconds":"7"}}', Answer(kind=REQUEUE, number=4, again=True, delay=7)),
        (b'{"type":4,"data":{"headers":[]}}', Answer(kind=REQUEUE, number=4, again=True)),
        (
            b'{"type":4,"data":{"headers":{"a":"1","b":[2],"c":[]},"delay_seconds":1.9}}',
            Answer(kind=REQUEUE, number=4, again=True, delay=1, headers={"a": ["1"], "b": ["2"], "c": []}),
        ),
        (b'{"type":4,"data":{"delay_seconds":-3}}', Answer(kind=REQUEUE, number=4, again=True)),
    ],
)
def test_answers_are_read_generously(body: bytes, answer: Answer) -> None:
    assert read_answer(body) == answer


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "is not JSON"),
        (b"ok", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "is no JSON object"),
        (b"7", "is no JSON object"),
        (b'{"type":[]}', "`type` of the worker's answer is no number"),
        (b'{"type":"x"}', "`type` of the worker's answer is no number"),
        (b'{"type":1e999}', ""),
        (b'{"type":1}', "of type 1 has no `data`"),
        (b'{"type":4,"data":[]}', "of type 4 has no `data`"),
        (b'{"type":4,"data":{"delay_seconds":{}}}', "`delay_seconds` of the worker's answer is no number"),
        (b'{"type":4,"data":{"headers":[{"a":"1"}]}}', "`headers` of the worker's answer is no map"),
    ],
)
def test_an_answer_that_can_not_be_understood_is_an_error(body: bytes, why: str) -> None:
    with pytest.raises(BadAnswer) as refused:
        read_answer(body)
    assert why in str(refused.value)
