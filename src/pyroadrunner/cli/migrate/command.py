"""``rr migrate``: make a config from that of another server, and report on each key."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from pyroadrunner.cli.console import complain, say, terminal_width
from pyroadrunner.cli.init.folder import Folder
from pyroadrunner.cli.init.project import Project, look
from pyroadrunner.cli.migrate import fpm, roadrunner, unit_json
from pyroadrunner.cli.migrate.builder import Unmigratable
from pyroadrunner.cli.migrate.fpm_file import is_fpm
from pyroadrunner.cli.migrate.report import Entry, Migration, report_json, report_text
from pyroadrunner.config.check import check
from pyroadrunner.config.formats import parse
from pyroadrunner.config.keys import normalise
from pyroadrunner.config.models import section_models
from pyroadrunner.config.origin import Origin
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.errors import RoadRunnerError

CONFIG = ".rr.yaml"
STDIN = "-"
_MOST = 16 * 1024 * 1024  # bytes of a config


def run(file: str, name: str, *, write: bool, force: bool, report: str) -> int:
    """Print the new config on stdout and the report on stderr, or write the files.

    Args:
        file: a pool of PHP-FPM, the JSON of NGINX Unit, or a config of RoadRunner; ``-`` = standard input.
        name: of the pool or the application, if the file has several.
        write: write ``.rr.yaml`` and a worker into the current folder; the report is then on stdout.
        force: overwrite files; a config that is replaced is kept as ``.rr.yaml.before``.
        report: ``text``, or ``json``: everything as one document on stdout.

    Returns:
        0.

    Raises:
        RoadRunnerError: the file can't be read or understood, or a file exists.
    """
    if report not in ("text", "json"):
        raise RoadRunnerError(f"--report={report}: text or json")
    old = _read(file)
    migration = _verified(_migrate(old, file, name))
    same = migration.config == old
    if write:
        _write(migration, Path(file), force=force)
    if report == "json":
        say(report_json(migration, file))
        return 0
    text = report_text(migration, file, terminal_width())
    if write:
        say(text)
        wrote = "the config stays as it is" if same else f"wrote {', '.join([CONFIG, *migration.files])}"
        say(f"{wrote}; next: rr config check, then rr serve")
    else:
        also = " and ".join([CONFIG, *migration.files])
        say(migration.config.rstrip("\n"))
        complain(text, plain=True)
        hint = f"nothing was written: rr migrate {file} --write writes {also}"
        complain("the config stays as it is" if same else hint, plain=True)
    return 0


def _read(file: str) -> str:
    if not file:
        raise RoadRunnerError(
            "name a file: rr migrate /etc/php/8.3/fpm/pool.d/www.conf, a config of NGINX Unit in JSON, or an .rr.yaml"
        )
    try:
        with nullcontext(sys.stdin.buffer) if file == STDIN else open(file, "rb") as source:
            data = source.read(_MOST + 1)
    except OSError as wrong:
        raise RoadRunnerError(f"open {file}: {(wrong.strerror or str(wrong)).lower()}") from wrong
    if len(data) > _MOST:
        raise RoadRunnerError(f"{file} is larger than 16 MB: it is no config")
    return data.decode("utf-8-sig", "replace")


def _migrate(text: str, file: str, name: str) -> Migration:
    if not text.strip():
        raise Unmigratable(f"{file} is empty")
    try:
        return _by_format(text, file, name)
    except Unmigratable as wrong:
        raise wrong if str(wrong).startswith(file) else Unmigratable(f"{file}: {wrong}") from wrong


def _by_format(text: str, file: str, name: str) -> Migration:
    suffix = os.path.splitext(file)[1][1:].lower()
    if unit_json.is_unit(text):
        return unit_json.migrate(text, name, _project("."))
    if suffix not in ("yaml", "yml", "json", "toml") and is_fpm(text):
        folder = fpm.folder_of(text, name)
        return fpm.migrate(text, name, _project(folder if os.path.isdir(folder) else "."))
    if suffix in ("conf", "ini"):
        raise Unmigratable(f"{file} is no config of PHP-FPM: it has no pool with `pm`")
    if name:
        raise Unmigratable("only pools and applications have names: rr migrate FILE")
    return roadrunner.migrate(text, suffix if suffix in ("yaml", "yml", "json", "toml") else "yaml", section_models())


def _project(folder: str) -> Project:
    return look(Folder(Path(folder).absolute()), php=shutil.which("php") is not None)


def _verified(migration: Migration) -> Migration:
    """The migration with the faults of its own config, which the user has to know."""
    document, lines = parse(migration.config, "yaml")
    layer = normalise(document, lines, Origin(kind="file", source=CONFIG))
    checked = check(RawConfig(layer.data, layer.origins, root=Origin(kind="file", source=CONFIG)), section_models())
    known = {entry.target or entry.source for entry in migration.entries if entry.note}

    def found() -> Iterator[Entry]:
        for fault in checked.faults:
            has_variable = isinstance(fault.value, str) and "$" in fault.value
            if fault.path not in known and not has_variable:
                yield Entry(outcome="different", target=fault.path, note=f"has to be corrected: {fault.message}")

    return replace(migration, entries=[*migration.entries, *found()])


def _write(migration: Migration, source: Path, *, force: bool) -> None:
    try:
        _write_files(migration, source, force=force)
    except OSError as wrong:
        raise RoadRunnerError(f"open {wrong.filename}: {(wrong.strerror or str(wrong)).lower()}") from wrong


def _write_files(migration: Migration, source: Path, *, force: bool) -> None:
    target = Path(CONFIG)
    same = target.exists() and source.exists() and target.samefile(source)
    if target.exists() and not force and not same:
        raise RoadRunnerError(
            f"{CONFIG} exists and is not overwritten: rr migrate {source} --write --force replaces it"
        )
    for name, text in migration.files.items():
        path = Path(name)
        if path.exists() and not force and path.read_text("utf-8", "replace") != text:
            raise RoadRunnerError(f"{name} exists and is not overwritten: --force replaces it")
    if target.exists():
        before = target.read_bytes()
        if before == migration.config.encode():
            return
        Path(f"{CONFIG}.before").write_bytes(before)
    for name, text in {CONFIG: migration.config, **migration.files}.items():
        Path(name).write_text(text, encoding="utf-8")
