"""``rr doctor``: run all checks and print the results."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

from pyroadrunner.cli.console import coloured, say
from pyroadrunner.cli.doctor import discovery, endpoints, extras, machine, php, remote_servers, render, worker_start
from pyroadrunner.cli.doctor.finding import Finding, Verdict, fail, ok, warn
from pyroadrunner.cli.progress import Progress
from pyroadrunner.config.check import Checked, absent, check, doubtful
from pyroadrunner.config.errors import ConfigError
from pyroadrunner.config.load import LoadOptions, load
from pyroadrunner.config.models import section_models
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.container.running_config import RunningConfig
from pyroadrunner.plugins.server.config import ServerConfig

_CONFIG = "config"


def run(options: LoadOptions, *, as_json: bool) -> int:
    """Run all checks and print the findings. Starts and stops one worker of each kind.

    Returns:
        1 if a finding prevents the server from starting or serving, else 0.
    """
    findings = list(_with_progress(inspect(options)))
    if as_json:
        say(render.as_json(findings))
    else:
        say("\n".join(render.text(findings, coloured=coloured())))
    return 1 if render.failed(findings) else 0


def _with_progress(findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings; on a terminal a changing line shows what is being checked."""
    progress = Progress()
    try:
        if progress.live:
            progress.show("checking the machine ...")
        for finding in findings:
            yield finding
            if progress.live:
                progress.show(f"checking {finding.part} ...")
    finally:
        progress.clear()


def inspect(options: LoadOptions) -> Iterator[Finding]:
    """All findings, part by part."""
    models = section_models()
    try:
        raw = load(options)
    except ConfigError as wrong:
        yield from machine.inspect(0)
        for fault in wrong.faults:
            yield fail(_CONFIG, "config", str(fault), "fix this first; the other checks need the config")
        yield from php.inspect("php", protobuf=False)
        return
    checked = check(raw, models)
    effective = RunningConfig(raw, checked, models).as_dict()
    pools = list(worker_start.kinds(checked.sections))
    yield from machine.inspect(sum(pool.workers_wanted() for _, pool in pools))
    yield from _config(raw, checked)
    yield from _php(checked, effective)
    yield from (extras.inspect(need) for need in extras.needs(effective, experimental=options.experimental))
    yield from (_with_line(raw, finding) for finding in _places(raw, effective))
    addresses = endpoints.addresses(effective)
    yield from (_with_line(raw, finding) for finding in discovery.inspect(effective, addresses))
    yield from (_with_line(raw, remote_servers.inspect(*one)) for one in remote_servers.brokers(effective))
    server = checked.sections.get("server")
    if isinstance(server, ServerConfig):
        yield from (worker_start.inspect(server, name, pool, worker_start.rpc_of(effective)) for name, pool in pools)


def _places(raw: RawConfig, effective: Mapping[str, Any]) -> Iterator[Finding]:
    addresses = list(endpoints.addresses(effective))
    twice = {
        key: endpoints.twice(key, text, other, _line(raw, other)) for key, text, other in endpoints.shared(addresses)
    }
    for key, text in addresses:
        yield twice.get(key) or endpoints.listen(key, text, raw.path)
    yield from (endpoints.folder(key, path) for key, path in endpoints.folders(effective))


def _with_line(raw: RawConfig, finding: Finding) -> Finding:
    """Add file and line of the key, unless the finding is OK."""
    line = _line(raw, finding.what)
    if finding.verdict is Verdict.OK or not line:
        return finding
    return replace(finding, found=f"{line}: {finding.found}")


def _line(raw: RawConfig, key: str) -> str:
    origin = raw.origin(tuple(key.split(".")))
    return str(origin) if origin.line is not None or origin.kind == "override" else ""


def _config(raw: RawConfig, checked: Checked) -> Iterator[Finding]:
    with redirect_stdout(sys.stderr):  # a module may print when it is imported
        faults = [*checked.faults, *absent(raw, checked)]
    for fault in faults:
        yield fail(_CONFIG, fault.path or "config", str(fault), "rr config check lists all errors")
    for warning in [*checked.warnings, *doubtful(raw, checked)]:
        yield warn(_CONFIG, warning.path or "config", str(warning), "")
    if not faults:
        yield ok(_CONFIG, "file", f"{raw.path}: {len(checked.sections)} sections without a fault")


def _php(checked: Checked, effective: Mapping[str, Any]) -> Iterator[Finding]:
    server = checked.sections.get("server")
    commands = [server.command] if isinstance(server, ServerConfig) else []
    commands += [pool.command for _, pool in worker_start.kinds(checked.sections) if pool.command]
    protobuf = endpoints.value(effective, "http.codec") == "protobuf"
    for binary in dict.fromkeys(php.binary_of(command) for command in commands):
        if binary:
            yield from php.inspect(binary, protobuf=protobuf)
