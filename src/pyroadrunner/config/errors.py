"""Errors of a config. All are reported at once, so a user fixes ten errors after one start, not ten. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyroadrunner.config.origin import Origin
from pyroadrunner.errors import RoadRunnerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error or a warning about the config.

    Attributes:
        message: a description of the problem.
        path: dotted key, ``http.pool.num_workers``; empty if no key is concerned (a syntax error).
        value: the value of the key; ``None`` if it has none.
        expected: a correct value; may be empty.
        hint: what to do; may be empty.
        origin: where the value was written, if known.
        kind: ``fault`` prevents a start. The others are warnings at the start: ``unknown`` is an unused key (an error
            in ``rr config check``), ``unbuilt`` a key of RoadRunner's that this version ignores, ``doubtful`` a valid
            value that is probably not intended.
    """

    message: str
    path: str = ""
    value: Any = None
    expected: str = ""
    hint: str = ""
    origin: Origin | None = None
    kind: Literal["fault", "unknown", "unbuilt", "doubtful"] = "fault"

    def __str__(self) -> str:
        """``file:line: key: message; expected ...; hint``, without the unknown parts."""
        what = "; ".join(
            part for part in (self.message, f"expected {self.expected}" if self.expected else "", self.hint) if part
        )
        return ": ".join(part for part in (str(self.origin) if self.origin else "", self.path, what) if part)


class ConfigError(RoadRunnerError):
    """An invalid config. ``faults`` has all errors; the text has one line for each.

    Args:
        unknown: unknown keys, listed after the errors: `comand` explains why `command` is missing.
    """

    def __init__(self, faults: Sequence[Fault], unknown: Sequence[Fault] = ()) -> None:
        super().__init__("\n".join([*map(str, faults), *(f"warning: {key}" for key in unknown)]))
        self.faults = list(faults)


def fail(faults: Iterable[Fault]) -> None:
    """Raise :class:`ConfigError` if there are any errors."""
    found = list(faults)
    if found:
        raise ConfigError(found)
