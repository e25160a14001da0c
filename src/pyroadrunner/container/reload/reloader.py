"""Reads the config again and hands each plugin its part.

All or nothing for faults: a config that can't be read, has a fault, or that a plugin can't take over changes nothing.
Keys that need a restart do not stop the others: they are named, and keep their old values until then. The next reload
names them again, since it compares with what the server runs with, not with what was read last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pyroadrunner.config.check import Checked
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.config.section import named_field
from pyroadrunner.config.sections import ALWAYS_ON
from pyroadrunner.container.promises import keeping
from pyroadrunner.container.reload.diff import (
    SECTION,
    Change,
    as_one,
    covered,
    differences,
    with_changes,
    with_entries,
)
from pyroadrunner.container.reload.errors import ReloadRefused
from pyroadrunner.container.reload.merge import merged
from pyroadrunner.container.running_config import RunningConfig
from pyroadrunner.container.systemd import manager
from pyroadrunner.contracts import HasCertificates, PreparedReload, Reloadable, RpcMethod
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log

_log = Log("endure")

Models = Mapping[str, type[msgspec.Struct]]


class ReloadArguments(msgspec.Struct, kw_only=True):
    """What ``roadrunner.Reload`` takes."""

    check: bool = False
    """Only tell what would change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a reload did, or with ``check`` would do.

    Attributes:
        applied: changes that count now.
        restart: changes that need a restart.
        warnings: what is doubtful in the config.
    """

    applied: Sequence[Change]
    restart: Sequence[Change]
    warnings: Sequence[str]

    def as_dict(self) -> dict[str, Any]:
        """For RPC and the log; secrets are masked."""
        return {
            "applied": [change.shown() for change in self.applied],
            "restart": [change.shown() for change in self.restart],
            "warnings": list(self.warnings),
        }


class Reloader:
    """Behind ``roadrunner.Reload``; SIGHUP calls :meth:`hang_up`.

    Args:
        read: loads and checks the config as the start did; called in a thread.
        sections: the typed sections the server runs with.
        effective: the config the server shows; told of what changes.
        models: of all sections.
    """

    def __init__(
        self,
        read: Callable[[], tuple[RawConfig, Checked]],
        *,
        sections: Mapping[str, msgspec.Struct],
        effective: RunningConfig,
        models: Models,
    ) -> None:
        self._read = read
        self._sections = dict(sections)
        self._effective = effective
        self._models = models
        self._plugins: Sequence[Reloadable] = ()
        self._certificates: Sequence[HasCertificates] = ()
        self._one_at_a_time = asyncio.Lock()

    def serve(self, plugins: Iterable[object]) -> None:
        """Hand changes to those of these that can take them over."""
        plugins = list(plugins)
        self._plugins = keeping(plugins, Reloadable)
        self._certificates = keeping(plugins, HasCertificates)

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        async def reload(arguments: ReloadArguments) -> dict[str, Any]:
            return (await self.reload(check=arguments.check)).as_dict()

        return {"Reload": RpcMethod(reload, ReloadArguments)}

    async def hang_up(self) -> None:
        """A reload nobody waits for: the log has its outcome."""
        try:
            await self.reload()
        except RoadRunnerError:
            pass  # told

    async def reload(self, *, check: bool = False) -> Outcome:
        """Take over what can be taken over.

        Args:
            check: only tell what would be.

        Raises:
            ConfigError: the config has faults.
            ReloadRefused: a plugin can't take it over.
        """
        async with self._one_at_a_time:
            if check:
                return (await self._plan())[1]
            manager.reloading()
            try:
                outcome = await self._reload()
                for plugin in self._certificates:
                    await plugin.reload_certificates()
            except RoadRunnerError as refused:
                _log.error("the config was not reloaded", error=str(refused))
                raise
            finally:
                manager.notify("READY=1")
        for warning in outcome.warnings:
            _log.warning(warning)
        told = outcome.as_dict()
        _log.info("the config was reloaded", changes=told["applied"])
        if outcome.restart:
            _log.warning("changes that need a restart were left out", changes=told["restart"])
        return outcome

    async def _reload(self) -> Outcome:
        checked, outcome = await self._plan()
        values = with_changes(self._effective.values(), outcome.applied)
        whole = RunningConfig.shown(values)
        changed = {str(change.path[0]) for change in outcome.applied}
        prepared: list[PreparedReload] = []
        sections: dict[str, msgspec.Struct] = {}
        try:
            for plugin in self._plugins:
                if plugin.name in changed:
                    sections[plugin.name] = section = self._merged(plugin, checked)
                    prepared.append(await _prepare(plugin, section, whole))
        except BaseException:
            for one in prepared:
                one.discard()
            raise
        for one in prepared:
            one.apply()
        self._sections |= sections
        self._effective.become(values)
        return outcome

    async def _plan(self) -> tuple[Checked, Outcome]:
        raw, checked = await asyncio.to_thread(self._read)
        checked.refuse_faults()
        new = RunningConfig(raw, checked, self._models).values()
        live = {plugin.name: plugin.reloadable_keys() for plugin in self._plugins}
        there = {name for name in self._models if raw.present(name) or name in ALWAYS_ON}
        was = {name for name in self._models if name in self._sections or name in ALWAYS_ON}
        applied: list[Change] = []
        restart: list[Change] = []
        old = self._effective.values()
        for change in differences(old, new):
            section, *below = map(str, change.path)
            if section not in there & was:
                continue  # told above, or read by nobody, which a warning says
            (applied if covered(".".join(below), live.get(section, ())) else restart).append(change)
        sections = [as_one((name,), SECTION, comes=name in there) for name in sorted(there ^ was)]
        named = {name for name, model in self._models.items() if named_field(model) is not None}
        restart = sections + with_entries(restart, old, new, named)
        return checked, Outcome(applied=applied, restart=restart, warnings=[str(one) for one in checked.warnings])

    def _merged(self, plugin: Reloadable, checked: Checked) -> msgspec.Struct:
        model = self._models[plugin.name]
        old = self._sections.get(plugin.name) or model()
        new = checked.sections.get(plugin.name) or model()
        return merged(old, new, plugin.reloadable_keys())


async def _prepare(plugin: Reloadable, section: msgspec.Struct, whole: Mapping[str, Any]) -> PreparedReload:
    try:
        return await plugin.prepare_reload(section, whole)
    except RoadRunnerError as wrong:
        raise ReloadRefused(plugin.name, str(wrong)) from wrong
