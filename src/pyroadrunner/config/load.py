"""Find and read ``.rr.yaml``, and apply flags, variables and includes to it.

The order is RoadRunner's (rpc-cli-config.md, section 1.2): file, ``envfile``, expansion, ``-o`` (its values are
expanded, too), the check of ``version``, includes. So a flag overrides the file and an include overrides both. One
difference: ``endure`` is treated like every section (RoadRunner reads it from the raw file only).
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
    """The flags of ``rr`` that concern the config.

    Attributes:
        path: ``-c``. Relative to ``workdir`` if that is given, otherwise to the current folder.
        workdir: ``-w``, the working directory; empty = the folder of the config.
        dotenv: ``--dotenv``, relative to the working directory; the variable ``DOTENV_PATH`` overrides it.
        overrides: ``-o``, each ``key=value``.
        experimental: ``-e``, enables ``envfile`` and HTTP/3.
        require_version: whether to refuse a config without ``version``. Commands that only need ``rpc`` do not require
            it: Laravel Octane runs ``rr reset -o rpc.listen=...`` on an empty file.
    """

    path: str = ".rr.yaml"
    workdir: str = ""
    dotenv: str = ""
    overrides: tuple[str, ...] = ()
    experimental: bool = False
    require_version: bool = True


def prepare(options: LoadOptions) -> LoadOptions:
    """Change to the working directory and load the dotenv file. Every command does this first, ``rr stop`` too.

    Returns:
        The options with absolute paths. Preparing or loading these again has no further effect.

    Raises:
        ConfigError: the folder or the dotenv file does not exist.
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
    """Change to the working directory (see :func:`prepare`) and read the config.

    Raises:
        ConfigError: a file is missing or malformed, a flag is not ``key=value``, or ``version`` is missing.
    """
    options = prepare(options)
    hint = "name the config with -c, or start without one: rr serve worker.php"
    layer = read_config(options.path, "file", missing=hint)
    envfile = layer.data.get("envfile")
    if options.experimental and isinstance(envfile, str):
        load_dotenv(os.path.join(os.path.dirname(options.path), envfile), os.environ)
    return _assemble(layer, options, root=Origin(kind="file", source=label(options.path)), path=options.path)


def load_without_file(data: dict[str, Any], options: LoadOptions, *, source: str) -> RawConfig:
    """Like :func:`load`, with ``data`` instead of the file: ``-o`` applies, ``version`` is not required.

    Args:
        data: sections by name.
        source: name of the values' source in errors and ``rr config show``, such as ``rr serve worker.php``.
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
    """Warnings about valid values that are probably not intended."""

    def notice(key: str, message: str, hint: str = "") -> Fault:
        return Fault(path=key, message=message, hint=hint, origin=layer.origins.get((key,)), kind="doubtful")

    version = layer.data.get("version")
    if version and version.split(".")[0] in ("1", "2"):
        yield notice("version", f'"{version}" is an old format; it is read as version 3', 'write "3"')
    if layer.data.get("envfile") is not None and not options.experimental:
        yield notice("envfile", "is read only with the flag -e")
    for path, origin in layer.origins.items():
        if loses_text(origin.template):
            message = "has a $ that expands to nothing: only $NAME, ${NAME} and ${NAME:-default} give a value"
            hint = "put text with a $ into a variable: a $ can't be escaped"
            yield Fault(path=dotted(path), message=message, hint=hint, origin=origin, kind="doubtful")


def _chdir(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as wrong:
        reason = (wrong.strerror or str(wrong)).lower()
        raise ConfigError([Fault(message=f"chdir {folder}: {reason}", hint="check -w and -c")]) from wrong
