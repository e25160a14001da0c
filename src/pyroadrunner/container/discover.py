"""Which plugins are installed, which of them the config wants. Nothing is imported that is not wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pyroadrunner.config.sections import NEED_SERVER
from pyroadrunner.container.errors import NotLoaded, PluginError

GROUP = "pyroadrunner.plugins"
ALWAYS = "pyroadrunner.plugins.always"


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A plugin that could be started.

    Attributes:
        name: its section of ``.rr.yaml``.
        entry: where its class is.
        always: whether it runs without a section.
    """

    name: str
    entry: EntryPoint
    always: bool

    def load(self) -> type[Any]:
        """Its class, imported now.

        Raises:
            NotLoaded: it can't be imported; the text names what to install.
            PluginError: it is no class.
        """
        package = self.entry.dist.name if self.entry.dist else "pyroadrunner"
        try:
            loaded = self.entry.load()
        except (ImportError, AttributeError) as wrong:
            raise NotLoaded(self.name, self.entry.value, wrong, package) from wrong
        if not isinstance(loaded, type):
            raise PluginError(self.name, f"{self.entry.value} of the package {package} is no class")
        return loaded


def installed() -> list[Installed]:
    """Every plugin of every installed package, in a stable order.

    Raises:
        PluginError: two packages have a plugin for the same section.
    """
    return from_entries(entry_points(group=GROUP), entry_points(group=ALWAYS))


def from_entries(by_section: Iterable[EntryPoint], always: Iterable[EntryPoint]) -> list[Installed]:
    """The plugins of entry points: those that want a section, those that run without one.

    Raises:
        PluginError: two of them have the same name and are not the same.
    """
    found: dict[str, Installed] = {}
    for entries, needs_none in ((by_section, False), (always, True)):
        for entry in entries:
            plugin = Installed(name=entry.name, entry=entry, always=needs_none)
            other = found.setdefault(entry.name, plugin)
            if other.entry.value != entry.value:
                raise PluginError(
                    entry.name,
                    f"two packages have this plugin: {other.entry.value} and {entry.value}; uninstall one of them",
                )
    return [found[name] for name in sorted(found)]


def wanted(plugins: Iterable[Installed], sections: Collection[str]) -> list[Installed]:
    """The plugins that the config turns on. One that needs workers stays off without the section ``server``, as in
    RoadRunner; the config check has already warned about it.

    Args:
        sections: names of the present sections.
    """
    return [
        plugin
        for plugin in plugins
        if plugin.always or (plugin.name in sections and not (plugin.name in NEED_SERVER and "server" not in sections))
    ]
