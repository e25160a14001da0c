"""What a worker says about a job: both generations of answers. Pure. (jobs.md, section 2.2)

Read generously: PHP sends an empty map as ``[]``, and other languages send numbers as text. An answer that can't be
understood is an error, and its job has failed; RoadRunner counts such a job as done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import msgspec

from pyroadrunner.errors import RoadRunnerError


class Kind(IntEnum):
    """The type of an answer, by its number on the wire."""

    DONE = 0  # complete() of older clients
    ERROR = 1  # fail()
    ACK = 2
    NACK = 3
    REQUEUE = 4


class BadAnswer(RoadRunnerError):
    """The answer can't be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A worker's answer.

    Attributes:
        kind: ``None`` for an unknown number, which counts as done, as in RoadRunner.
        number: the number on the wire.
        again: whether a failed job should run again.
        delay: seconds before it does.
        headers: to merge over those of the job.
    """

    kind: Kind | None
    number: int = 0
    message: str = ""
    again: bool = False
    delay: int = 0
    headers: Mapping[str, list[str]] = field(default_factory=dict)


_DONE = Answer(kind=Kind.DONE)
_ACK = Answer(kind=Kind.ACK, number=2)
_KINDS = {int(kind): kind for kind in Kind}
_USUAL = {  # as the PHP libraries and the SDK write them
    b'{"type":2,"data":[]}': _ACK,
    b'{"type":2,"data":{}}': _ACK,
    b'{"type":0,"data":[]}': _DONE,
}
_decode = msgspec.json.Decoder().decode


def read_answer(body: bytes) -> Answer:
    """Decode an answer.

    Raises:
        BadAnswer
    """
    if (usual := _USUAL.get(body)) is not None:
        return usual
    try:
        said = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(f"the worker's answer is not JSON: {error}") from error
    if not isinstance(said, dict):
        raise BadAnswer(f"the worker's answer is no JSON object: {type(said).__name__}")
    number = _whole(said.get("type", 0), "type")
    kind = _KINDS.get(number)
    if kind is Kind.ACK:
        return _ACK
    if kind is Kind.DONE:
        return _DONE
    if kind is None:
        return Answer(kind=None, number=number)
    data = said.get("data")
    if not isinstance(data, dict):
        raise BadAnswer(f"the worker's answer of type {number} has no `data`")
    return Answer(
        kind=kind,
        number=number,
        message=_text(data.get("message", "")),
        again=kind is Kind.REQUEUE or _truth(data.get("requeue", False)),
        delay=max(0, _whole(data.get("delay_seconds", 0), "delay_seconds")),
        headers={} if kind is Kind.NACK else _headers(data.get("headers")),
    )


def _whole(value: Any, key: str) -> int:
    if value is None:
        return 0
    try:
        if isinstance(value, float | str):
            return int(float(value))
        if isinstance(value, int):
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise BadAnswer(f"`{key}` of the worker's answer is no number: {value!r}")


def _truth(value: Any) -> bool:
    return value in (True, 1, "1", "true")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _headers(value: Any) -> dict[str, list[str]]:
    if not value:
        return {}
    if not isinstance(value, dict):
        raise BadAnswer("`headers` of the worker's answer is no map")
    return {name: [_text(one) for one in (item if isinstance(item, list) else [item])] for name, item in value.items()}
