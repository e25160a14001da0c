"""``rr init``: write a config for the application in this folder, and say what to do next."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from pyroadrunner.cli.console import complain, say, terminal_width, wrapped
from pyroadrunner.cli.init.config_text import ADDRESS, config_text
from pyroadrunner.cli.init.folder import Folder
from pyroadrunner.cli.init.project import Project, look
from pyroadrunner.cli.init.systemd_unit import Service, systemd_unit
from pyroadrunner.cli.init.worker_scripts import worker_script
from pyroadrunner.config.load import LoadOptions, prepare
from pyroadrunner.errors import RoadRunnerError

UNIT = "rr.service"
_WRITTEN_TO = ("storage", "bootstrap/cache", "var", "runtime", "database", "public/uploads", "uploads")


def run(options: LoadOptions, *, force: bool, to_stdout: bool, systemd: bool) -> int:
    """Write ``.rr.yaml``, a worker file if the application has none, or the systemd unit.

    Args:
        force: overwrite files.
        to_stdout: print the config (or the unit), write nothing.
        systemd: write the unit instead of the config.

    Returns:
        0, or 1 if there is no application that can be served.

    Raises:
        RoadRunnerError: a file exists, or can't be written.
    """
    path = Path(prepare(options).path)
    folder = Folder(path.parent)
    if systemd:
        return _systemd(path, force=force, to_stdout=to_stdout)
    project = look(folder, php=shutil.which("php") is not None, python=folder.python(sys.executable))
    if not project.command:
        complain("\n".join([found_line(project), *project.notes]), plain=True)
        return 1
    text = config_text(project)
    if to_stdout:
        say(text.rstrip("\n"))
        return 0
    _refuse_overwriting(path, force=force)
    say(found_line(project))
    _write_worker(project, path.parent, force=force)
    _write(path, text)
    for word, line in _remarks(project):
        for part in wrapped(f"{word.ljust(8)} {line}", " " * 9, terminal_width()):
            say(part)
    config = "" if path.name == ".rr.yaml" else f" -c {path.name}"
    say(f"next     rr serve{config}, then open http://{ADDRESS}")
    return 0


def _remarks(project: Project) -> Iterator[tuple[str, str]]:
    """What stands between the user and the first response, then what else to know."""
    if project.command.startswith("php ") and shutil.which("php") is None:
        yield "missing", "php (8.1 or newer) on PATH: apt-get install php-cli"
    yield from (("missing", line) for line in project.missing)
    for key, port in (("http.address", 8080), ("rpc.listen", 6001)):
        if in_use(port):
            yield "note", f"port {port} is in use on this machine: change {key} in .rr.yaml before rr serve"
    yield from (("note", line) for line in project.notes)


def in_use(port: int) -> bool:
    """Whether another process listens on a port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as wrong:
            return wrong.errno == errno.EADDRINUSE
    return False


def found_line(project: Project) -> str:
    """``found    Laravel 12 with Octane (artisan, laravel/octane)``"""
    seen = f" ({', '.join(project.seen)})" if project.seen else ""
    return f"found    {project.title}{seen}"


def _refuse_overwriting(path: Path, *, force: bool) -> None:
    # Octane creates an empty .rr.yaml: there is nothing to lose.
    if force or not path.exists() or not _read(path).strip():
        return
    raise RoadRunnerError(
        f"{path.name} exists and is not overwritten. Check it with rr config check, start with rr serve;"
        " rr init --stdout prints a new one, rr init --force replaces it."
    )


def _write_worker(project: Project, folder: Path, *, force: bool) -> None:
    script = project.script
    if script is None:
        return
    target = folder / script.name
    text = worker_script(script)
    if target.exists() and not force and _read(target).decode("utf-8", "replace") != text:
        say(f"kept     {script.name}, which exists (rr init --force replaces it)")
        return
    _write(target, text)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise RoadRunnerError(f"open {path}: {(wrong.strerror or str(wrong)).lower()}") from wrong


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise RoadRunnerError(f"open {path}: {(wrong.strerror or str(wrong)).lower()}") from wrong
    say(f"wrote    {path.name}")


def _systemd(config: Path, *, force: bool, to_stdout: bool) -> int:
    folder = config.parent
    if unfit := next((part for part in (str(folder), config.name) if not part.isprintable() or part[-1] == "\\"), ""):
        raise RoadRunnerError(f"a systemd unit can't contain the path {unfit!a}: rename it")
    owner = folder.stat()
    user, group = _user(owner.st_uid), _group(owner.st_gid)
    text = systemd_unit(
        Service(
            title=folder.name or "application",
            folder=str(folder),
            rr=own_path(),
            config=config.name,
            user=user,
            group=group,
            writable=[str(folder / name) for name in _WRITTEN_TO if (folder / name).is_dir()],
        )
    )
    if to_stdout:
        say(text.rstrip("\n"))
        return 0
    target = folder / UNIT
    if target.exists() and not force:
        raise RoadRunnerError(f"{UNIT} exists and is not overwritten: rr init --systemd --force replaces it")
    _write(target, text)
    if not config.exists():
        say(f"missing  {config.name}: rr init writes it")
    if user == "root":
        say("note     the folder belongs to root, so the server would run as root: set User= to another user")
    say(f"next     sudo cp {UNIT} /etc/systemd/system/ && sudo systemctl daemon-reload")
    say("         sudo systemctl enable --now rr")
    return 0


def own_path() -> str:
    """Absolute path of the ``rr`` that runs."""
    called = shutil.which(sys.argv[0]) if os.path.basename(sys.argv[0]) == "rr" else None
    beside = os.path.join(os.path.dirname(sys.executable), "rr")
    return os.path.abspath(called or (beside if os.path.exists(beside) else shutil.which("rr") or "rr"))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
