"""From a checked config to constructed plugins in the order of their start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pyroadrunner.container.discover import Installed
from pyroadrunner.container.errors import NeedNotMet, PluginError
from pyroadrunner.container.needs import Kind, LiveView, Need, needs_of
from pyroadrunner.container.order import ordered
from pyroadrunner.container.promises import keeps, missing
from pyroadrunner.contracts import EffectiveConfig, Plugin


@dataclass(frozen=True)
class Assembly:
    """What was put together.

    Attributes:
        plugins: constructed, in the order of their start.
        needs: name to the names of those it was given.
    """

    plugins: Sequence[Plugin]
    needs: Mapping[str, Sequence[str]]


def assemble(
    wanted: Sequence[Installed],
    sections: Mapping[str, msgspec.Struct],
    config: EffectiveConfig,
    *,
    others: Sequence[Installed] = (),
    guests: Sequence[Plugin] = (),
) -> Assembly:
    """Import and construct the wanted plugins, each with what its constructor asks for.

    Args:
        sections: the typed sections; one that is absent gets its defaults.
        config: for plugins that ask for the whole config.
        others: installed and not wanted; looked at only to say which section would meet a need.
        guests: plugins that the caller has constructed; they start last.

    Raises:
        PluginError: a plugin can't be loaded, is written wrong, or needs one that is not there.
        NeedsInACircle: some need each other.
    """
    classes = {plugin.name: plugin.load() for plugin in wanted}
    needs = {name: _needs(name, cls) for name, cls in classes.items()}
    givers = {
        name: {
            need: provider
            for need in own
            if need.kind is Kind.ONE and (provider := _provider(name, need, classes, others)) is not None
        }
        for name, own in needs.items()
    }
    weights = {name: int(getattr(cls, "weight", 0)) for name, cls in classes.items()}
    names = ordered({name: set(given.values()) for name, given in givers.items()}, weights)
    made: dict[str, Any] = {}

    def argument(name: str, need: Need) -> Any:
        if need.kind is Kind.SECTION:
            return None if need.optional and name not in sections else _section(name, need.of, sections)
        if need.kind is Kind.ONE:
            return made[givers[name][need]] if need in givers[name] else None
        return LiveView(lambda: [*made.values(), *guests], need.of) if need.kind is Kind.EVERY else config

    for name in names:
        made[name] = classes[name](**{need.parameter: argument(name, need) for need in needs[name]})
        if not isinstance(getattr(made[name], "name", None), str):
            raise PluginError(name, f"{_qualified(classes[name])} has no `name`")
    return Assembly([*made.values(), *guests], {name: sorted(givers[name].values()) for name in names})


def _needs(name: str, cls: type[Any]) -> list[Need]:
    if not keeps(cls, Plugin):
        raise PluginError(name, f"{_qualified(cls)} is no plugin: it does not inherit pyroadrunner.contracts.Plugin")
    if gaps := missing(cls):
        texts = [f"inherits {promise} and has no `{method}`" for promise, method in gaps]
        raise PluginError(name, f"{_qualified(cls)} {', '.join(texts)}")
    try:
        return needs_of(cls)
    except (TypeError, NameError) as wrong:
        raise PluginError(name, str(wrong)) from wrong


def _qualified(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _provider(name: str, need: Need, classes: Mapping[str, type[Any]], others: Sequence[Installed]) -> str | None:
    """Name of the plugin that keeps a promise; ``None`` where none does and the constructor can do without."""
    found = [other for other, cls in classes.items() if other != name and keeps(cls, need.of)]
    if len(found) == 1:
        return found[0]
    if found:
        raise NeedNotMet(name, f"needs one {need.of.__name__}, and the plugins {', '.join(found)} all are one")
    if need.optional:
        return None
    sections = [other.name for other in others if _could_provide(other, need)]
    todo = " or ".join(f"add the section `{section}`" for section in sections) or "install a package with such a plugin"
    raise NeedNotMet(name, f"needs a plugin that is a {need.of.__name__}, and none is there; {todo}")


def _could_provide(other: Installed, need: Need) -> bool:
    try:
        return keeps(other.load(), need.of)
    except PluginError:  # this one can't help
        return False


def _section(name: str, model: type[msgspec.Struct], sections: Mapping[str, msgspec.Struct]) -> msgspec.Struct:
    section = sections.get(name)
    if section is None:
        try:
            return model()
        except TypeError as wrong:
            raise PluginError(name, f"the section `{name}` is required: {wrong}") from wrong
    if not isinstance(section, model):
        raise PluginError(
            name,
            f"its entry points do not fit together: the section is read as {type(section).__qualname__}, the plugin"
            f" wants {model.__qualname__}",
        )
    return section
