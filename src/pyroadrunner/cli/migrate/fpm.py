"""Pools of PHP-FPM (``www.conf``). Pure.

The keys are those of php-fpm 8.4 (php-fpm.conf and pool.d). Facts about their meaning are from its documentation.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pyroadrunner.cli.init.project import Project
from pyroadrunner.cli.init.worker_scripts import worker_script
from pyroadrunner.cli.migrate.builder import Builder, Unmigratable
from pyroadrunner.cli.migrate.report import Migration
from pyroadrunner.config.durations import format_duration

GLOBAL = "global"
_SECTION = re.compile(r"\[([^\]]+)\]")
_SETTING = re.compile(r"([A-Za-z_.]+)(?:\[([^\]]*)\])?\s*=\s*(.*)")
_TIME = re.compile(r"(\d+)\s*([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LEVELS = {"alert": "error", "error": "error", "warning": "warn", "notice": "info", "debug": "debug"}
_TRUE = ("1", "yes", "true", "on")
_WHOLE = re.compile(r"\d{1,9}")


@dataclass(frozen=True)
class Setting:
    """``php_admin_value[memory_limit] = 128M`` in line 12: key, argument, value."""

    key: str
    argument: str
    value: str
    line: int

    @property
    def name(self) -> str:
        return f"{self.key}[{self.argument}]" if self.argument else self.key


@dataclass
class Pool:
    """One pool, or the section ``[global]``; of a key that is set twice the last value counts."""

    name: str
    settings: list[Setting] = field(default_factory=list)

    def value(self, key: str, default: str = "") -> str:
        return next((one.value for one in reversed(self.settings) if one.key == key), default)

    def number(self, key: str, default: int = 0) -> int:
        text = self.value(key)
        return int(text) if _WHOLE.fullmatch(text) else default


def parse_pools(text: str) -> list[Pool]:
    """Read a file. Settings before the first section are global, as in php-fpm."""
    pools = [Pool(GLOBAL)]
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in ";#":
            continue
        if section := _SECTION.match(line):
            name = section[1].strip()
            pools.append(next((pool for pool in pools if pool.name == name), Pool(name)))
        elif setting := _SETTING.match(line):
            pools[-1].settings.append(Setting(setting[1], setting[2] or "", _unquoted(setting[3]), number))
    return list({id(pool): pool for pool in pools}.values())


def _unquoted(text: str) -> str:
    text = text.strip()
    if text[:1] in ("'", '"'):
        end = text.find(text[0], 1)
        return text[1:end] if end > 0 else text[1:]
    return re.split(r"\s*;", text, maxsplit=1)[0].strip()


def is_fpm(text: str) -> bool:
    """Whether a text is a config of PHP-FPM."""
    return any(pool.value("pm") or pool.value("include") for pool in parse_pools(text))


def migrate(text: str, name: str, project: Project) -> Migration:
    """Make a config of one pool.

    Args:
        name: of the pool; empty = the only one.
        project: the application in the pool's folder, for the command of the workers.

    Raises:
        Unmigratable: there is no such pool, or there are several and none was named.
    """
    pools = parse_pools(text)
    shared = next((pool for pool in pools if pool.name == GLOBAL), Pool(GLOBAL))
    pool = _chosen([pool for pool in pools if pool.name != GLOBAL], name)
    build = Builder()
    _command(build, pool, project)
    _workers(build, pool, project)
    for setting in pool.settings:
        _SETTINGS.get(setting.key, _unknown)(build, setting)
    for setting in shared.settings:
        _GLOBALS.get(setting.key, _unknown)(build, setting)
    for other in pools:
        if other.name not in (GLOBAL, pool.name):
            build.note(
                "ignored", f"[{other.name}]", note=f"another pool: rr migrate FILE {other.name} makes its config"
            )
    _addresses(build)
    files = {}
    if project.script is not None:
        files[project.script.name] = worker_script(project.script)
    text = build.text(f"Made by rr migrate from the pool [{pool.name}] of PHP-FPM. Report: rr migrate FILE.")
    return Migration(kind=f"the pool [{pool.name}] of PHP-FPM", config=text, entries=build.entries, files=files)


def folder_of(text: str, name: str) -> str:
    """The folder of a pool's application (``chdir``); empty if the config does not name it."""
    pools = [pool for pool in parse_pools(text) if pool.name != GLOBAL]
    return _chosen(pools, name).value("chdir")


