"""The ``.rr.yaml`` that ``rr init`` writes: only keys that matter at the beginning, each with its reason. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pyroadrunner.cli.config.render import value_text
from pyroadrunner.cli.init.project import Project

ADDRESS = "127.0.0.1:8080"
RPC = "tcp://127.0.0.1:6001"


def config_text(project: Project, *, address: str = ADDRESS, rpc: str = RPC) -> str:
    """The text of the config.

    Args:
        project: it has a ``command``.
    """
    return "\n".join([*_head(project), *_server(project), *_http(project, address), *_rest(rpc)]) + "\n"


def _head(project: Project) -> Iterator[str]:
    seen = f" ({', '.join(project.seen)})" if project.seen else ""
    yield f"# Written by rr init for {project.title}{seen}."
    yield "# Start: rr serve. After a change: rr config check, then rr reload. What a key means: rr config explain KEY."
    yield 'version: "3"'


def _server(project: Project) -> Iterator[str]:
    yield ""
    yield "server:"
    if project.kind == "php-script":
        yield "  # Command of a worker: a process that runs the scripts. PHP's command line lacks some functions,"
        yield "  # such as header(); disabling them lets the worker define them."
    else:
        yield "  # Command of a worker: a process that loads the application once and then answers many requests."
    yield f"  command: {_quoted(project.command)}"
    if project.env:
        yield "  # Environment variables of the workers, besides those of the server."
        yield "  env:"
        yield from (f"    {name}: {_quoted(value)}" for name, value in project.env.items())


def _http(project: Project, address: str) -> Iterator[str]:
    yield ""
    yield "http:"
    yield '  # Only this machine can connect. Behind a proxy keep it so; ":8080" would listen on every network.'
    yield f"  address: {address}"
    if project.raw_body:
        yield "  # The application parses forms itself."
        yield "  raw_body: true"
    if project.static:
        name = "this folder" if project.static == "." else f"{project.static}/"
        yield f"  # Files in {name} are sent without a worker; PHP files and hidden files never are."
        yield "  middleware: [static]"
        yield "  static:"
        yield f"    dir: {_quoted(project.static)}"
        if project.only:
            yield "    # The folder has more than the public should see, so only these are sent."
            yield f"    allow: {value_text(list(project.only))}"
    yield "  pool:"
    if project.fresh:
        yield "    # Processes that wait for a request. More than CPUs, since each is replaced after its request."
        yield "    num_workers: 8"
        yield f"    # A new process for each request. {project.fresh}"
        yield "    max_jobs: 1"
    else:
        yield "    # Each worker answers one request at a time. 0 = one per CPU; more if requests wait."
        yield "    num_workers: 0"
        yield "    # After so many requests a worker is replaced, which limits memory leaks."
        yield f"    max_jobs: {project.max_jobs}"
    yield "    supervisor:"
    yield "      # MB. A worker with more is replaced when it has answered."
    yield "      max_worker_memory: 256"
    yield "      # A request may take this long; then its worker is killed and the client gets 500."
    yield "      exec_ttl: 60s"


def _rest(rpc: str) -> Iterator[str]:
    yield ""
    yield "# rr workers, rr reset and rr stop reach the server here, and so do the workers. Keep it on this machine."
    yield "rpc:"
    yield f"  listen: {rpc}"


def _quoted(text: str) -> str:
    """A YAML string in double quotes, which looks the same for every value."""
    return json.dumps(text, ensure_ascii=False)
