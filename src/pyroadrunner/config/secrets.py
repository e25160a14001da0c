"""Recognise and mask secret values. Pure."""

from __future__ import annotations

import re
from typing import Any

from pyroadrunner.config.origin import KeyPath

MASK = "***"

_WORDS = frozenset(
    {"apikey", "credential", "credentials", "key", "keys", "pass", "passphrase", "passwd", "password", "pwd"}
    | {"secret", "secrets", "token", "tokens"}
)
_URL_PASSWORD = re.compile(r"(?<=://)([^\s/@:]*):[^\s/@]+@")  # amqp://user:password@host


def is_secret(path: KeyPath) -> bool:
    """Whether the last key of a path has the name of a secret: ``password``, ``APP_KEY``, ``auth-token``."""
    return bool(path) and not _WORDS.isdisjoint(re.split(r"[_\-.]", str(path[-1]).lower()))


def masked(value: Any, path: KeyPath) -> Any:
    """A copy of ``value`` with secret strings and passwords in URLs replaced by ``***``."""
    if isinstance(value, dict):
        return {key: masked(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item, path) for item in value]
    if not isinstance(value, str):
        return value
    return MASK if value and is_secret(path) else _URL_PASSWORD.sub(rf"\1:{MASK}@", value)