def _chosen(pools: Sequence[Pool], name: str) -> Pool:
    if not pools:
        raise Unmigratable(
            "the file has no pool: a section such as [www]; name the file with the pool (pool.d/www.conf)"
        )
    if not name and len(pools) == 1:
        return pools[0]
    names = ", ".join(pool.name for pool in pools)
    if not name:
        raise Unmigratable(f"the file has several pools: {names}; name one: rr migrate FILE {pools[0].name}")
    for pool in pools:
        if pool.name == name:
            return pool
    raise Unmigratable(f"the file has no pool {name}; it has {names}")


# -- the command and the workers ---------------------------------------------------------------------------------------


def _command(build: Builder, pool: Pool, project: Project) -> None:
    """``php -d ... worker.php``: the ini settings of the pool belong into the command."""
    command = project.command or "php rr-worker.php"
    flags: list[str] = []
    for setting in pool.settings:
        if setting.key in ("php_value", "php_admin_value", "php_flag", "php_admin_flag") and setting.argument:
            value = setting.value
            if setting.key.endswith("flag"):
                value = "1" if value.lower() in _TRUE else "0"
            if "$" in value:
                note = "has a $, which a config of this server can't contain: put it into php.ini"
                build.note("ignored", setting.name, setting.line, note=note)
            elif setting.argument == "disable_functions" and project.kind == "php-script":
                flags = [flag for flag in flags if not flag.startswith("disable_functions=")]
                inner = command.partition("disable_functions=")[2].partition(" ")[0]
                command = command.replace(f"-d disable_functions={inner}", f"-d disable_functions={inner},{value}")
                build.note("changed", setting.name, setting.line, target="server.command", note="added to the list")
            else:
                flags += ["-d", f"{setting.argument}={value}"]
                note = f"php -d {setting.argument}={value}"
                build.note("changed", setting.name, setting.line, target="server.command", note=note)
    program, _, rest = command.partition(" ")
    build.set("server.command", " ".join([program, *map(_word, flags), rest]))
    for name, value in project.env.items():
        build.add(f"server.env.{name}", value, f"for {project.title}")
    if project.command:
        note = f"for {project.title}: what rr init writes"
    else:
        note = "a guess: set the command of your worker; PHP-FPM runs any script, a worker is a program of its own"
    build.note("added", target="server.command", note=note)
    build.note(
        "added",
        target="server.command",
        note="workers read php.ini of PHP's command line (php --ini), not that of PHP-FPM",
    )


def _word(text: str) -> str:
    quoted = shlex.quote(text)
    return quoted if "'\"'\"'" not in quoted else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _workers(build: Builder, pool: Pool, project: Project) -> None:
    """``pm`` and its numbers."""
    most = max(1, pool.number("pm.max_children", 1))
    kind = pool.value("pm", "static")
    if kind == "static":
        build.set("http.pool.num_workers", min(most, 500))
    else:
        least = 1 if kind == "ondemand" else max(1, pool.number("pm.min_spare_servers", 1))
        least = min(least, most, 500)
        build.set("http.pool.num_workers", least)
        if most > least:
            build.set("http.pool.dynamic_allocator.max_workers", min(most - least, 100))
    if project.max_jobs == 1:
        build.set("http.pool.max_jobs", 1)
        if most < 4:
            build.note(
                "added",
                target="http.pool.num_workers",
                note="each request takes a new process: more workers hide its start",
            )
    else:
        build.set("http.pool.max_jobs", pool.number("pm.max_requests"))
    for setting in pool.settings:
        if setting.key in _PM:
            _PM[setting.key](build, setting, kind)
    if pool.number("pm.max_requests") == 0 and project.max_jobs not in (0, 1):
        build.set("http.pool.max_jobs", project.max_jobs)
        build.note(
            "added", target="http.pool.max_jobs", note="limits memory leaks, which end with each request in PHP-FPM"
        )
    elif project.max_jobs == 1:
        build.note("added", target="http.pool.max_jobs", note=project.fresh)


def _pm(build: Builder, setting: Setting, kind: str) -> None:
    if kind == "static":
        build.note("kept", setting.name, setting.line, target="http.pool.num_workers")
        return
    note = "workers are added while requests wait, and stopped when idle, as with `pm = dynamic`"
    build.note("different", setting.name, setting.line, target="http.pool.dynamic_allocator", note=note)


