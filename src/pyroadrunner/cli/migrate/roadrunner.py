"""An existing ``.rr.yaml`` of RoadRunner, version 1, 2, 2023, 2024 or 2025: what this server does with each key.

Most files are read as they are, so the new config is the old text with few lines changed. Only if keys have moved the
file is written anew, without its comments. Variables (``${PORT:-8080}``) stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from pyroadrunner.cli.migrate.builder import Builder, Unmigratable, config_yaml
from pyroadrunner.cli.migrate.report import Migration
from pyroadrunner.config.check import check
from pyroadrunner.config.errors import Fault
from pyroadrunner.config.formats import parse
from pyroadrunner.config.keys import Layer, normalise
from pyroadrunner.config.origin import KeyPath, Origin, dotted
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.config.sections import KNOWN_SECTIONS, OBSOLETE_SECTIONS, OWN_KEYS, STORAGE_SECTIONS, is_private
from pyroadrunner.config.yaml_text import TextFault

# Keys of older versions and their names of today. `*` is one key, and the same in both.
RENAMED: dict[str, str] = {
    # RoadRunner 1
    "http.workers.command": "server.command",
    "http.workers.relay": "server.relay",
    "http.workers.user": "server.user",
    "http.workers.pool.numworkers": "http.pool.num_workers",
    "http.workers.pool.maxjobs": "http.pool.max_jobs",
    "http.workers.pool.allocatetimeout": "http.pool.allocate_timeout",
    "http.workers.pool.destroytimeout": "http.pool.destroy_timeout",
    "http.maxrequestsize": "http.max_request_size",
    "http.trustedsubnets": "http.trusted_subnets",
    "http.ssl.rootca": "http.ssl.root_ca",
    "http.http2.maxconcurrentstreams": "http.http2.max_concurrent_streams",
    "headers.cors.allowedorigin": "http.headers.cors.allowed_origin",
    "headers.cors.allowedheaders": "http.headers.cors.allowed_headers",
    "headers.cors.allowedmethods": "http.headers.cors.allowed_methods",
    "headers.cors.allowcredentials": "http.headers.cors.allow_credentials",
    "headers.cors.exposedheaders": "http.headers.cors.exposed_headers",
    "headers.cors.maxage": "http.headers.cors.max_age",
    "headers.request": "http.headers.request",
    "headers.response": "http.headers.response",
    "static.dir": "http.static.dir",
    "static.forbid": "http.static.forbid",
    "health.address": "status.address",
    "limit.services.http.maxmemory": "http.pool.supervisor.max_worker_memory",
    "env": "server.env",
    # RoadRunner 2
    "http.otel": "otel",
    "http.ssl.acme.certs_dir": "http.ssl.acme.cache_dir",
    "http.pool.exec_ttl": "http.pool.supervisor.exec_ttl",
    "jobs.pipelines.*.config.exchange_auto_deleted": "jobs.pipelines.*.config.exchange_auto_delete",
    "jobs.pipelines.*.config.group_id": "jobs.pipelines.*.config.group_options.group_id",
    "kv.*.config.permission": "kv.*.config.permissions",
    "kafka.addr": "kafka.brokers",
    "otel.resources": "otel.resource",
    "temporal.metrics.address": "temporal.metrics.prometheus.address",
    "temporal.metrics.type": "temporal.metrics.prometheus.type",
}

# Keys without a counterpart: why, and what to do instead.
REMOVED: dict[str, str] = {
    "rpc.enable": "the section turns RPC on: remove it to turn it off",
    "limit.interval": "http.pool.supervisor.watch_tick is how often workers are checked",
    "limit.services.http.ttl": "write http.pool.supervisor.ttl with a unit: 3600s",
    "limit.services.http.idlettl": "write http.pool.supervisor.idle_ttl with a unit: 10s",
    "limit.services.http.execttl": "write http.pool.supervisor.exec_ttl with a unit: 60s",
    "http.ssl.port": "write http.ssl.address: 0.0.0.0:443",
    "http.http2.enabled": "HTTP/2 is always served over TLS; http.http2.h2c turns it on without",
    "http.cache": "put a cache in front (nginx, Varnish, Souin), or use an ASGI middleware: docs/middleware.md",
    "http.new_relic": "use OpenTelemetry, which New Relic reads: the section otel",
}

# Keys that mean the same and are done in another way, from docs/differences.md.
DIFFERENT: dict[str, str] = {
    "http.pool.max_queue_size": "one more request gets 503 at once; 0 = no bound, as in RoadRunner",
    "http.middleware": "static answers GET and HEAD only, and never sends .php or hidden files",
    "http.ssl.client_auth_type": "every client certificate is verified",
    "http.pool.dynamic_allocator": "workers are added after a wait of 100 ms, not after a failed request",
    "http.gzip": "br and zstd, too; only types that get smaller",
    "http.http3": "needs the extra http3",
    "grpc.interceptors": "interceptors are written in Python: docs/grpc.md#interceptors",
    "jobs.pipelines.*.driver": "a job whose worker dies runs again after a growing wait: docs/jobs.md",
    "kv.*.driver": "a file of boltdb is SQLite here: RoadRunner's is not read",
    "temporal.address": "needs the extra temporal",
    "endure.log_level": "the log of the server itself: logs.level",
    "metrics.address": "go_* metrics are gone, rr_* stay: docs/metrics.md",
    "otel.exporter": "needs the extra otel",
    "centrifuge.proxy_address": "needs the extra centrifuge",
}
# Only then does the note apply.
_ONLY: dict[str, tuple[str, ...]] = {
    "http.middleware": ("static",),
    "kv.*.driver": ("boltdb",),
    "http.ssl.client_auth_type": ("require_any_client_cert", "verify_client_cert_if_given"),
}


@dataclass
class _Old:
    """The old file: its values without expansion, and where each is written."""

    layer: Layer
    renamed: dict[KeyPath, KeyPath] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int | None:
        for length in range(len(path), 0, -1):
            origin = self.layer.origins.get(path[:length])
            if origin is not None:
                return origin.line
        return None


def migrate(text: str, suffix: str, models: Mapping[str, type[msgspec.Struct]]) -> Migration:
    """Report on a config of RoadRunner, and rewrite it where that is needed.

    Args:
        suffix: the format: ``yaml``, ``json``, ``toml``.

    Raises:
        Unmigratable: the text can't be parsed.
    """
    try:
        document, lines = parse(text, suffix)
    except TextFault as wrong:
        place = f"line {wrong.line}: " if wrong.line else ""
        raise Unmigratable(f"{place}{wrong.problem}") from wrong
    if not isinstance(document, dict):
        raise Unmigratable("the file has no sections")
    layer = normalise(document, lines, Origin(kind="file", source="the file"))
    old = _Old(layer)
    build = Builder(data=_moved(old))
    raw = RawConfig(build.data, {}, root=Origin(kind="file", source="the file"))
    checked = check(raw, models)
    problems = {fault.path: fault for fault in [*checked.faults, *checked.warnings]}
    _version(build, old)
    for path, value in _leaves(layer.data, ()):
        if path[0] != "version":
            _entry(build, old, path, value, problems, models)
    _others(build, old, problems)
    _server(build, old)
    return Migration(
        kind="a config of RoadRunner" + (f" {version}" if (version := _of_version(layer.data)) else ""),
        config=_text(text, suffix, old, build),
        entries=sorted(build.entries, key=lambda entry: (entry.line is None, entry.line or 0)),
    )


def _of_version(data: Mapping[str, Any]) -> str:
    if "workers" in (data.get("http") or {} if isinstance(data.get("http"), dict) else {}):
        return "1"
    version = str(data.get("version") or "")
    return {"2": "2", "3": "2023 or newer"}.get(version.split(".")[0], version)


# -- moved keys --------------------------------------------------------------------------------------------------------


def _moved(old: _Old) -> dict[str, Any]:
    """The data with the keys of today, and without those that were removed."""
    data: dict[str, Any] = {"version": "3"}
    for path, value in _leaves(old.layer.data, ()):
        target = _new_name(path)
        if target is None or (target == path and path[0] in OBSOLETE_SECTIONS):
            continue
        if target != path:
            old.renamed[path] = target
        holder = data
        for part in target[:-1]:
            inner = holder.setdefault(str(part), {})
            if not isinstance(inner, dict):  # the old file has both a value and a map there
                break
            holder = inner
        else:
            holder.setdefault(str(target[-1]), value)
    data["version"] = "3"
    http = data.get("http")
    if isinstance(http, dict):
        for name in _implied(old):
            names = http.get("middleware")
            http["middleware"] = [*(names if isinstance(names, list) else []), name]
    return data


def _implied(old: _Old) -> Iterator[str]:
    """Middleware that a section of RoadRunner 1 turned on."""
    for name in ("static", "headers"):
        if any(path[0] == name for path in old.renamed):
            yield name


def _new_name(path: KeyPath) -> KeyPath | None:
    """The key of today; ``None`` if there is none."""
    name = [str(part) for part in path]
    for pattern in REMOVED:
        if _begins(name, pattern):
            return None
    for pattern, target in RENAMED.items():
        if not _begins(name, pattern):
            continue
        parts = pattern.split(".")
        stars = iter([part for part, shape in zip(name, parts, strict=False) if shape == "*"])
        moved = [next(stars) if part == "*" else part for part in target.split(".")]
        return (*moved, *name[len(parts) :])
    return path


def _begins(name: list[str], pattern: str) -> bool:
    parts = pattern.split(".")
    return len(name) >= len(parts) and all(fnmatchcase(one, part) for one, part in zip(name, parts, strict=False))


def _leaves(data: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Every value that is no map of its own. A list is a value."""
    for key, value in data.items():
        here = (*path, key)
        if isinstance(value, dict) and value:
            yield from _leaves(value, here)
        else:
            yield here, value


