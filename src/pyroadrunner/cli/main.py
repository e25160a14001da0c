"""``rr``: parses the command line and runs the command. Each command is imported only when it is called, to keep ``rr``
fast: at most 0.3 s per command, ``rr --version`` less."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyroadrunner import installation
from pyroadrunner.cli.advice import advised
from pyroadrunner.cli.command_table import COMMANDS, SHARED
from pyroadrunner.cli.console import coloured, complain, lost_output, occupy_standard
from pyroadrunner.cli.flags import Line, UsageError, parse
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.version import ROADRUNNER_VERSION, __version__

if TYPE_CHECKING:
    from pyroadrunner.config.load import LoadOptions

FAILED = 1
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``rr`` with ``arguments`` (``None`` = those of the process) and return the exit code."""
    occupy_standard()
    installation.enter(os.environ)
    try:
        line = parse(sys.argv[1:] if arguments is None else arguments, COMMANDS, SHARED)
        code = _run(line)
        return code if line.words == ("serve",) else _complete(code)  # a server outlives a full disk
    except UsageError as wrong:
        # 1 and not 2: RoadRunner returns 1, and scripts rely on it.
        complain(f"{wrong}\nrr help shows all commands and flags")
        return FAILED
    except RoadRunnerError as wrong:
        complain(advised(str(wrong)))
        return FAILED
    except BrokenPipeError:  # rr config show | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    except KeyboardInterrupt:
        return FAILED
    except Exception as bug:
        if isinstance(bug, OSError) and bug.errno in _DISK_FULL and bug.filename is None:  # print()
            return _not_written(bug)
        if isinstance(bug, FileNotFoundError) and _folder_is_gone():  # os.getcwd()
            complain("the current folder was removed: change to another one, also if it has the same path")
            return FAILED
        _report_bug(bug)
        return FAILED


def version_line() -> str:
    """The output of ``rr --version``. Laravel Octane expects ``rr version`` and reads the third word."""
    system = os.uname()
    architecture = _ARCHITECTURES.get(system.machine, system.machine)
    python = ".".join(map(str, sys.version_info[:3]))
    kind = ", one file" if installation.file() else ""
    return (
        f"rr version {ROADRUNNER_VERSION} (pyroadrunner {__version__}, Python {python}{kind}),"
        f" OS: {system.sysname.lower()}, arch: {architecture}"
    )


def _complete(code: int) -> int:
    """The exit code of a command whose output may have been lost: a truncated file is no success."""
    sys.stdout.flush()
    lost = lost_output()
    return code if lost is None else _not_written(lost)


def _folder_is_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _not_written(error: OSError) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter would try again at its end
    complain(f"write stdout: {(error.strerror or str(error)).lower()}")
    return FAILED


def _run(line: Line) -> int:
    if line.on("version"):
        print(version_line())
        return 0
    if line.text("unpack"):  # the launcher of the one file does it, if it is the first word
        raise UsageError("only the one file can be unpacked, and --unpack must come first: rr --unpack FOLDER")
    if line.command is None or line.on("help"):
        return _help(line.words)
    if installation.bundle_folder():
        from pyroadrunner.installation import plugin_folder

        plugin_folder.activate()
    return _ACTIONS[line.words](line)


def _help(words: Sequence[str]) -> int:
    from pyroadrunner.cli.help import help_text

    if words and not any(command.words[: len(words)] == tuple(words) for command in COMMANDS):
        raise UsageError(f'unknown command "{" ".join(words)}" for "rr"')
    print(help_text(words, coloured=coloured()))
    return 0


def _completion(line: Line) -> int:
    from pyroadrunner.cli.completion import SHELLS, script

    shell = line.arguments[0] if line.arguments else ""
    if shell not in SHELLS:
        raise UsageError(f"name a shell: rr completion {'|'.join(SHELLS)}")
    print(script(shell), end="")
    return 0


def _options(line: Line, *, require_version: bool = True) -> LoadOptions:
    from pyroadrunner.config.load import LoadOptions

    return LoadOptions(
        path=line.text("config", ".rr.yaml"),
        workdir=line.text("WorkDir"),
        dotenv=line.text("dotenv"),
        overrides=line.texts("override"),
        experimental=line.on("enable-experimental"),
        require_version=require_version,
    )


def _init(line: Line) -> int:
    from pyroadrunner.cli.init import command

    return command.run(
        _options(line),
        force=line.on("force"),
        to_stdout=line.on("stdout"),
        systemd=line.on("systemd"),
    )


def _migrate(line: Line) -> int:
    from pyroadrunner.cli.migrate import command

    file, name = (*line.arguments, "", "")[:2]
    return command.run(
        file,
        name,
        write=line.on("write"),
        force=line.on("force"),
        report=line.text("report", "text"),
    )


