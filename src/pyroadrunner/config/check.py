"""Check the whole config against the models of its sections: errors, warnings, and the sections that can start. Pure.

A section may have settings in another one: a storage of ``kv`` without a ``config`` has them in the section with its
name. Its model lists these sections:

    def elsewhere(self) -> Iterable[tuple[str, type[msgspec.Struct]]]:      # (section, its model)

A section may name things outside the config, such as files, which may be missing at the start. Its model can check:

    def absent(self) -> Iterable[tuple[str, str]]:      # (key below the section, what is missing or unusable)
    def doubtful(self) -> Iterable[tuple[str, str]]:    # the same, for what exists and is probably not intended
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
    """The result of checking a whole config.

    Attributes:
        sections: the typed model of each present section that has a model and no errors.
        faults: errors that prevent a start, in the order of the file.
        warnings: problems that do not; ``Fault.kind`` is their kind.
    """

    sections: dict[str, msgspec.Struct]
    faults: list[Fault]
    warnings: list[Fault]

    def refuse_faults(self) -> None:
        """Raise :class:`ConfigError` if there are errors, with all of them and the unknown keys that may explain
        them."""
        if self.faults:
            raise ConfigError(self.faults, [warning for warning in self.warnings if warning.kind == "unknown"])


def check(raw: RawConfig, models: Mapping[str, type[msgspec.Struct]]) -> Checked:
    """Read every present section that has a model and find all errors. Never raises for the content of the config.

    Args:
        raw: the loaded config.
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
    """Things that the valid sections name and that a start would not find. The check does the same as a start and may
    import modules that the config names. So only ``rr config check`` and the like call it."""
    return [
        Fault(path=dotted(path), message=message, origin=raw.origin(path))
        for path, message in _found_by_sections(checked, "absent")
    ]


def doubtful(raw: RawConfig, checked: Checked) -> list[Fault]:
    """The same for things that a start finds and warns about, such as an expired certificate."""
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
        message = f"known, but not part of this version ({KNOWN_SECTIONS[name]}); ignored"
        yield Fault(path=name, message=message, origin=origin, kind="unbuilt")
    elif name in STORAGE_SECTIONS:
        message = f"unused: no storage of `kv` is named `{name}` and has no `config`"
        yield Fault(path=name, message=message, origin=origin, kind="doubtful")
    elif name in OBSOLETE_SECTIONS:
        yield Fault(path=name, message=OBSOLETE_SECTIONS[name], origin=origin, kind="unbuilt")
    else:
        hint = suggest(name, [*models, *KNOWN_SECTIONS, *STORAGE_SECTIONS, *OWN_KEYS])
        yield Fault(path=name, message="unknown section", hint=hint, origin=origin, kind="unknown")


def _without_server(raw: RawConfig, models: Mapping[str, type[msgspec.Struct]]) -> Iterator[Fault]:
    for name in NEED_SERVER:
        if name in models and raw.present(name) and not raw.present("server"):
            message = "not started: its workers need the section `server`"
            hint = "add `server.command`"
            yield Fault(path=name, message=message, hint=hint, origin=raw.origin((name,)), kind="doubtful")