def _max_children(build: Builder, setting: Setting, kind: str) -> None:
    most = int(setting.value) if _WHOLE.fullmatch(setting.value) else 0
    workers, added = build.get("http.pool.num_workers"), build.get("http.pool.dynamic_allocator.max_workers") or 0
    target = "http.pool.num_workers" if kind == "static" else "http.pool.dynamic_allocator.max_workers"
    if workers + added < most:
        note = f"at most {workers + added} workers here: num_workers is limited to 500, added workers to 100"
        build.note("different", setting.name, setting.line, target=target, note=note)
    else:
        note = "" if kind == "static" else f"{workers} + {added} workers"
        build.note("kept" if kind == "static" else "changed", setting.name, setting.line, target=target, note=note)


def _min_spare(build: Builder, setting: Setting, kind: str) -> None:
    if kind != "dynamic":
        build.note("ignored", setting.name, setting.line, note=f"has no effect with `pm = {kind}`")
        return
    note = "the workers that always run; PHP-FPM keeps this many idle"
    build.note("different", setting.name, setting.line, target="http.pool.num_workers", note=note)


def _spare(build: Builder, setting: Setting, kind: str) -> None:
    note = "workers are added while a request waits, not ahead of it; http.pool.dynamic_allocator has the limits"
    build.note("ignored", setting.name, setting.line, note=note)


def _idle(build: Builder, setting: Setting, kind: str) -> None:
    seconds = _duration(setting.value)
    if kind != "ondemand" or not seconds or build.get("http.pool.dynamic_allocator") is None:
        build.note("ignored", setting.name, setting.line, note=f"has no effect with `pm = {kind}`")
        return
    build.set("http.pool.dynamic_allocator.idle_timeout", format_duration(seconds))
    build.note("kept", setting.name, setting.line, target="http.pool.dynamic_allocator.idle_timeout")


def _max_requests(build: Builder, setting: Setting, kind: str) -> None:
    if build.get("http.pool.max_jobs") == 1:
        note = "each request gets a new process, since the scripts define their functions each time"
        build.note("different", setting.name, setting.line, target="http.pool.max_jobs", note=note)
    else:
        build.note("kept", setting.name, setting.line, target="http.pool.max_jobs")


_PM: dict[str, Callable[[Builder, Setting, str], None]] = {
    "pm": _pm,
    "pm.max_children": _max_children,
    "pm.min_spare_servers": _min_spare,
    "pm.max_spare_servers": _spare,
    "pm.start_servers": _spare,
    "pm.max_spawn_rate": _spare,
    "pm.process_idle_timeout": _idle,
    "pm.max_requests": _max_requests,
}


# -- other settings ----------------------------------------------------------------------------------------------------


def _duration(text: str) -> float:
    found = _TIME.fullmatch(text.strip())
    return float(min(int(found[1]), 10**9) * _SECONDS[found[2]]) if found else 0.0


def _nothing(build: Builder, setting: Setting) -> None:
    """Handled above."""


def _ini(build: Builder, setting: Setting) -> None:
    if not setting.argument:
        build.note("ignored", setting.name, setting.line, note="names no setting of PHP: write php_value[NAME]")


def _unknown(build: Builder, setting: Setting) -> None:
    build.note("ignored", setting.name, setting.line, note="not a setting that rr migrate knows")


def _ignored(note: str) -> Callable[[Builder, Setting], None]:
    def ignore(build: Builder, setting: Setting) -> None:
        build.note("ignored", setting.name, setting.line, note=note)

    return ignore


def _time(target: str, note: str = "") -> Callable[[Builder, Setting], None]:
    def take(build: Builder, setting: Setting) -> None:
        seconds = _duration(setting.value)
        if not seconds:
            build.note("ignored", setting.name, setting.line, note="0 is off, as here" if setting.value else "empty")
            return
        build.set(target, format_duration(seconds))
        build.note("different" if note else "kept", setting.name, setting.line, target=target, note=note)

    return take


