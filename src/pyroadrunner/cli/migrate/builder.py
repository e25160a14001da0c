"""Collects a new config and the report of its keys. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyroadrunner.cli.config.render import value_text
from pyroadrunner.cli.migrate.report import Entry, Outcome
from pyroadrunner.config.secrets import masked
from pyroadrunner.errors import RoadRunnerError


class Unmigratable(RoadRunnerError):
    """A file that is not what it should be, or a choice that only the user can make."""


@dataclass
class Builder:
    """The new config, as nested maps, and one entry per key."""

    data: dict[str, Any] = field(default_factory=lambda: {"version": "3"})
    entries: list[Entry] = field(default_factory=list)

    def set(self, target: str, value: Any) -> None:
        """Set a key: ``http.pool.num_workers``. Names with dots can't be set."""
        *parents, last = target.split(".")
        holder = self.data
        for parent in parents:
            holder = holder.setdefault(parent, {})
        holder[last] = value

    def get(self, target: str) -> Any:
        """The value of a key; ``None`` if it is not set."""
        holder: Any = self.data
        for part in target.split("."):
            holder = holder.get(part) if isinstance(holder, dict) else None
        return holder

    def note(
        self, outcome: Outcome, source: str = "", line: int | None = None, *, target: str = "", note: str = ""
    ) -> None:
        """Report a key."""
        self.entries.append(Entry(outcome=outcome, source=source, line=line, target=target, note=note))

    def variable(self, source: str, line: int | None, name: str, value: str) -> None:
        """Set and report a variable of the workers. Copying a secret into ``.rr.yaml`` is not quite the same."""
        target = f"server.env.{name}"
        self.set(target, value)
        if masked(value, (name,)) == value or value.startswith("$"):
            self.note("kept", source, line, target=target)
            return
        note = f"a secret in clear text: better set {name} in the environment of rr, and write {name}: ${{{name}}}"
        self.note("different", source, line, target=target, note=note)

    def add(self, target: str, value: Any, note: str) -> None:
        """Set and report a key that the old config has no counterpart of."""
        self.set(target, value)
        self.note("added", target=target, note=note)

    def text(self, title: str) -> str:
        """The config as YAML."""
        return config_yaml(self.data, title)


def config_yaml(data: Mapping[str, Any], title: str) -> str:
    """A config as YAML, with a blank line between sections."""
    lines = [f"# {title}"]
    for name, section in data.items():
        lines += ["", *_lines({name: section}, "")] if isinstance(section, dict) else [*_lines({name: section}, "")]
    return "\n".join(lines) + "\n"


def _lines(data: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in data.items():
        name = value_text(str(key))
        if isinstance(value, dict) and value:
            yield f"{indent}{name}:"
            yield from _lines(value, f"{indent}  ")
        elif key == "version":
            yield f'{indent}version: "{value}"'
        else:
            yield f"{indent}{name}: {value_text(value)}"
