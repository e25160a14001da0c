"""Find and read ``.rr.yaml``, and lay flags, variables and includes over it.

The order is RoadRunner's (rpc-cli-config.md, section 1.2): file, ``envfile``, expansion, ``-o`` (its values expanded
too), the check of ``version``, includes. So a flag beats the file and an include beats both. One difference: ``endure``
is treated like every section (there it is read from the raw file only).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pyroadrunner.config.errors import ConfigError, Fault, fail
from pyroadrunner.config.expand import expand_layer, loses_text
from pyroadrunner.config.files import label, load_dotenv, read_config
from pyroadrunner.config.include import apply_includes
from pyroadrunner.config.keys import Layer, normalise
from pyroadrunner.config.origin import Origin, dotted
from pyroadrunner.config.overrides import apply_override
from pyroadrunner.config.raw import RawConfig

ENV_DOTENV_PATH = "DOTENV_PATH"


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What the flags of ``rr`` say about the config.

    Attributes:
        path: ``-c``. Relative to ``workdir`` when that is given, else to the current folder.
        workdir: ``-w``, the folder to work in; empty = the folder of the config.
        dotenv: ``--dotenv``, relative to the folder worked in; the variable ``DOTENV_PATH`` beats it.
        overrides: ``-o``, each ``key=value``.
        experimental: ``-e``, lets ``envfile`` be read and HTTP/3 be served.
        require_version: whether a config without ``version`` is refused. Commands that only look for ``rpc`` need none:
            Laravel Octane runs ``rr reset -o rpc.listen=...`` on an empty file.
    """

    path: str = ".rr.yaml"
    workdir: str = ""
    dotenv: str = ""
    overrides: tuple[str, ...] = ()
    experimental: bool = False
    require_version: bool = True


def prepare(options: LoadOptions) -> LoadOptions:
    """Change to the folder to work in and load the dotenv file: what every command does first, ``rr stop`` too.

    Returns:
        the options with absolute paths: preparing or loading those again changes nothing more.

    Raises:
        ConfigError: the folder or the dotenv file is not there.
    """
    if options.workdir:
        _chdir(options.workdir)
    path = os.path.abspath(options.path)
    if not options.workdir:
        _chdir(os.path.dirname(path))
    dotenv = os.environ.get(ENV_DOTENV_PATH, options.dotenv)
    if dotenv:
        load_dotenv(dotenv, os.environ)
    return replace(options, path=path, workdir=os.getcwd())


def load(options: LoadOptions) -> RawConfig:
    """Read the config, having changed to the folder to work in (see :func:`prepare`).

    Raises:
        ConfigError: a file is missing or broken, a flag is not ``key=value``, or ``version`` is missing.
    """
    options = prepare(options)
    hint = "name the config with -c, or start without one: rr serve worker.php"
    layer = read_config(options.path, "file", missing=hint)
    envfile = layer.data.get("envfile")
    if options.experimental and isinstance(envfile, str):
        load_dotenv(os.path.join(os.path.dirname(options.path), envfile), os.environ)
    return _assemble(layer, options, root=Origin(kind="file", source=label(options.path)), path=options.path)


def load_without_file(data: dict[str, Any], options: LoadOptions, *, source: str) -> RawConfig:
    """As :func:`load`, with ``data`` in place of the file: ``-o`` applies, ``version`` is not asked for.

    Args:
        data: sections by name.
        source: what faults and ``rr config show`` say the values come from, such as ``rr serve worker.php``.
    """
    options = replace(prepare(options), require_version=False)
    root = Origin(kind="built-in", source=source)
    return _assemble(normalise(data, {}, root), options, root=root, path="")


def _assemble(layer: Layer, options: LoadOptions, *, root: Origin, path: str) -> RawConfig:
    expand_layer(layer, os.environ)
    faults: list[Fault] = []
    for flag in options.overrides:
        try:
            apply_override(flag, layer, os.environ)
        except ConfigError as wrong:
            faults += wrong.faults
    fail(faults)
    fail(_version_faults(layer, root, required=options.require_version))
    apply_includes(layer, os.environ)
    notices = tuple(_notices(layer, options))
    return RawConfig(
        layer.data, layer.origins, root=root, path=path, experimental=options.experimental, notices=notices
    )


def _version_faults(layer: Layer, root: Origin, *, required: bool) -> Iterator[Fault]:
    version = layer.data.get("version")
    if version is None or version == "":
        if required:
            message = "rr configuration file should contain a version e.g: version: 3"
            yield Fault(message=message, hint='add the line `version: "3"`', origin=root)
    elif not isinstance(version, str):
        message = f'version should be a string: `version: "3"`, actual type is: {type(version).__name__}'
        yield Fault(message=message, value=version, origin=layer.origins.get(("version",)))


def _notices(layer: Layer, options: LoadOptions) -> Iterator[Fault]:
    """What is legal and hardly meant."""

    def notice(key: str, message: str, hint: str = "") -> Fault:
        return Fault(path=key, message=message, hint=hint, origin=layer.origins.get((key,)), kind="doubtful")

    version = layer.data.get("version")
    if version and version.split(".")[0] in ("1", "2"):
        yield notice("version", f'"{version}" is an old format; it is read as version 3', 'write "3"')
    if layer.data.get("envfile") is not None and not options.experimental:
        yield notice("envfile", "is read only with the flag -e")
    for path, origin in layer.origins.items():
        if loses_text(origin.template):
            message = "has a $ that becomes nothing: only $NAME, ${NAME} and ${NAME:-default} give a value"
            hint = "keep a text with $ in a variable: a $ can't be escaped"
            yield Fault(path=dotted(path), message=message, hint=hint, origin=origin, kind="doubtful")


def _chdir(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as wrong:
        reason = (wrong.strerror or str(wrong)).lower()
        raise ConfigError([Fault(message=f"chdir {folder}: {reason}", hint="check -w and -c")]) from wrong