def _listen(build: Builder, setting: Setting) -> None:
    value = setting.value
    if value.startswith("/"):
        address = f"unix://{value}"
    elif value.isdecimal():
        address = f"tcp://0.0.0.0:{value}"
    else:
        address = f"tcp://{value}"
    if "$" in value or not re.fullmatch(r"(unix:///[^\s]+|tcp://[^\s/]*:\d{1,5})", address):
        build.note("ignored", setting.name, setting.line, note=f"not an address that can be taken over: {value}")
        return
    build.set("http.fcgi.address", address)
    note = "FastCGI at the same address, so nginx keeps its fastcgi_pass; HTTP with proxy_pass costs less"
    if value.isdecimal():
        note += ". The port is open on all networks, as before: name an address"
    build.note("changed", setting.name, setting.line, target="http.fcgi.address", note=note)


def _mode(build: Builder, setting: Setting) -> None:
    if not re.fullmatch(r"0?[0-7]{3}", setting.value):
        build.note("ignored", setting.name, setting.line, note="not a mode: 0660 is the default")
        return
    build.set("http.socket_mode", int(setting.value, 8))
    build.note("kept", setting.name, setting.line, target="http.socket_mode")


def _name(target: str) -> Callable[[Builder, Setting], None]:
    def take(build: Builder, setting: Setting) -> None:
        if not re.fullmatch(r"[\w.-]+", setting.value):
            build.note("ignored", setting.name, setting.line, note="not a name")
            return
        build.set(target, setting.value)
        note = "only if root starts the server; better set User= and Group= in the systemd unit: rr init --systemd"
        build.note("different", setting.name, setting.line, target=target, note=note)

    return take


def _env(build: Builder, setting: Setting) -> None:
    value = setting.value
    if variable := re.fullmatch(r"\$\{?(\w+)\}?", value):
        value = f"${{{variable[1]}}}"
    elif "$" in value:
        note = "has a $, which a config of this server can't contain: set the variable in the environment of rr"
        build.note("ignored", setting.name, setting.line, note=note)
        return
    if not re.fullmatch(r"[A-Za-z_]\w*", setting.argument):
        build.note("ignored", setting.name, setting.line, note="not the name of a variable")
        return
    name = setting.argument
    if name != name.upper():
        build.note("ignored", setting.name, setting.line, note="names in server.env become upper case")
        return
    build.set(f"server.env.{name}", value)
    build.note("kept", setting.name, setting.line, target=f"server.env.{name}")


def _clear_env(build: Builder, setting: Setting) -> None:
    if setting.value.lower() in _TRUE:
        note = "workers see the environment of the server: start it with a clean one (systemd does)"
        build.note("different", setting.name, setting.line, note=note)
    else:
        build.note("kept", setting.name, setting.line)


def _access_log(build: Builder, setting: Setting) -> None:
    build.set("http.access_logs", True)
    note = f"the lines go to the log of the server, not to {setting.value}; logs.channels.http sends them to a file"
    build.note("different", setting.name, setting.line, target="http.access_logs", note=note)


def _catch(build: Builder, setting: Setting) -> None:
    build.note("kept", setting.name, setting.line, note="the output of workers is always in the log")


def _chdir(build: Builder, setting: Setting) -> None:
    note = "workers start in the folder of .rr.yaml: put the file there, or start with rr serve -w FOLDER"
    build.note("different", setting.name, setting.line, note=note)


def _extensions(build: Builder, setting: Setting) -> None:
    build.note("kept", setting.name, setting.line, note="only .php files are run")


def _log_level(build: Builder, setting: Setting) -> None:
    level = _LEVELS.get(setting.value.lower())
    if level is None:
        build.note("ignored", setting.name, setting.line, note="not a level")
        return
    build.set("logs.level", level)
    build.note("changed", setting.name, setting.line, target="logs.level", note=level)


def _error_log(build: Builder, setting: Setting) -> None:
    if "$" in setting.value or not setting.value or setting.value == "syslog":
        build.note("ignored", setting.name, setting.line, note="the log goes to stderr, which systemd keeps")
        return
    build.set("logs.output", [setting.value])
    build.note("kept", setting.name, setting.line, target="logs.output")


def _addresses(build: Builder) -> None:
    if build.get("http.fcgi.address") is None:
        build.add("http.address", "127.0.0.1:8080", "HTTP for a proxy on this machine")
    build.add("rpc.listen", "tcp://127.0.0.1:6001", "for rr workers, rr reset and rr stop")


