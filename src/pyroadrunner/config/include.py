"""``include``: files whose sections replace those of the main file. (rpc-cli-config.md, section 1.2)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyroadrunner.config.errors import ConfigError, Fault
from pyroadrunner.config.expand import expand_layer
from pyroadrunner.config.files import read_config
from pyroadrunner.config.keys import Layer
from pyroadrunner.config.origin import Origin
from pyroadrunner.config.sections import OWN_KEYS


def apply_includes(layer: Layer, env: Mapping[str, str]) -> None:
    """Read the files of ``include`` in order and replace sections with theirs. Their own ``include`` is ignored.

    Raises:
        ConfigError: a file is missing or malformed, or its ``version`` is not that of the main file.
    """
    for name in _names(layer):
        try:
            included = read_config(name, "include", missing="paths are relative to the working directory")
        except ConfigError as wrong:
            at = _at(layer, "include")
            raise ConfigError([replace(fault, origin=fault.origin or at) for fault in wrong.faults]) from wrong
        expand_layer(included, env)
        version = layer.data.get("version")
        if included.data.get("version") != version:
            place = _at(included, "version") or Origin(kind="include", source=name)
            message = "version in included file must be the same as in root"
            raise ConfigError([Fault(message=message, expected=f'`version: "{version}"`', origin=place)])
        for section, value in included.data.items():
            if section not in OWN_KEYS and value is not None:
                layer.forget((section,))
                layer.data[section] = value
                layer.origins |= {path: at for path, at in included.origins.items() if path[0] == section}


def _names(layer: Layer) -> list[str]:
    value: Any = layer.data.get("include")
    if isinstance(value, str):
        return value.split()
    if value is None or (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        return value or []
    expected = "a list of paths, or one string with paths separated by blanks"
    raise ConfigError(
        [Fault(path="include", message="is not a list of files", expected=expected, origin=_at(layer, "include"))]
    )


def _at(layer: Layer, key: str) -> Origin | None:
    return layer.origins.get((key,))