# -- the report --------------------------------------------------------------------------------------------------------


def _version(build: Builder, old: _Old) -> None:
    version = old.layer.data.get("version")
    line = old.line(("version",))
    if version == "3":
        build.note("kept", "version", line, target="version")
    elif version is None:
        build.note("added", target="version", note='"3": the version of the format')
    else:
        note = f'"3" instead of {version!r}' if isinstance(version, str) else '"3": it must be a string'
        build.note("changed", "version", line, target="version", note=note)


def _entry(
    build: Builder,
    old: _Old,
    path: KeyPath,
    value: Any,
    problems: Mapping[str, Fault],
    models: Mapping[str, type[msgspec.Struct]],
) -> None:
    source, line = dotted(path), old.line(path)
    if why := _why_ignored(path, models):
        build.note("ignored", source, line, note=why)
        return
    target = old.renamed.get(path, path)
    problem = _problem_of(target, problems)
    if problem is not None and problem.kind in ("unknown", "unbuilt"):
        build.note("ignored", source, line, note=_words(problem))
    elif problem is not None and not _has_variable(value):
        build.note("different", source, line, target=dotted(target), note=_words(problem))
    elif target != path:
        build.note("changed", source, line, target=dotted(target))
    elif note := _difference(path, value):
        build.note("different", source, line, target=source, note=note)
    else:
        build.note("kept", source, line, target=source)


