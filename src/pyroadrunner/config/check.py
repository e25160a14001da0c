"""The whole config against the models of its sections: what may start, and what to tell the user. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from pyroadrunner.config.errors import ConfigError, Fault
from pyroadrunner.config.known import KNOWN_SECTIONS, NEED_SERVER, OBSOLETE_SECTIONS, OWN_KEYS, is_private
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.config.section import SectionReader, suggest


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
        """Raise :class:`ConfigError` with all faults, if there is any."""
        if self.faults:
            raise ConfigError(self.faults)


def check(raw: RawConfig, models: Mapping[str, type[msgspec.Struct]]) -> Checked:
    """Read every present section that has a model; find all faults. Never raises for what the config holds.

    Args:
        raw: as loaded.
        models: by section name, see ``models.section_models``.
    """
    reader = SectionReader(raw.origin)
    reader.warnings += raw.notices
    sections: dict[str, msgspec.Struct] = {}
    for name, data in raw.data.items():
        if data is None or name in OWN_KEYS:
            continue
        model = models.get(name)
        if model is None:
            reader.warnings += _no_model(raw, name, models)
            continue
        section = reader.read(model, data, (name,))
        if section is not None:
            sections[name] = section
    reader.warnings += _without_server(raw, models)
    return Checked(sections=sections, faults=reader.faults, warnings=reader.warnings)


def _no_model(raw: RawConfig, name: str, models: Mapping[str, type[msgspec.Struct]]) -> Iterator[Fault]:
    origin = raw.origin((name,))
    if is_private(name):
        return
    if name in KNOWN_SECTIONS:
        message = f"known, but not part of this version ({KNOWN_SECTIONS[name]}); it is left off"
        yield Fault(path=name, message=message, origin=origin, kind="unbuilt")
    elif name in OBSOLETE_SECTIONS:
        yield Fault(path=name, message=OBSOLETE_SECTIONS[name], origin=origin, kind="unbuilt")
    else:
        hint = suggest(name, [*models, *KNOWN_SECTIONS, *OWN_KEYS])
        yield Fault(path=name, message="unknown section", hint=hint, origin=origin, kind="unknown")


def _without_server(raw: RawConfig, models: Mapping[str, type[msgspec.Struct]]) -> Iterator[Fault]:
    for name in NEED_SERVER:
        if name in models and raw.present(name) and not raw.present("server"):
            message = "is left off: its workers need the section `server`"
            hint = "add `server.command`"
            yield Fault(path=name, message=message, hint=hint, origin=raw.origin((name,)), kind="doubtful")
