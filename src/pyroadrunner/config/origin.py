"""The origin of a config value, shown in errors and by ``rr config show``. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Keys and list positions from the root: ("http", "pool", "num_workers"), ("http", "middleware", 0).
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value was written.

    Attributes:
        kind: ``file`` the main file; ``include`` a file named by ``include``; ``override`` an ``-o`` flag;
            ``built-in`` not written by the user.
        source: the path of the file, the flag (``-o http.address``), or the built-in's label.
        line: 1-based line in the file; ``None`` if unknown (TOML, flags).
        template: the text before the expansion of variables, if it had any: ``${PORT:-8080}``.
    """

    kind: Literal["file", "include", "override", "built-in"]
    source: str
    line: int | None = None
    template: str = ""

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


def dotted(path: KeyPath) -> str:
    """Format a path: ``http.pool.num_workers``, ``http.middleware[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