def _why_ignored(path: KeyPath, models: Mapping[str, Any]) -> str:
    name = [str(part) for part in path]
    for pattern, why in REMOVED.items():
        if _begins(name, pattern):
            return why
    section = name[0]
    if section in OBSOLETE_SECTIONS:
        return OBSOLETE_SECTIONS[section]
    known = section in models or section in (*OWN_KEYS, *STORAGE_SECTIONS) or is_private(section)
    if known or any(_begins(name, pattern) for pattern in RENAMED):
        return ""
    if section in KNOWN_SECTIONS:
        return f"not part of this version: {KNOWN_SECTIONS[section]}"
    return "no plugin has this section: a plugin in Go has to be written in Python (docs/plugins.md)"


def _problem_of(path: KeyPath, problems: Mapping[str, Fault]) -> Fault | None:
    """The fault or warning of a key; that of a map around it if the whole map is ignored."""
    exact = problems.get(dotted(path))
    if exact is not None:
        return exact
    around = (problems.get(dotted(path[:length])) for length in range(len(path) - 1, 0, -1))
    return next((found for found in around if found is not None and found.kind in ("unknown", "unbuilt")), None)


def _words(problem: Fault) -> str:
    expected = f"expected {problem.expected}" if problem.expected else ""
    return "; ".join(part for part in (problem.message, expected, problem.hint) if part)


