"""Expand ``$VAR`` in values. Pure: the environment is an argument.

The rules are RoadRunner's (rpc-cli-config.md, section 1.3): Go's ``os.Expand`` and ``:-``. One defect is fixed: in
RoadRunner, if a value contains ``:-``, every plain ``$VAR`` beside it blanks the whole value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyroadrunner.config.keys import Layer
from pyroadrunner.config.origin import KeyPath

_REFERENCE = re.compile(
    r"""\$(?:
        \{(?P<braced>[^}]*)\}
      | (?P<unclosed>\{)
      | (?P<special>[*\#$@!?\-0-9])     # one-character names: never set, so they are empty
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    )""",
    re.VERBOSE,
)

# A reference that is always empty, so it is probably not intended: `pa$$word`, `${VAR:=x}`, `${VAR-x}`.
_LOST = re.compile(r"\$(?:\{(?![A-Za-z_][A-Za-z0-9_]*(?::-|\}))|[*\#$@!?\-0-9])")


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace the references in ``text``; unset variables become empty. A ``$`` can't be escaped.

    ``${VAR:-default}`` gives the default if the variable is unset or empty. A ``$`` without a name after it stays.
    """

    def value(reference: re.Match[str]) -> str:
        name = reference["braced"] if reference["braced"] is not None else reference["name"]
        if name is None:  # special or unclosed
            return ""
        name, has_default, default = name.partition(":-")
        found = env.get(name, "")
        return default if has_default and not found else found

    return _REFERENCE.sub(value, text) if "$" in text else text


def as_environment(values: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Convert an ``env:`` map of the config to variables: names in upper case (the config lower-cases them), values
    expanded."""
    return {name.upper(): expand(value, env) for name, value in values.items()}


def loses_text(text: str) -> bool:
    """Whether ``text`` has a reference that is always empty, such as ``$$`` or ``${VAR:=x}``."""
    return "$" in text and _LOST.search(text) is not None


def expand_layer(layer: Layer, env: Mapping[str, str]) -> None:
    """Expand in place every string, and store the original text in its origin. Keys are not expanded.

    RoadRunner expands no maps and lists inside lists, and drops elements of a list that are not strings. Its only maps
    inside lists are those of ``fileserver.serve`` and ``env: [{NAME: value}]``; the latter are left alone here too:
    their values are expanded when a process starts, and must not be expanded twice.
    """

    def expanded(value: Any, path: KeyPath) -> Any:
        if isinstance(value, str):
            if "$" not in value:
                return value
            layer.origins[path] = replace(layer.origins[path], template=value)
            return expand(value, env)
        if isinstance(value, dict):
            return {key: expanded(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            later = path[-1:] == ("env",)
            return [
                item if later and not isinstance(item, str) else expanded(item, (*path, i))
                for i, item in enumerate(value)
            ]
        return value

    layer.data = expanded(layer.data, ())
