"""The output of ``rr jobs``, rendered from plain data. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyroadrunner.cli.palette import BAD, STATES
from pyroadrunner.cli.workers.box_drawing import PLAIN, Cell, Look, cut, table
from pyroadrunner.cli.workers.humanize import count

_WIDTH = 60  # of a payload or the error of a job in a table
_ERROR_WIDTH = 200  # of the error of a pipeline

Found = Sequence[Mapping[str, Any]]


def as_json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def names(pipelines: Sequence[str], look: Look = PLAIN) -> str:
    """RoadRunner's table, with its header."""
    return table(["PIPELINE ( S )"], [[Cell(name)] for name in pipelines], look)


def states(found: Found, look: Look = PLAIN) -> str:
    """One line per pipeline: what it does, and what is wrong."""
    if not found:
        return "no pipelines"
    rows = [
        [
            Cell(one["pipeline"]),
            Cell(one["driver"]),
            Cell(one.get("state", ""), STATES.get(one.get("state", ""), "")),
            Cell(_error(one), BAD),
        ]
        for one in found
    ]
    headers = ["PIPELINE", "DRIVER", "STATE", "ERROR"]
    if not any(_error(one) for one in found):
        headers, rows = headers[:3], [row[:3] for row in rows]
    return table(headers, rows, look, width=_ERROR_WIDTH + _WIDTH)


def stats(found: Found, look: Look = PLAIN) -> str:
    """One line per pipeline: numbers of jobs, as the broker counts them."""
    if not found:
        return "no pipelines"
    rows = [
        [
            Cell(one["pipeline"]),
            Cell(one.get("queue", "")),
            *(Cell(count(one.get(key, 0))) for key in ("active", "delayed", "reserved", "priority")),
        ]
        for one in found
    ]
    return table(["PIPELINE", "QUEUE", "ACTIVE", "DELAYED", "RESERVED", "PRIORITY"], rows, look)


def jobs(found: Found, look: Look = PLAIN) -> str:
    """One line per job."""
    if not found:
        return "no jobs"
    rows = [
        [Cell(job.get("id", "")), Cell(job.get("job", "")), Cell(_priority(job)), Cell(_headers(job)), Cell(_body(job))]
        for job in found
    ]
    return table(["ID", "JOB", "PRIORITY", "HEADERS", "PAYLOAD"], rows, look)


def failed(found: Found, look: Look = PLAIN) -> str:
    """One line per dead letter: where and why it has failed."""
    if not found:
        return "no failed jobs"
    rows = [
        [
            Cell(job.get("id", "")),
            Cell(job.get("job", "")),
            Cell(_header(job, "rr_dead_pipeline")),
            Cell(_header(job, "rr_dead_attempts")),
            Cell(_header(job, "rr_dead_at")),
            Cell(_header(job, "rr_dead_reason")),
            Cell(_shown(_header(job, "rr_dead_error")), BAD),
            Cell(_body(job)),
        ]
        for job in found
    ]
    headers = ["ID", "JOB", "PIPELINE", "ATTEMPTS", "FAILED AT", "REASON", "ERROR", "PAYLOAD"]
    return table(headers, rows, look, width=240)


def plain(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job for JSON: its payload as text if it is valid UTF-8, else in base64."""
    data = base64.b64decode(job.get("payload", ""))
    try:
        payload = {"text": data.decode()}
    except UnicodeDecodeError:
        payload = {"base64": base64.b64encode(data).decode()}
    options = job.get("options", {})
    return {
        "id": job.get("id", ""),
        "job": job.get("job", ""),
        "pipeline": options.get("pipeline", ""),
        "priority": options.get("priority", 0),
        "headers": {name: header.get("value", []) for name, header in job.get("headers", {}).items()},
        "payload": payload,
    }


def _priority(job: Mapping[str, Any]) -> str:
    return str(job.get("options", {}).get("priority", 0))


def _headers(job: Mapping[str, Any]) -> str:
    pairs = (f"{name}={','.join(header.get('value', []))}" for name, header in sorted(job.get("headers", {}).items()))
    return _shown(" ".join(pairs))


def _header(job: Mapping[str, Any], name: str) -> str:
    values: Sequence[str] = job.get("headers", {}).get(name, {}).get("value", [""])
    return values[0]


def _body(job: Mapping[str, Any]) -> str:
    return _shown(base64.b64decode(job.get("payload", ""))[: 4 * _WIDTH].decode("utf-8", "backslashreplace"))


def _error(one: Mapping[str, Any]) -> str:
    return cut(" ".join(one.get("error_message", "").split()), _ERROR_WIDTH)


def _shown(text: str) -> str:
    return cut(" ".join(text.split()), _WIDTH)
