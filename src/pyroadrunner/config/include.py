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
    """Read the files ``include`` names, in order, and replace sections by theirs. Includes in them are not followed.

    Raises:
        ConfigError: a file is missing or broken, or its ``version`` is not the one of the main file.
    """
    for name in _names(layer):
        try:
            included = read_config(name, "include", missing="paths start at the folder worked in")
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
    expected = "paths in a list, or in one string with blanks between"
    raise ConfigError(
        [Fault(path="include", message="is no list of files", expected=expected, origin=_at(layer, "include"))]
    )


def _at(layer: Layer, key: str) -> Origin | None:
    return layer.origins.get((key,))
