"""The error of ``rr serve`` in a folder without a config: what the folder has, and which command serves it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from pyroadrunner.cli.init.folder import Folder
from pyroadrunner.cli.init.project import Project, look
from pyroadrunner.config.errors import ConfigError, Fault

_OTHER_NAMES = (".rr.yml", "rr.yaml", "rr.yml", "roadrunner.yaml", ".rr.dev.yaml", ".rr.json", ".rr.toml")


class NoConfig(ConfigError):
    """There is no config, and no worker file was named."""

    def __init__(self, path: str) -> None:
        lines = advice(Folder(Path(path).parent), php=shutil.which("php") is not None)
        message = "\n".join([f"open {path}: no such file or directory", *lines])
        super().__init__([Fault(message=message)])


def advice(folder: Folder, *, php: bool) -> Iterator[str]:
    """What the folder has, and the commands for it."""
    project = look(folder, php=php)
    seen = f" ({', '.join(project.seen)})" if project.seen else ""
    yield f"This folder has {project.title}{seen}." if project.kind != "empty" else "The folder is empty."
    if folder.unreadable_composer:
        yield f"Its composer.json {folder.unreadable_composer}."
    commands = list(_commands(folder, project))
    width = max(len(command) for command, _ in commands)
    yield from (f"  {command.ljust(width)}  {effect}" for command, effect in commands)


def _commands(folder: Folder, project: Project) -> Iterator[tuple[str, str]]:
    for name in _OTHER_NAMES:
        if folder.has(name):
            yield f"rr serve -c {name}", f"start with {name}"
    if project.kind in ("php-worker", "python-worker"):
        yield f"rr serve {project.seen[0]}", "start it without a config"
    if project.command:
        also = f" and {project.script.name}" if project.script else ""
        yield "rr init && rr serve", f"write .rr.yaml{also}, and start"
    else:
        yield "rr serve worker.php", "start a worker file, PHP or Python, without a config"
    yield "rr serve -c FILE", "start with another config"
