"""``rr jobs``: one function per command. Each prints and returns the exit code.

``rr jobs --list|--pause|--resume|--destroy a,b`` is RoadRunner's form, with its texts (rpc-cli-config.md, section 2.7).
"""

from __future__ import annotations

import base64
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyroadrunner.cli.console import complain, look, say
from pyroadrunner.cli.flags import UsageError
from pyroadrunner.cli.jobs import render
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.cli.workers.box_drawing import Look
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed

_FORMS = "command should be in form of: `rr jobs --<destroy/resume/pause> pipe1,pipe2`"

_HINTS = {
    "no such pipeline": "rr jobs list shows the pipelines",
}


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """Flags of ``rr jobs push``, as written."""

    id: str = ""
    headers: Sequence[str] = ()
    delay: str = ""
    priority: str = ""
    auto_ack: bool = False


def of_roadrunner(options: LoadOptions, action: str, names: str, *, silent: bool) -> int:
    """RoadRunner's form.

    Args:
        action: ``pause``, ``destroy``, ``resume``, ``list``; empty = none was given.
        names: separated by commas.

    Raises:
        ConfigError, NoRpc, InvalidAddress, Unreachable, CallFailed: as do all of these commands.
    """
    if not action and names:
        raise UsageError(f'unknown command "{names}" for "rr jobs"')
    if not action:
        complain(_FORMS)
        return 1
    pipelines = [name.strip() for name in names.split(",")] if names else []
    if action != "list" and not all(pipelines or [""]):
        complain(f"incorrect command usage, should be: rr jobs --{action} pipe1,pipe2")
        return 1
    with RpcClient(server_address(options)) as server:
        if action == "list":
            say(render.names(server.call("jobs.List", {}).get("pipelines", []), look()))
            return 0
        reply = server.call(f"jobs.{action.capitalize()}", {"pipelines": pipelines})
    if not silent:
        say(render.names(reply.get("pipelines", []) if action == "destroy" else pipelines, look()))
    return 0


def list_pipelines(options: LoadOptions, *, as_json: bool) -> int:
    """List the pipelines with their states. Returns 1 if one of them has an error."""
    found = _stats(options)
    say(render.as_json(found) if as_json else render.states(found, look()))
    return 1 if any(one.get("error_message") for one in found) else 0


def stats(options: LoadOptions, *, as_json: bool) -> int:
    """Show the numbers of jobs."""
    found = _stats(options)
    say(render.as_json(found) if as_json else render.stats(found, look()))
    return 0


def control(options: LoadOptions, action: str, pipelines: Sequence[str]) -> int:
    """Pause, resume or destroy pipelines."""
    if not pipelines:
        raise UsageError(f"name a pipeline: rr jobs {action} PIPELINE...; rr jobs list shows them")
    with _server(options) as server:
        server.call(f"jobs.{action.capitalize()}", {"pipelines": list(pipelines)})
    return 0


def push(options: LoadOptions, arguments: Sequence[str], job: JobOptions) -> int:
    """Push a job and print its id; the payload ``-`` is read from stdin."""
    if len(arguments) < 2:
        raise UsageError("name a pipeline and a job: rr jobs push PIPELINE JOB [PAYLOAD]")
    pipeline, name, payload = (*arguments, "")[:3]
    data = sys.stdin.buffer.read() if payload == "-" else payload.encode()
    headers: dict[str, dict[str, list[str]]] = {}
    for header in job.headers:
        key, equals, value = header.partition("=")
        if not equals:
            raise UsageError(f"a header is NAME=VALUE: {header}")
        headers.setdefault(key, {"value": []})["value"].append(value)
    found = job.id or str(uuid.uuid4())
    message = {
        "id": found,
        "job": name,
        "payload": base64.b64encode(data).decode(),
        "headers": headers,
        "options": {
            "pipeline": pipeline,
            "delay": _whole("delay", job.delay),
            "priority": _whole("priority", job.priority),
            "auto_ack": job.auto_ack,
        },
    }
    with _server(options) as server:
        server.call("jobs.Push", {"job": message})
    say(found)
    return 0


def peek(options: LoadOptions, arguments: Sequence[str], limit: str, *, as_json: bool) -> int:
    """Show jobs that wait on the broker."""
    if not arguments:
        raise UsageError("name a pipeline: rr jobs peek PIPELINE [ID...]")
    return _show(options, "jobs.Peek", arguments, limit, render.jobs, as_json=as_json)


def failed(options: LoadOptions, arguments: Sequence[str], limit: str, *, as_json: bool) -> int:
    """Show dead letters: those of a pipeline, or all."""
    return _show(options, "jobs.Failed", arguments, limit, render.failed, as_json=as_json)


def retry(options: LoadOptions, arguments: Sequence[str]) -> int:
    """Put dead letters back into the pipelines where they have failed. Returns 1 if one of the named is not there."""
    if not arguments:
        raise UsageError("name the dead letter pipeline: rr jobs retry PIPELINE [ID...]; rr jobs failed shows them")
    return _change(options, "jobs.Retry", arguments, "retried")


def purge(options: LoadOptions, arguments: Sequence[str], *, everything: bool) -> int:
    """Delete jobs that wait on the broker. Returns 1 if one of the named is not there."""
    if not arguments:
        raise UsageError("name a pipeline: rr jobs purge PIPELINE ID..., or --all for all of its jobs")
    if (len(arguments) == 1) is not everything:
        raise UsageError("name the jobs, or delete all that wait with --all; not both")
    return _change(options, "jobs.Purge", arguments, "deleted")


@contextmanager
def _server(options: LoadOptions) -> Iterator[RpcClient]:
    """The running server; its errors say where to look, too."""
    with RpcClient(server_address(options)) as server:
        try:
            yield server
        except CallFailed as error:
            hint = next((hint for text, hint in _HINTS.items() if text in str(error)), "")
            if not hint:
                raise
            raise CallFailed(f"{error}\n{hint}") from error


def _stats(options: LoadOptions) -> list[dict[str, Any]]:
    with _server(options) as server:
        found: list[dict[str, Any]] = server.call("jobs.Stat", {}).get("stats", [])
    return sorted(found, key=lambda one: str(one["pipeline"]))


def _show(
    options: LoadOptions,
    method: str,
    arguments: Sequence[str],
    limit: str,
    draw: Callable[[Sequence[Mapping[str, Any]], Look], str],
    *,
    as_json: bool,
) -> int:
    with _server(options) as server:
        found = server.call(method, {**_chosen(arguments), "limit": _whole("limit", limit)}).get("jobs", [])
    say(render.as_json([render.plain(job) for job in found]) if as_json else draw(found, look()))
    return 0


def _change(options: LoadOptions, method: str, arguments: Sequence[str], done: str) -> int:
    with _server(options) as server:
        count = server.call(method, _chosen(arguments)).get("count", 0)
    say(f"{count} {'job' if count == 1 else 'jobs'} {done}")
    named = len(set(arguments[1:]))
    if count >= named:
        return 0
    complain(f"not in {arguments[0]}: {named - count} of {named}; rr jobs peek {arguments[0]} shows those that are")
    return 1


def _chosen(arguments: Sequence[str]) -> dict[str, Any]:
    return {"pipeline": (*arguments, "")[0], "ids": list(arguments[1:])}


def _whole(flag: str, text: str) -> int:
    try:
        return int(text or 0)
    except ValueError:
        raise UsageError(f"--{flag} is a whole number: {text}") from None
