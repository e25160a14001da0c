"""Read the files of PHP-FPM: sections with settings. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

GLOBAL = "global"
WHOLE = re.compile(r"\d{1,9}")
_SECTION = re.compile(r"\[([^\]]+)\]")
_SETTING = re.compile(r"([A-Za-z_.]+)(?:\[([^\]]*)\])?\s*=\s*(.*)")


@dataclass(frozen=True)
class Setting:
    """``php_admin_value[memory_limit] = 128M`` in line 12: key, argument, value."""

    key: str
    argument: str
    value: str
    line: int

    @property
    def name(self) -> str:
        return f"{self.key}[{self.argument}]" if self.argument else self.key


@dataclass
class Pool:
    """One pool, or the section ``[global]``; of a key that is set twice the last value counts."""

    name: str
    settings: list[Setting] = field(default_factory=list)

    def value(self, key: str, default: str = "") -> str:
        return next((one.value for one in reversed(self.settings) if one.key == key), default)

    def number(self, key: str, default: int = 0) -> int:
        text = self.value(key)
        return int(text) if WHOLE.fullmatch(text) else default


def parse_pools(text: str) -> list[Pool]:
    """Read a file. Settings before the first section are global, as in php-fpm."""
    pools = [Pool(GLOBAL)]
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in ";#":
            continue
        if section := _SECTION.match(line):
            name = section[1].strip()
            pools.append(next((pool for pool in pools if pool.name == name), Pool(name)))
        elif setting := _SETTING.match(line):
            pools[-1].settings.append(Setting(setting[1], setting[2] or "", _unquoted(setting[3]), number))
    return list({id(pool): pool for pool in pools}.values())


def _unquoted(text: str) -> str:
    text = text.strip()
    if text[:1] in ("'", '"'):
        end = text.find(text[0], 1)
        return text[1:end] if end > 0 else text[1:]
    return re.split(r"\s*;", text, maxsplit=1)[0].strip()


def is_fpm(text: str) -> bool:
    """Whether a text is a config of PHP-FPM."""
    return any(pool.value("pm") or pool.value("include") for pool in parse_pools(text))
