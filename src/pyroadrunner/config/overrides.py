"""Parse and apply ``-o key=value``. Pure. (rpc-cli-config.md, section 1.4)"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from pyroadrunner.config.errors import ConfigError, Fault
from pyroadrunner.config.expand import expand
from pyroadrunner.config.keys import Layer, split_key
from pyroadrunner.config.origin import KeyPath, Origin, dotted

_QUOTES = "\"'`"


def parse_override(flag: str) -> tuple[str, str]:
    """Key and value of one flag. A quoted value loses its quotes and the backslashes before escaped characters.

    Raises:
        ConfigError: no ``=``, no key or no value; the texts are RoadRunner's.
    """
    key, equals, value = flag.lstrip(" " + _QUOTES).partition("=")
    key, value = key.strip(), value.strip()
    if not equals:
        raise _refused(flag, f"parse_flag: invalid flag `{flag}`", hint="write -o key=value")
    if not key:
        raise _refused(flag, "key should not be empty")
    if not value:
        raise _refused(flag, "value should not be empty")
    if value[0] in _QUOTES:
        quote = value[0]
        value = re.sub(r"\\(.)", r"\1", value.strip(quote), flags=re.DOTALL)
    return key, value


def apply_override(flag: str, layer: Layer, env: Mapping[str, str]) -> None:
    """Set one value in ``layer``: a string with its variables expanded, which the key's type converts later.

    Creates missing maps on the path, so a flag can turn on a plugin.

    Raises:
        ConfigError: not ``key=value``, or the key leads into a list.
    """
    key, value = parse_override(flag)
    path: KeyPath = tuple(split_key(key))
    template = value if "$" in value else ""
    origin = Origin(kind="override", source=f"-o {dotted(path)}", template=template)
    holder = layer.data
    for depth, part in enumerate(path[:-1], start=1):
        inner = holder.get(str(part))
        if isinstance(inner, list):
            raise _refused(
                flag,
                f"`{dotted(path[:depth])}` is a list; its elements can't be overridden individually",
                hint=f"give the whole list: -o {dotted(path[:depth])}=a,b",
            )
        if not isinstance(inner, dict):
            inner = {}
            holder[str(part)] = inner
            layer.origins[path[:depth]] = replace(origin, template="")
        holder = inner
    layer.forget(path)
    holder[str(path[-1])] = expand(value, env)
    layer.origins[path] = origin


def _refused(flag: str, message: str, hint: str = "") -> ConfigError:
    return ConfigError([Fault(message=message, hint=hint, origin=Origin(kind="override", source=f"-o {flag}"))])