def _serve(line: Line) -> int:
    from pyroadrunner.cli.serve import command

    return command.run(
        _options(line),
        line.arguments[0] if line.arguments else "",
        config_named="config" in line.values,
        silent=line.on("silent"),
        pid_file=line.on("pid"),
        debug=line.on("debug"),
        watch=line.texts("watch"),
        https=line.on("https"),
    )


def _stop(line: Line) -> int:
    from pyroadrunner.cli.stop import command

    return command.run(
        _options(line, require_version=False),
        silent=line.on("silent"),
        force=line.on("force"),
        wait=not line.on("no-wait"),
        timeout=line.text("timeout"),
    )


def _workers(line: Line) -> int:
    from pyroadrunner.cli.workers import command

    return command.run(
        _options(line, require_version=False),
        line.arguments,
        interactive=line.on("interactive"),
        as_json=line.on("json"),
    )


def _top(line: Line) -> int:
    from pyroadrunner.cli.top import command

    flags = command.TopOptions(once=line.on("once"), as_json=line.on("json"), interval=line.text("interval"))
    return command.run(_options(line, require_version=False), line.arguments, flags)


def _reset(line: Line) -> int:
    from pyroadrunner.cli.reset import command

    return command.run(
        _options(line, require_version=False), line.arguments, silent=line.on("silent"), as_json=line.on("json")
    )


def _reload(line: Line) -> int:
    from pyroadrunner.cli.reload import command

    return command.run(
        _options(line, require_version=False),
        check=line.on("check"),
        silent=line.on("silent"),
        as_json=line.on("json"),
    )


def _doctor(line: Line) -> int:
    from pyroadrunner.cli.doctor import command

    return command.run(_options(line), as_json=line.on("json"))


def _config_check(line: Line) -> int:
    from pyroadrunner.cli.config import command

    return command.check(_options(line), as_json=line.on("json"))


def _config_show(line: Line) -> int:
    from pyroadrunner.cli.config import command

    return command.show(_options(line), as_json=line.on("json"), reveal=line.on("reveal"))


def _config_explain(line: Line) -> int:
    from pyroadrunner.cli.config import explain

    path = line.arguments[0] if line.arguments else ""
    return explain.run(_options(line, require_version=False), path, as_json=line.on("json"))


def _config_schema(line: Line) -> int:
    from pyroadrunner.cli.config import command

    return command.schema()


def _kv(line: Line) -> int:
    from pyroadrunner.cli.kv import command

    return command.run(
        line.words[1],
        _options(line, require_version=False),
        line.arguments,
        lasting=line.text("ttl"),
        as_json=line.on("json"),
    )


def _lock_list(line: Line) -> int:
    from pyroadrunner.cli.lock import command

    return command.list_locks(_options(line, require_version=False), as_json=line.on("json"))


def _lock_release(line: Line) -> int:
    from pyroadrunner.cli.lock import command

    return command.release(_options(line, require_version=False), line.arguments, as_json=line.on("json"))


def _jobs(line: Line) -> int:
    from pyroadrunner.cli.jobs import command

    options, arguments = _options(line, require_version=False), line.arguments
    match line.words[1:]:
        case ("list",):
            return command.list_pipelines(options, as_json=line.on("json"))
        case ("stats",):
            return command.stats(options, as_json=line.on("json"))
        case ("peek",):
            return command.peek(options, arguments, line.text("limit"), as_json=line.on("json"))
        case ("failed",):
            return command.failed(options, arguments, line.text("limit"), as_json=line.on("json"))
        case ("retry",):
            return command.retry(options, arguments)
        case ("purge",):
            return command.purge(options, arguments, everything=line.on("all"))
        case (action,):
            return command.control(options, action, arguments)
        case _:
            flags = (flag for flag in ("pause", "destroy", "resume", "list") if line.on(flag))
            names = arguments[0] if arguments else ""
            return command.of_roadrunner(options, next(flags, ""), names, silent=line.on("silent"))


def _jobs_push(line: Line) -> int:
    from pyroadrunner.cli.jobs import command

    job = command.JobOptions(
        id=line.text("id"),
        headers=line.texts("header"),
        delay=line.text("delay"),
        priority=line.text("priority"),
        auto_ack=line.on("auto-ack"),
    )
    return command.push(_options(line, require_version=False), line.arguments, job)


def _schedule(line: Line) -> int:
    from pyroadrunner.cli.schedule import command

    options, arguments, as_json = _options(line, require_version=False), line.arguments, line.on("json")
    match line.words[1:]:
        case ("list",):
            return command.list_entries(options, as_json=as_json)
        case ("next",):
            return command.next_runs(options, arguments, line.text("count"), as_json=as_json)
        case ("history",):
            return command.history(options, arguments, line.text("count"), as_json=as_json)
        case _:
            return command.run(options, arguments, as_json=as_json)


