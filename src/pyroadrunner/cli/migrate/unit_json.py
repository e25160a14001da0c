"""The configuration of NGINX Unit (``curl --unix-socket control.unit.sock http://localhost/config``). Pure.

The keys are those of Unit 1.34. Facts about their meaning are from its documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pyroadrunner.cli.init.project import SCRIPT_FUNCTIONS, WORKER, Project, Script
from pyroadrunner.cli.init.worker_scripts import worker_script
from pyroadrunner.cli.migrate.builder import Builder, Unmigratable
from pyroadrunner.cli.migrate.report import Migration
from pyroadrunner.cli.migrate.unit_routes import Json, access_log, as_map, listeners, routes, settings, whole
from pyroadrunner.config.durations import format_duration


def is_unit(text: str) -> bool:
    """Whether a text is a configuration of Unit."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and bool({"listeners", "applications"} & as_map(data.get("config", data)).keys())


def migrate(text: str, name: str, project: Project) -> Migration:
    """Make a config of one application.

    Args:
        name: of the application; empty = the only one.
        project: the application in the current folder; a framework decides the command of the workers.

    Raises:
        Unmigratable: the text is no configuration of Unit, or the application must be named.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as wrong:
        raise Unmigratable(f"not JSON: {wrong}") from wrong
    config = as_map(as_map(data).get("config", data))
    applications = {str(key): as_map(value) for key, value in as_map(config.get("applications")).items()}
    chosen = _chosen(applications, name)
    build = Builder()
    files = _application(build, f"applications.{chosen}", applications[chosen], project)
    for other in applications:
        if other != chosen:
            note = f"another application: rr migrate FILE {other} makes its config"
            build.note("ignored", f"applications.{other}", note=note)
    listeners(build, as_map(config.get("listeners")), chosen)
    routes(build, config.get("routes"))
    settings(build, as_map(config.get("settings")))
    if "access_log" in config:
        access_log(build, config["access_log"])
    for key in config:
        if key not in ("applications", "listeners", "routes", "settings", "access_log"):
            build.note("ignored", str(key), note=_ELSEWHERE.get(str(key), "not a key that rr migrate knows"))
    build.add("rpc.listen", "tcp://127.0.0.1:6001", "for rr workers, rr reset and rr stop")
    text = build.text(f"Made by rr migrate from the application {chosen} of NGINX Unit. Report: rr migrate FILE.")
    return Migration(kind=f"the application {chosen} of NGINX Unit", config=text, entries=build.entries, files=files)


_ELSEWHERE = {
    "upstreams": "load balancing: put nginx, HAProxy or Caddy in front",
    "certificates": "Unit keeps the files; name yours with http.ssl.cert and http.ssl.key",
    "status": "rr workers and the section `metrics` show it",
}


def _chosen(applications: Mapping[str, Json], name: str) -> str:
    if not applications:
        raise Unmigratable("the configuration has no application")
    if name in applications:
        return name
    names = ", ".join(applications)
    if name:
        raise Unmigratable(f"there is no application {name}; there are {names}")
    if len(applications) > 1:
        raise Unmigratable(
            f"there are several applications: {names}; name one: rr migrate FILE {next(iter(applications))}"
        )
    return next(iter(applications))


# -- an application ----------------------------------------------------------------------------------------------------


def _application(build: Builder, path: str, app: Json, project: Project) -> dict[str, str]:
    kind = str(app.get("type", "")).split(" ")[0]
    if kind != "php":
        why = {
            "python": "run rr init in its folder, which writes a worker for WSGI and ASGI applications",
        }.get(kind, f"`{kind}` applications do not run here: workers are in PHP or Python")
        raise Unmigratable(f"{path} is of type `{app.get('type', '')}`: {why}")
    build.note("kept", f"{path}.type", note="" if app.get("type") == "php" else "the php of PATH runs it")
    files = _command(build, path, app, project)
    for key, value in app.items():
        if key not in ("type", "root", "script", "index", "options", "targets"):
            _APPLICATION.get(key, _unknown)(build, f"{path}.{key}", value)
    if build.get("http.pool.num_workers") is None:
        build.add("http.pool.num_workers", 1, "Unit starts one process if `processes` is not set")
    if build.get("http.pool.max_jobs") is None and project.max_jobs != 1 and build.get("server.command"):
        build.set("http.pool.max_jobs", _jobs(build))
    return files


def _jobs(build: Builder) -> int:
    one = "Script" in str(build.get("server.command")) or SCRIPT_FUNCTIONS in str(build.get("server.command"))
    jobs = 1 if one else 1000
    note = "scripts define their functions each time, so each request gets a process" if one else "limits memory leaks"
    build.note("added", target="http.pool.max_jobs", note=note)
    return jobs


def _command(build: Builder, path: str, app: Json, project: Project) -> dict[str, str]:
    """A framework's worker, otherwise one that runs the scripts of ``root``."""
    ini: list[str] = []
    options = as_map(app.get("options"))
    for part in ("admin", "user"):
        for key, value in as_map(options.get(part)).items():
            text = str(value)
            if re.search(r"[\s'\"$\\]", f"{key}{text}"):
                build.note(
                    "ignored", f"{path}.options.{part}.{key}", note="put it into php.ini: it has special characters"
                )
            else:
                ini += ["-d", f"{key}={text}"]
                note = f"php -d {key}={text}"
                build.note("changed", f"{path}.options.{part}.{key}", target="server.command", note=note)
    if "file" in options:
        file = str(options["file"])
        if re.fullmatch(r"[\w./-]+", file):
            ini[:0] = ["-c", file]
            build.note("changed", f"{path}.options.file", target="server.command", note=f"php -c {file}")
        else:
            build.note("ignored", f"{path}.options.file", note="has special characters: php -c FILE in server.command")
    framework = project.command and project.kind not in ("php-script", "empty", "empty-python", "unknown")
    command = project.command if framework else f"php -d disable_functions={SCRIPT_FUNCTIONS} {WORKER}"
    program, _, rest = command.partition(" ")
    build.set("server.command", " ".join([program, *ini, rest]))
    for name, value in project.env.items() if framework else ():
        build.add(f"server.env.{name}", value, f"for {project.title}")
    build.note("added", target="server.command", note=f"for {project.title if framework else 'PHP scripts'}: a worker")
    script = project.script if framework else _script(build, path, app)
    for key in ("root", "script", "index", "targets"):
        if key in app and framework:
            build.note("ignored", f"{path}.{key}", note=f"the worker of {project.title} answers every path")
    return {script.name: worker_script(script)} if script is not None else {}