_STATUS = "the section `status` has /health and /ready on an address of its own: rr config explain status"
_SYSTEMD = "set it in the systemd unit"
_SETTINGS: dict[str, Callable[[Builder, Setting], None]] = {
    **dict.fromkeys(_PM, _nothing),
    **dict.fromkeys(("php_value", "php_admin_value", "php_flag", "php_admin_flag"), _ini),
    "listen": _listen,
    "listen.mode": _mode,
    "listen.owner": _ignored("the socket belongs to the user of the server"),
    "listen.group": _ignored("the socket belongs to the group of the server: Group= in the systemd unit"),
    "listen.acl_users": _ignored("use listen.mode and the group of the server"),
    "listen.acl_groups": _ignored("use listen.mode and the group of the server"),
    "listen.backlog": _ignored("the kernel's limit (net.core.somaxconn) is used"),
    "listen.allowed_clients": _ignored(
        "any client that reaches the address is served: use a unix socket or a firewall"
    ),
    "listen.setfib": _ignored("not on Linux"),
    "user": _name("server.user"),
    "group": _name("server.group"),
    "env": _env,
    "clear_env": _clear_env,
    "request_terminate_timeout": _time("http.pool.supervisor.exec_ttl"),
    "request_terminate_timeout_track_finished": _ignored("a request ends when the worker has answered"),
    "request_slowlog_timeout": _time("http.slow_request", "a warning in the log, without a stack trace of PHP"),
    "request_slowlog_trace_depth": _ignored("there is no stack trace of a slow request"),
    "slowlog": _ignored("slow requests are warnings in the log: logs.channels.http sends them to a file"),
    "access.log": _access_log,
    "access.format": _ignored("the format is that of the log: docs/logs.md"),
    "access.suppress_path": _ignored("every request is logged: logs.channels.http.level hides them all"),
    "catch_workers_output": _catch,
    "decorate_workers_output": _ignored("each line has the pid of its worker"),
    "chdir": _chdir,
    "chroot": _ignored("use RootDirectory= or ProtectSystem= of systemd"),
    "security.limit_extensions": _extensions,
    "pm.status_path": _ignored(f"{_STATUS}; rr workers shows the workers"),
    "pm.status_listen": _ignored(_STATUS),
    "ping.path": _ignored(_STATUS),
    "ping.response": _ignored(_STATUS),
    "rlimit_files": _ignored(f"{_SYSTEMD}: LimitNOFILE="),
    "rlimit_core": _ignored(f"{_SYSTEMD}: LimitCORE="),
    "process.priority": _ignored(f"{_SYSTEMD}: Nice="),
    "process.dumpable": _ignored(_SYSTEMD),
    "prefix": _ignored("paths are relative to the folder of .rr.yaml"),
    "apparmor_hat": _ignored(f"{_SYSTEMD}: AppArmorProfile="),
}
_GLOBALS: dict[str, Callable[[Builder, Setting], None]] = {
    "include": _ignored("name the file with the pool: rr migrate pool.d/www.conf"),
    "pid": _ignored("rr serve -p writes .pid in the folder of .rr.yaml"),
    "error_log": _error_log,
    "log_level": _log_level,
    "log_limit": _ignored("lines are not cut"),
    "log_buffering": _ignored("each line is written at once"),
    "syslog.facility": _ignored("the log goes to stderr, which systemd keeps"),
    "syslog.ident": _ignored("the log goes to stderr, which systemd keeps"),
    "emergency_restart_threshold": _ignored("crashed workers are replaced, each after a growing wait"),
    "emergency_restart_interval": _ignored("crashed workers are replaced, each after a growing wait"),
    "process_control_timeout": _time("endure.grace_period"),
    "process.max": _ignored("the number of workers is that of the pool"),
    "process.priority": _ignored(f"{_SYSTEMD}: Nice="),
    "daemonize": _ignored("rr serve stays in the foreground, as systemd wants it"),
    "rlimit_files": _ignored(f"{_SYSTEMD}: LimitNOFILE="),
    "rlimit_core": _ignored(f"{_SYSTEMD}: LimitCORE="),
    "events.mechanism": _ignored("the best one of the system is used"),
    "systemd_interval": _ignored("the server tells systemd its state by itself"),
}


def known_settings() -> Iterator[str]:
    """Every setting that has an explanation, for the manual and the tests."""
    yield from dict.fromkeys([*_SETTINGS, *_GLOBALS])