def _mercure(line: Line) -> int:
    from pyroadrunner.cli.mercure import command

    options, as_json = _options(line, require_version=False), line.on("json")
    if line.words[1] == "list":
        return command.list_subscribers(options, topic=line.text("topic"), as_json=as_json)
    given = {"identity": line.text("id"), "kind": line.text("type")}
    return command.publish(options, line.arguments, private=line.on("private"), as_json=as_json, **given)


def _websocket(line: Line) -> int:
    from pyroadrunner.cli.websocket import command

    options, as_json = _options(line, require_version=False), line.on("json")
    match line.words[1:]:
        case ("list",):
            wanted = {name: line.text(name) for name in ("topic", "user", "app")}
            return command.list_connections(options, as_json=as_json, **wanted)
        case ("topics",):
            return command.topics(options, as_json=as_json)
        case ("publish",):
            return command.publish(options, line.arguments, as_json=as_json)
        case _:
            closing = {"user": line.text("user"), "code": line.text("code"), "reason": line.text("reason")}
            return command.disconnect(options, line.arguments, **closing)


def _cluster(line: Line) -> int:
    from pyroadrunner.cli.cluster import command

    options, as_json = _options(line, require_version=False), line.on("json")
    if line.words == ("cluster",):
        return command.show(options, as_json=as_json)
    return command.act(options, line.words[1], line.arguments, line.text("timeout"), as_json=as_json)


def _plugin(line: Line) -> int:
    from pyroadrunner.cli.plugin import command

    match line.words[1:]:
        case ("install",):
            return command.install(line.arguments, source=line.text("from"), upgrade=line.on("upgrade"))
        case ("list",):
            return command.list_plugins(as_json=line.on("json"))
        case _:
            return command.remove(line.arguments)


def _licenses(line: Line) -> int:
    from pyroadrunner.cli.licenses import command

    return command.run(full=line.on("full"), as_json=line.on("json"))


def _trust(line: Line) -> int:
    from pyroadrunner.cli.trust import command

    return {"install": command.install, "uninstall": command.uninstall, "path": command.path}[line.words[1]]()


def _php_library(line: Line) -> int:
    from pyroadrunner.plugins.server.php_library import php_library

    folder = php_library()
    if not folder:
        raise RoadRunnerError("the PHP library is not part of this installation: install pyroadrunner from a wheel")
    print(folder)
    return 0


_ACTIONS: dict[tuple[str, ...], Callable[[Line], int]] = {
    ("init",): _init,
    ("migrate",): _migrate,
    ("serve",): _serve,
    ("stop",): _stop,
    ("workers",): _workers,
    ("top",): _top,
    ("reset",): _reset,
    ("reload",): _reload,
    ("doctor",): _doctor,
    ("config", "check"): _config_check,
    ("config", "show"): _config_show,
    ("config", "explain"): _config_explain,
    ("config", "schema"): _config_schema,
    ("kv", "list"): _kv,
    ("kv", "get"): _kv,
    ("kv", "set"): _kv,
    ("kv", "delete"): _kv,
    ("kv", "ttl"): _kv,
    ("kv", "clear"): _kv,
    ("lock", "list"): _lock_list,
    ("lock", "release"): _lock_release,
    ("jobs",): _jobs,
    ("jobs", "list"): _jobs,
    ("jobs", "stats"): _jobs,
    ("jobs", "pause"): _jobs,
    ("jobs", "resume"): _jobs,
    ("jobs", "destroy"): _jobs,
    ("jobs", "push"): _jobs_push,
    ("jobs", "peek"): _jobs,
    ("jobs", "failed"): _jobs,
    ("jobs", "retry"): _jobs,
    ("jobs", "purge"): _jobs,
    ("schedule", "list"): _schedule,
    ("schedule", "next"): _schedule,
    ("schedule", "history"): _schedule,
    ("schedule", "run"): _schedule,
    ("cluster",): _cluster,
    ("cluster", "reset"): _cluster,
    ("cluster", "reload"): _cluster,
    ("mercure", "list"): _mercure,
    ("mercure", "publish"): _mercure,
    ("websocket", "list"): _websocket,
    ("websocket", "topics"): _websocket,
    ("websocket", "publish"): _websocket,
    ("websocket", "disconnect"): _websocket,
    ("trust", "install"): _trust,
    ("trust", "uninstall"): _trust,
    ("trust", "path"): _trust,
    ("plugin", "install"): _plugin,
    ("plugin", "list"): _plugin,
    ("plugin", "remove"): _plugin,
    ("licenses",): _licenses,
    ("php-library",): _php_library,
    ("completion",): _completion,
    ("help",): lambda line: _help(line.arguments),
}


def _report_bug(bug: Exception) -> None:
    import traceback

    complain("".join(traceback.format_exception(bug)).rstrip(), plain=True)
    complain(f"this is a bug in pyroadrunner {__version__}: please report it with the lines above")


if __name__ == "__main__":
    sys.exit(main())
