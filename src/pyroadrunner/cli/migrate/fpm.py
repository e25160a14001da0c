"""A pool of PHP-FPM (``www.conf``) becomes a config. Pure.

``fpm_file.py`` reads the file, ``fpm_settings.py`` has the settings that stand for themselves; here are the command of
the workers and their number, which several settings decide together.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from pyroadrunner.cli.init.project import Project
from pyroadrunner.cli.init.worker_scripts import worker_script
from pyroadrunner.cli.migrate.builder import Builder, Unmigratable
from pyroadrunner.cli.migrate.fpm_file import GLOBAL, WHOLE, Pool, Setting, parse_pools
from pyroadrunner.cli.migrate.fpm_settings import GLOBALS, SETTINGS, TRUE, addresses, duration, unknown
from pyroadrunner.cli.migrate.report import Migration
from pyroadrunner.config.durations import format_duration


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
        SETTINGS.get(setting.key, unknown)(build, setting)
    for setting in shared.settings:
        GLOBALS.get(setting.key, unknown)(build, setting)
    for other in pools:
        if other.name not in (GLOBAL, pool.name):
            build.note(
                "ignored", f"[{other.name}]", note=f"another pool: rr migrate FILE {other.name} makes its config"
            )
    addresses(build)
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
                value = "1" if value.lower() in TRUE else "0"
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
    most = int(setting.value) if WHOLE.fullmatch(setting.value) else 0
    if not most:
        note = f"not a number of processes: {setting.value}; http.pool.num_workers is 1"
        build.note("different", setting.name, setting.line, target="http.pool.num_workers", note=note)
        return
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
    seconds = duration(setting.value)
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