def _has_variable(value: Any) -> bool:
    """Whether a value depends on the environment: then its check here says nothing."""
    if isinstance(value, list):
        return any(map(_has_variable, value))
    return isinstance(value, str) and "$" in value


def _difference(path: KeyPath, value: Any) -> str:
    name = [str(part) for part in path]
    for pattern, note in DIFFERENT.items():
        if _begins(name, pattern):
            only = _ONLY.get(pattern)
            values = [str(one) for one in (value if isinstance(value, list) else [value])]
            if only is None or any(one in only for one in values):
                return note
    if isinstance(value, str) and re.search(r"\$[^A-Za-z_{]|\$\{[^}]*(:=|[^:]-|:\+)", value):
        return "a $ that is no variable expands to nothing, as in RoadRunner"
    return ""


def _others(build: Builder, old: _Old, problems: Mapping[str, Fault]) -> None:
    """Faults and warnings of whole maps, such as a missing key."""
    told = {entry.target or entry.source for entry in build.entries}
    for path, problem in problems.items():
        if path not in told and problem.kind in ("fault", "doubtful") and not _has_variable(problem.value):
            build.note("different", target=path, note=_words(problem))


def _server(build: Builder, old: _Old) -> None:
    """What the config does not say, and is not as in RoadRunner."""
    for name in _implied(old):
        build.note("added", target="http.middleware", note=f"{name}: the section {name} alone turned it on")
    http = build.data.get("http")
    pool = http.get("pool") if isinstance(http, dict) else None
    if isinstance(http, dict) and not (isinstance(pool, dict) and "max_queue_size" in pool):
        note = "1024 if it is not set (no bound in RoadRunner): further requests get 503; 0 = no bound"
        build.note("added", target="http.pool.max_queue_size", note=note)


# -- the new text ------------------------------------------------------------------------------------------------------


def _text(text: str, suffix: str, old: _Old, build: Builder) -> str:
    """The old text if only the version differs, otherwise a new one."""
    gone = any(_new_name(path) is None or path[0] in OBSOLETE_SECTIONS for path, _ in _leaves(old.layer.data, ()))
    if suffix in ("yaml", "yml") and not old.renamed and not gone:
        return _with_version(text, old)
    title = "Made by rr migrate from a config of RoadRunner. Comments and anchors of the old file are not here."
    return config_yaml(build.data, title)


def _with_version(text: str, old: _Old) -> str:
    if old.layer.data.get("version") == "3":
        return text
    line = old.line(("version",))
    lines = text.splitlines(keepends=True)
    if line is None:
        return 'version: "3"\n' + text
    found = re.match(r"""(\s*["']?version["']?\s*:\s*)[^\s#]+(.*)""", lines[line - 1], re.IGNORECASE | re.DOTALL)
    if found is None:
        return text
    lines[line - 1] = f'{found[1]}"3"{found[2]}'
    return "".join(lines)
