"""What can be wrong with a config, listed whole: a user mends ten faults in one go, not in ten starts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyroadrunner.config.origin import Origin
from pyroadrunner.errors import RoadRunnerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong, or looks wrong.

    Attributes:
        message: what is wrong, in words.
        path: dotted key, ``http.pool.num_workers``; empty when no key is meant (a syntax error).
        value: what was found there; ``None`` when nothing.
        expected: what would be right; may be empty.
        hint: what to do; may be empty.
        origin: where it was written, when known.
        kind: ``fault`` stops a start. The others are warnings there: ``unknown`` is a key nobody reads (a fault in
            ``rr config check``), ``unbuilt`` a key of RoadRunner's that this version does not act on, ``doubtful`` a
            value that is legal and hardly meant.
    """

    message: str
    path: str = ""
    value: Any = None
    expected: str = ""
    hint: str = ""
    origin: Origin | None = None
    kind: Literal["fault", "unknown", "unbuilt", "doubtful"] = "fault"

    def __str__(self) -> str:
        """``file:line: key: message; expected ...; hint``, the parts that are known."""
        what = "; ".join(
            part for part in (self.message, f"expected {self.expected}" if self.expected else "", self.hint) if part
        )
        return ": ".join(part for part in (str(self.origin) if self.origin else "", self.path, what) if part)


class ConfigError(RoadRunnerError):
    """A config that can't be used. ``faults`` holds all that was found; the text has one line for each.

    Args:
        unknown: keys that no section knows: `comand` explains why `command` is missing. They follow in the text.
    """

    def __init__(self, faults: Sequence[Fault], unknown: Sequence[Fault] = ()) -> None:
        super().__init__("\n".join([*map(str, faults), *(f"warning: {key}" for key in unknown)]))
        self.faults = list(faults)


def fail(faults: Iterable[Fault]) -> None:
    """Raise :class:`ConfigError` when there is any fault."""
    found = list(faults)
    if found:
        raise ConfigError(found)
