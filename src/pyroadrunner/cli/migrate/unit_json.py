"""The configuration of NGINX Unit (``curl --unix-socket control.unit.sock http://localhost/config``). Pure.

The keys are those of Unit 1.34. Facts about their meaning are from its documentation.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyroadrunner.cli.init.project import SCRIPT_FUNCTIONS, WORKER, Project, Script
from pyroadrunner.cli.init.worker_scripts import worker_script
from pyroadrunner.cli.migrate.builder import Builder, Unmigratable
from pyroadrunner.cli.migrate.report import Migration
from pyroadrunner.config.durations import format_duration

Json = dict[str, Any]
_URI = re.compile(r"\$\{?(uri|request_uri)\}?$")
_MB = 2**20


def is_unit(text: str) -> bool:
    """Whether a text is a configuration of Unit."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and bool({"listeners", "applications"} & _map(data.get("config", data)).keys())


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
    config = _map(_map(data).get("config", data))
    applications = {str(key): _map(value) for key, value in _map(config.get("applications")).items()}
    chosen = _chosen(applications, name)
    build = Builder()
    files = _application(build, f"applications.{chosen}", applications[chosen], project)
    for other in applications:
        if other != chosen:
            note = f"another application: rr migrate FILE {other} makes its config"
            build.note("ignored", f"applications.{other}", note=note)
    _listeners(build, _map(config.get("listeners")), chosen)
    _routes(build, config.get("routes"))
    _settings(build, _map(config.get("settings")))
    if "access_log" in config:
        _access_log(build, config["access_log"])
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


def _map(value: object) -> Json:
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


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
    options = _map(app.get("options"))
    for part in ("admin", "user"):
        for key, value in _map(options.get(part)).items():
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
    targets = _map(app.get("targets"))
    if targets:
        name, target = next(iter(targets.items()))
        app = {**app, **_map(target)}
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
    limits = _map(value)
    most, spare = _whole(limits.get("max"), 1), _whole(limits.get("spare"), 0)
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
        seconds = _whole(limits["idle_timeout"], 0)
        if seconds and most > workers:
            build.set("http.pool.dynamic_allocator.idle_timeout", format_duration(seconds))
            build.note("kept", f"{path}.idle_timeout", target="http.pool.dynamic_allocator.idle_timeout")
        else:
            build.note("ignored", f"{path}.idle_timeout", note="no workers are added, or they stop after a minute")


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else default


def _limits(build: Builder, path: str, value: Any) -> None:
    for key, limit in _map(value).items():
        number = _whole(limit, 0)
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
    for key, item in _map(value).items():
        if "$" in str(item):
            note = "has a $, which a config of this server can't contain: set the variable in the environment of rr"
            build.note("ignored", f"{path}.{key}", note=note)
        elif not re.fullmatch(r"[A-Z_][A-Z0-9_]*", key):
            build.note("ignored", f"{path}.{key}", note="names in server.env become upper case")
        else:
            build.set(f"server.env.{key}", str(item))
            build.note("kept", f"{path}.{key}", target=f"server.env.{key}")


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


# -- listeners, routes, settings ---------------------------------------------------------------------------------------


def _listeners(build: Builder, listeners: Json, chosen: str) -> None:
    for address, listener in listeners.items():
        path = f"listeners.{address}"
        target = str(_map(listener).get("pass", ""))
        if target.startswith("applications/") and target.split("/")[1] != chosen:
            build.note("ignored", path, note="it is for another application")
            continue
        _listener(build, path, address, _map(listener))
    if build.get("http.address") is None and build.get("http.ssl.address") is None:
        build.add("http.address", "127.0.0.1:8080", "no listener could be taken over")


def _listener(build: Builder, path: str, address: str, listener: Json) -> None:
    where = address.removeprefix("*")
    if not re.fullmatch(r"(|[\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}|unix:/\S+", where) or "$" in where:
        build.note("ignored", path, note="not an address that can be taken over")
        return
    where = where.replace("unix:/", "unix:///", 1)
    key = "http.ssl.address" if "tls" in listener else "http.address"
    if build.get(key) is not None:
        note = f"there is one {key}: put a proxy in front, or start a second server"
        build.note("ignored", path, note=note)
        return
    if "tls" in listener:
        build.set("http.ssl", {"address": where, "cert": "server.crt", "key": "server.key"})
        build.note("changed", path, target=key)
        note = "Unit keeps the certificate: write it and its key to these files"
        build.note("different", f"{path}.tls", target="http.ssl.cert", note=note)
    else:
        build.set(key, where)
        build.note("kept", path, target=key)
    if "forwarded" in listener:
        _forwarded(build, f"{path}.forwarded", _map(listener["forwarded"]))
    for other in listener:
        if other not in ("pass", "tls", "forwarded"):
            build.note("ignored", f"{path}.{other}", note="not a key that rr migrate knows")


def _forwarded(build: Builder, path: str, forwarded: Json) -> None:
    source = forwarded.get("source", [])
    subnets = [str(one) for one in (source if isinstance(source, list) else [source])]
    plain = [one for one in subnets if re.fullmatch(r"[0-9a-fA-F:.]+(/\d{1,3})?", one)]
    if plain != subnets or not plain:
        build.note("ignored", path, note="its source is no list of addresses: see http.trusted_subnets")
        return
    build.set("http.middleware", [*(build.get("http.middleware") or []), "proxy_ip_parser"])
    build.set("http.trusted_subnets", plain)
    build.set("http.trusted_walk", bool(forwarded.get("recursive")))
    header = str(forwarded.get("client_ip", ""))
    if re.fullmatch(r"[\w-]+", header):
        build.set("http.trusted_headers", [header])
    build.note("changed", path, target="http.trusted_subnets", note="with the middleware proxy_ip_parser")


