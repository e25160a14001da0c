"""What becomes of the settings of PHP-FPM that need no others to be understood. Pure.

The keys are those of php-fpm 8.4 (php-fpm.conf and pool.d). Facts about their meaning are from its documentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pyroadrunner.cli.migrate.builder import Builder
from pyroadrunner.cli.migrate.fpm_file import Setting
from pyroadrunner.config.durations import format_duration

TRUE = ("1", "yes", "true", "on")
PM = (
    "pm",
    "pm.max_children",
    "pm.min_spare_servers",
    "pm.max_spare_servers",
    "pm.start_servers",
    "pm.max_spawn_rate",
    "pm.process_idle_timeout",
    "pm.max_requests",
)  # fpm.py: they depend on each other
_TIME = re.compile(r"(\d+)\s*([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LEVELS = {"alert": "error", "error": "error", "warning": "warn", "notice": "info", "debug": "debug"}


def duration(text: str) -> float:
    found = _TIME.fullmatch(text.strip())
    return float(min(int(found[1]), 10**9) * _SECONDS[found[2]]) if found else 0.0


def _nothing(build: Builder, setting: Setting) -> None:
    """Handled above."""


def _ini(build: Builder, setting: Setting) -> None:
    if not setting.argument:
        build.note("ignored", setting.name, setting.line, note="names no setting of PHP: write php_value[NAME]")


def unknown(build: Builder, setting: Setting) -> None:
    build.note("ignored", setting.name, setting.line, note="not a setting that rr migrate knows")


def _ignored(note: str) -> Callable[[Builder, Setting], None]:
    def ignore(build: Builder, setting: Setting) -> None:
        build.note("ignored", setting.name, setting.line, note=note)

    return ignore


def _time(target: str, note: str = "") -> Callable[[Builder, Setting], None]:
    def take(build: Builder, setting: Setting) -> None:
        seconds = duration(setting.value)
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
    build.variable(setting.name, setting.line, name, value)


def _clear_env(build: Builder, setting: Setting) -> None:
    if setting.value.lower() in TRUE:
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


def addresses(build: Builder) -> None:
    if build.get("http.fcgi.address") is None:
        build.add("http.address", "127.0.0.1:8080", "HTTP for a proxy on this machine")
    build.add("rpc.listen", "tcp://127.0.0.1:6001", "for rr workers, rr reset and rr stop")


_STATUS = "the section `status` has /health and /ready on an address of its own: rr config explain status"
_SYSTEMD = "set it in the systemd unit"
SETTINGS: dict[str, Callable[[Builder, Setting], None]] = {
    **dict.fromkeys(PM, _nothing),
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
GLOBALS: dict[str, Callable[[Builder, Setting], None]] = {
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
    yield from dict.fromkeys([*SETTINGS, *GLOBALS])