def _script(build: Builder, path: str, app: Json) -> Script:
    targets = as_map(app.get("targets"))
    if targets:
        name, target = next(iter(targets.items()))
        app = {**app, **as_map(target)}
        build.note("changed", f"{path}.targets.{name}", note=f"in {WORKER}")
        for other in list(targets)[1:]:
            note = "one worker runs the scripts of one folder: make a second config, or one folder for both"
            build.note("ignored", f"{path}.targets.{other}", note=note)
    root, front = str(app.get("root", ".")), str(app.get("script") or app.get("index") or "index.php")
    for key in ("root", "index"):
        if key in app and not targets:
            build.note("changed", f"{path}.{key}", target=WORKER, note=f"in {WORKER}")
    if "script" in app:
        note = f"{front} runs for every path, as before, but a path that names another script runs that one"
        build.note("different", f"{path}.script", target=WORKER, note=note)
    folder = _php(root) + (f", {_php(front)}" if front != "index.php" else "")
    shown = root if re.fullmatch(r"[\w./-]+", root) else "a folder"  # it is part of a comment
    return Script(name=WORKER, template="script", values={"root": shown, "folder": folder})


def _php(text: str) -> str:
    """A string of PHP."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _unknown(build: Builder, path: str, value: Any) -> None:
    build.note("ignored", path, note="not a key that rr migrate knows")


def _processes(build: Builder, path: str, value: Any) -> None:
    if isinstance(value, int):
        workers = min(max(value, 1), 500)
        build.set("http.pool.num_workers", workers)
        note = f"at most {workers}" if workers != value else ""
        build.note("different" if note else "kept", path, target="http.pool.num_workers", note=note)
        return
    limits = as_map(value)
    most, spare = whole(limits.get("max"), 1), whole(limits.get("spare"), 0)
    workers = min(max(spare, 1), 500)
    build.set("http.pool.num_workers", workers)
    if most > workers:
        build.set("http.pool.dynamic_allocator.max_workers", min(most - workers, 100))
        build.note(
            "changed" if most - workers <= 100 else "different",
            f"{path}.max",
            target="http.pool.dynamic_allocator.max_workers",
            note=f"{workers} + {min(most - workers, 100)} workers",
        )
    if "spare" in limits:
        note = "the workers that always run; Unit keeps this many idle"
        build.note("different", f"{path}.spare", target="http.pool.num_workers", note=note)
    if "idle_timeout" in limits:
        seconds = whole(limits["idle_timeout"], 0)
        if seconds and most > workers:
            build.set("http.pool.dynamic_allocator.idle_timeout", format_duration(seconds))
            build.note("kept", f"{path}.idle_timeout", target="http.pool.dynamic_allocator.idle_timeout")
        else:
            build.note("ignored", f"{path}.idle_timeout", note="no workers are added, or they stop after a minute")


def _limits(build: Builder, path: str, value: Any) -> None:
    for key, limit in as_map(value).items():
        number = whole(limit, 0)
        if key == "timeout" and number:
            build.set("http.pool.supervisor.exec_ttl", format_duration(number))
            build.note("kept", f"{path}.{key}", target="http.pool.supervisor.exec_ttl")
        elif key == "requests" and number and SCRIPT_FUNCTIONS not in build.get("server.command"):
            build.set("http.pool.max_jobs", number)
            build.note("kept", f"{path}.{key}", target="http.pool.max_jobs")
        elif key == "requests":
            build.note("ignored", f"{path}.{key}", note="each request gets a new process")
        else:
            build.note("ignored", f"{path}.{key}", note="not a limit that rr migrate knows")


def _environment(build: Builder, path: str, value: Any) -> None:
    for key, item in as_map(value).items():
        if "$" in str(item):
            note = "has a $, which a config of this server can't contain: set the variable in the environment of rr"
            build.note("ignored", f"{path}.{key}", note=note)
        elif not re.fullmatch(r"[A-Z_][A-Z0-9_]*", key):
            build.note("ignored", f"{path}.{key}", note="names in server.env become upper case")
        else:
            build.variable(f"{path}.{key}", None, key, str(item))


def _name(target: str) -> Callable[[Builder, str, Any], None]:
    def take(build: Builder, path: str, value: Any) -> None:
        if not re.fullmatch(r"[\w.-]+", str(value)):
            build.note("ignored", path, note="not a name")
            return
        build.set(target, str(value))
        build.note("different", path, target=target, note="only if root starts the server; better in the systemd unit")

    return take


def _ignored(note: str) -> Callable[[Builder, str, Any], None]:
    def ignore(build: Builder, path: str, value: Any) -> None:
        build.note("ignored", path, note=note)

    return ignore


_APPLICATION: dict[str, Callable[[Builder, str, Any], None]] = {
    "processes": _processes,
    "limits": _limits,
    "environment": _environment,
    "user": _name("server.user"),
    "group": _name("server.group"),
    "working_directory": _ignored(
        "workers start in the folder of .rr.yaml: put the file there, or use rr serve -w FOLDER"
    ),
    "isolation": _ignored("use systemd: ProtectSystem=, PrivateTmp=, RootDirectory="),
    "stdout": _ignored("the output of workers is in the log: logs.channels.server sends it to a file"),
    "stderr": _ignored("the output of workers is in the log: logs.channels.server sends it to a file"),
}