def _routes(build: Builder, routes: Any) -> None:
    """Static files are taken over; of other actions only the application remains."""
    for path, step in _steps(routes):
        action = _map(step.get("action"))
        if "share" in action:
            _share(build, path, step, action)
            if "fallback" in action:
                _action(build, f"{path}.action.fallback", _map(action["fallback"]))
        else:
            _action(build, f"{path}.action", action)
        if "match" in step:
            _match(build, f"{path}.match", _map(step["match"]), share="share" in action)


def _steps(routes: Any) -> Iterator[tuple[str, Json]]:
    named = routes if isinstance(routes, dict) else {"": routes}
    for name, steps in named.items():
        for number, step in enumerate(steps if isinstance(steps, list) else ()):
            yield f"routes{f'.{name}' if name else ''}[{number}]", _map(step)


def _match(build: Builder, path: str, match: Json, *, share: bool) -> None:
    if share:
        note = "every path is looked up in the folder; PHP and hidden files are never sent"
    else:
        note = "every path goes to the workers; http.routes gives paths pools of their own"
    for key in match:
        build.note("different" if key == "uri" else "ignored", f"{path}.{key}", note=note)


def _share(build: Builder, path: str, step: Json, action: Json) -> None:
    shares = action["share"] if isinstance(action["share"], list) else [action["share"]]
    share = str(shares[0]) if shares else ""
    folder = _URI.sub("", share).rstrip("/")
    if not folder or folder == share.rstrip("/") or "$" in folder:
        build.note("ignored", f"{path}.action.share", note=f"not a folder with $uri: {share}; see http.static.dir")
        return
    if build.get("http.static") is not None:
        build.note("ignored", f"{path}.action.share", note="one folder is served: http.static.dir")
        return
    build.set("http.middleware", ["static", *(build.get("http.middleware") or [])])
    build.set("http.static.dir", folder)
    build.note("changed", f"{path}.action.share", target="http.static.dir", note="with the middleware static")
    for other in shares[1:]:
        build.note("ignored", f"{path}.action.share", note=f"one folder is served: {other} is not")
    for key, note in {
        "types": "http.static.allow and forbid choose by extension",
        "index": "a folder is answered by the workers",
        "chroot": "no file outside of the folder is sent",
        "follow_symlinks": "http.static.follow_symlinks decides it",
        "traverse_mounts": "mounts are followed",
        "response_headers": "http.static.response adds headers",
    }.items():
        if key in action:
            build.note("ignored", f"{path}.action.{key}", note=note)


def _action(build: Builder, path: str, action: Json) -> None:
    for key, value in action.items():
        if key == "pass":
            note = "" if str(value).startswith(("applications/", "routes")) else "upstreams are not served"
            build.note("ignored" if note else "kept", f"{path}.{key}", note=note)
        elif key in ("return", "location", "proxy", "rewrite", "response_headers"):
            note = {
                "response_headers": "http.headers.response adds headers to every response",
                "proxy": "put nginx, HAProxy or Caddy in front",
            }.get(key, "the application, or a proxy in front, has to do it")
            build.note("ignored", f"{path}.{key}", note=note)
        elif key != "fallback":
            build.note("ignored", f"{path}.{key}", note="not a key that rr migrate knows")


def _settings(build: Builder, settings: Json) -> None:
    http = _map(settings.get("http"))
    times = {
        "header_read_timeout": "http.limits.head_timeout",
        "body_read_timeout": "http.limits.body_timeout",
        "send_timeout": "http.limits.write_timeout",
        "idle_timeout": "http.limits.idle_timeout",
    }
    for key, value in http.items():
        path = f"settings.http.{key}"
        if key in times and _whole(value, 0):
            build.set(times[key], format_duration(_whole(value, 0)))
            build.note("kept", path, target=times[key])
        elif key == "max_body_size" and _whole(value, 0):
            size = math.ceil(_whole(value, 0) / _MB)
            build.set("http.max_request_size", size)
            note = "" if size * _MB == value else f"rounded up to {size} MB"
            build.note("different" if note else "kept", path, target="http.max_request_size", note=note)
        elif key == "discard_unsafe_fields":
            build.note("ignored", path, note="names of headers that are not valid are refused with 400")
        elif key == "server_version":
            build.note("ignored", path, note="no header names the server")
        else:
            build.note("ignored", path, note="not a setting that rr migrate knows")
    for key in settings:
        if key != "http":
            build.note("ignored", f"settings.{key}", note="not a setting that rr migrate knows")


def _access_log(build: Builder, value: Any) -> None:
    if value is False or (isinstance(value, dict) and value.get("if") == ""):
        build.note("ignored", "access_log", note="logs.channels.http.level hides the lines of requests")
        return
    build.set("http.access_logs", True)
    note = "the lines go to the log of the server, in its format; logs.channels.http sends them to a file"
    build.note("different", "access_log", target="http.access_logs", note=note)
