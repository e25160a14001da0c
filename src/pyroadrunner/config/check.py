"""The whole config against the models of its sections: what may start, and what to tell the user. Pure.

A section may have some of its settings in others, as a storage of ``kv`` without a ``config`` has them in the section
named like it. Its model says so:

    def elsewhere(self) -> Iterable[tuple[str, type[msgspec.Struct]]]:      # (section, what it holds)

A section may name things that are not in the config, which a start looks for and may not find. Its model can look:

    def absent(self) -> Iterable[tuple[str, str]]:      # (key below the section, and what can't be had)
    def doubtful(self) -> Iterable[tuple[str, str]]:    # the same, for what is there and hardly as it is meant
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from pyroadrunner.config.errors import ConfigError, Fault
from pyroadrunner.config.origin import KeyPath, dotted
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.config.section import SectionReader, found_by, suggest
from pyroadrunner.config.sections import (
    KNOWN_SECTIONS,
    NEED_SERVER,
    OBSOLETE_SECTIONS,
    OWN_KEYS,
    STORAGE_SECTIONS,
    is_private,
)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A config that was looked at whole.

    Attributes:
        sections: the typed model of each present section that has one and is without fault.
        faults: what stops a start, in the order of the file.
        warnings: what does not; ``Fault.kind`` says of which sort each is.
    """

    sections: dict[str, msgspec.Struct]
    faults: list[Fault]
    warnings: list[Fault]

    def refuse_faults(self) -> None:
        """Raise :class:`ConfigError` with all faults, if there is any, and the unknown keys, which may explain them."""
        if self.faults:
            raise ConfigError(self.faults, [warning for warning in self.warnings if warning.kind == "unknown"])


def check(raw: RawConfig, models: Mapping[str, type[msgspec.Struct]]) -> Checked:
    """Read every present section that has a model; find all faults. Never raises for what the config holds.

    Args:
        raw: as loaded.
        models: by section name, see ``models.section_models``.
    """
    reader = SectionReader(raw.origin)
    reader.warnings += raw.notices
    sections: dict[str, msgspec.Struct] = {}

    def read(name: str, model: type[msgspec.Struct]) -> None:
        section = reader.read(model, raw.data[name], (name,))
        if section is not None:
            sections[name] = section

    present = [name for name, data in raw.data.items() if data is not None and name not in OWN_KEYS]
    for name in present:
        if name in models:
            read(name, models[name])
    others = {name: model for section in sections.values() for name, model in _elsewhere(section)}
    for name in present:
        if name in others and name not in models:
            read(name, others[name])
        elif name not in models:
            reader.warnings += _no_model(raw, name, models)
    reader.warnings += _without_server(raw, models)
    return Checked(sections=sections, faults=reader.faults, warnings=reader.warnings)


def absent(raw: RawConfig, checked: Checked) -> list[Fault]:
    """What the sections without fault name and a start would not find. It is looked for as a start does, which may
    import what the config names; so only who checks a config asks."""
    return [
        Fault(path=dotted(path), message=message, origin=raw.origin(path))
        for path, message in _found_by_sections(checked, "absent")
    ]


def doubtful(raw: RawConfig, checked: Checked) -> list[Fault]:
    """The same for what a start finds and warns about, such as a certificate that has expired."""
    return [
        Fault(path=dotted(path), message=message, origin=raw.origin(path), kind="doubtful")
        for path, message in _found_by_sections(checked, "doubtful")
    ]


def _found_by_sections(checked: Checked, hook: str) -> Iterator[tuple[KeyPath, str]]:
    for name, section in checked.sections.items():
        for below, message in found_by(section, hook):
            yield (name, *below), message


def _elsewhere(section: msgspec.Struct) -> Iterable[tuple[str, type[msgspec.Struct]]]:
    elsewhere = getattr(section, "elsewhere", None)
    return elsewhere() if callable(elsewhere) else ()


def _no_model(raw: RawConfig, name: str, models: Mapping[str, type[msgspec.Struct]]) -> Iterator[Fault]:
    origin = raw.origin((name,))
    if is_private(name):
        return
    if name in KNOWN_SECTIONS:
        message = f"known, but not part of this version ({KNOWN_SECTIONS[name]}); it is left off"
        yield Fault(path=name, message=message, origin=origin, kind="unbuilt")
    elif name in STORAGE_SECTIONS:
        message = f"is read by nobody: no storage of `kv` has the name `{name}` and no `config`"
        yield Fault(path=name, message=message, origin=origin, kind="doubtful")
    elif name in OBSOLETE_SECTIONS:
        yield Fault(path=name, message=OBSOLETE_SECTIONS[name], origin=origin, kind="unbuilt")
    else:
        hint = suggest(name, [*models, *KNOWN_SECTIONS, *STORAGE_SECTIONS, *OWN_KEYS])
        yield Fault(path=name, message="unknown section", hint=hint, origin=origin, kind="unknown")


def _without_server(raw: RawConfig, models: Mapping[str, type[msgspec.Struct]]) -> Iterator[Fault]:
    for name in NEED_SERVER:
        if name in models and raw.present(name) and not raw.present("server"):
            message = "is left off: its workers need the section `server`"
            hint = "add `server.command`"
            yield Fault(path=name, message=message, hint=hint, origin=raw.origin((name,)), kind="doubtful")
